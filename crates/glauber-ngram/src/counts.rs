//! Counts of tokens after contexts.

use glauber_tokens::Token;

/// A context by index, sorted by length.
pub(crate) type Node = u32;

/// The empty context.
pub(crate) const ROOT: Node = 0;

/// Counts of the tokens after each context, and their next contexts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// The context without its first token, shape `[node]`.
    shorter: Vec<Node>,
    /// The start of a context's followers, shape `[node + 1]`.
    starts: Vec<u32>,
    /// Number of tokens seen after a context, shape `[node]`.
    totals: Vec<u32>,
    /// Tokens seen after a context, ascending, shape `[follower]`.
    tokens: Vec<Token>,
    /// Their counts, shape `[follower]`.
    seen: Vec<u32>,
    /// The longest context seen that ends with the follower, shape `[follower]`.
    next: Vec<Node>,
}

/// The names of [`Counts::arrays`].
pub(crate) const ARRAYS: [&str; 6] = ["shorter", "starts", "totals", "tokens", "seen", "next"];

impl Counts {
    /// All counts, in the order of [`ARRAYS`].
    pub fn arrays(&self) -> [&[u32]; 6] {
        [&self.shorter, &self.starts, &self.totals, &self.tokens, &self.seen, &self.next]
    }

    /// Counts from such arrays, or the name of the first invalid one.
    pub fn of_arrays(arrays: Vec<Vec<u32>>, vocab: usize) -> Result<Self, &'static str> {
        let Ok([shorter, starts, totals, tokens, seen, next]) = <[Vec<u32>; 6]>::try_from(arrays) else {
            return Err(ARRAYS[0]);
        };
        let (nodes, followers) = (totals.len(), tokens.len());
        let shortens =
            |(node, &shorter): (usize, &Node)| if node == 0 { shorter == ROOT } else { (shorter as usize) < node };
        let rises = starts.windows(2).all(|pair| pair[0] <= pair[1]) && starts.first() == Some(&0);
        let sorted = |range: &[u32]| tokens[range[0] as usize..range[1] as usize].is_sorted_by(|a, b| a < b);
        let sums = |(range, &total): (&[u32], &u32)| {
            let seen = &seen[range[0] as usize..range[1] as usize];
            seen.iter().map(|&count| u64::from(count)).sum::<u64>() == u64::from(total)
        };
        let checks: [(&str, &dyn Fn() -> bool); 6] = [
            ("shorter", &|| nodes > 0 && shorter.len() == nodes && shorter.iter().enumerate().all(shortens)),
            ("starts", &|| starts.len() == nodes + 1 && rises && starts.last() == Some(&(followers as u32))),
            ("tokens", &|| tokens.iter().all(|&token| (token as usize) < vocab) && starts.windows(2).all(sorted)),
            ("seen", &|| seen.len() == followers),
            ("totals", &|| starts.windows(2).zip(&totals).all(sums)),
            ("next", &|| next.len() == followers && next.iter().all(|&node| (node as usize) < nodes)),
        ];
        match checks.iter().find(|(_, holds)| !holds()) {
            Some((name, _)) => Err(name),
            None => Ok(Self { shorter, starts, totals, tokens, seen, next }),
        }
    }

    fn bits(vocab: usize) -> u32 {
        (vocab.max(2) - 1).ilog2() + 1
    }

    /// Maximal number of tokens that fit in 128 bits.
    pub fn longest(vocab: usize) -> usize {
        (128 / Self::bits(vocab)) as usize
    }

    /// Counts with contexts of up to `order` tokens.
    pub fn of(order: usize, vocab: usize, sequences: &[&[Token]]) -> Self {
        let bits = Self::bits(vocab);
        let mut counts = Self { starts: vec![0], ..Self::default() };
        // Contexts of each length, packed and sorted, and the number of the first.
        let mut keys: Vec<(Node, Vec<u128>)> = Vec::new();
        let mut follower_keys: Vec<u128> = Vec::new();
        for length in 0..=order {
            let (first, mut contexts) = (counts.totals.len() as Node, Vec::new());
            for (gram, count) in grams(length, bits, sequences) {
                let (context, token) = (gram >> bits, (gram & mask(bits)) as Token);
                if contexts.last() != Some(&context) {
                    contexts.push(context);
                    counts.totals.push(0);
                    counts.starts.push(counts.tokens.len() as u32);
                    counts.shorter.push(keys.last().map_or(ROOT, |shorter| {
                        find(shorter, context & mask(bits * (length as u32 - 1))).unwrap_or(ROOT)
                    }));
                }
                counts.tokens.push(token);
                counts.seen.push(count);
                follower_keys.push(gram);
                *counts.totals.last_mut().expect("a context") += count;
                *counts.starts.last_mut().expect("an end") = counts.tokens.len() as u32;
            }
            keys.push((first, contexts));
        }
        if counts.totals.is_empty() {
            // Nothing was seen after anything.
            counts.totals.push(0);
            counts.shorter.push(ROOT);
            counts.starts.push(0);
        }
        counts.link(order, bits, &keys, &follower_keys);
        counts
    }

    /// Computes the next context of each follower.
    fn link(&mut self, order: usize, bits: u32, keys: &[(Node, Vec<u128>)], followers: &[u128]) {
        self.next.reserve(followers.len());
        let mut length = 0;
        for (at, &gram) in followers.iter().enumerate() {
            while keys.get(length + 1).is_some_and(|(first, _)| at as u32 >= self.starts[*first as usize]) {
                length += 1;
            }
            let lengths = (1..=order.min(length + 1)).rev();
            let found = lengths.filter_map(|length| find(&keys[length], gram & mask(bits * length as u32))).next();
            self.next.push(found.unwrap_or(ROOT));
        }
    }

    /// The context without its first token; `None` of the empty one.
    pub fn shorter(&self, node: Node) -> Option<Node> {
        (node != ROOT).then(|| self.shorter[node as usize])
    }

    /// The context and the shorter ones that end it, the empty one last.
    pub fn chain(&self, node: Node) -> impl Iterator<Item = Node> {
        std::iter::successors(Some(node), |&node| self.shorter(node))
    }

    /// Number of tokens seen after a context, and of different ones.
    pub fn size(&self, node: Node) -> (f64, f64) {
        (f64::from(self.totals[node as usize]), self.range(node).len() as f64)
    }

    fn range(&self, node: Node) -> std::ops::Range<usize> {
        self.starts[node as usize] as usize..self.starts[node as usize + 1] as usize
    }

    /// Tokens seen after a context, and their counts.
    pub fn followers(&self, node: Node) -> impl Iterator<Item = (Token, u32)> {
        let range = self.range(node);
        self.tokens[range.clone()].iter().copied().zip(self.seen[range].iter().copied())
    }

    fn follower(&self, node: Node, token: Token) -> Option<usize> {
        let range = self.range(node);
        self.tokens[range.clone()].binary_search(&token).ok().map(|at| range.start + at)
    }

    /// The count of a token after a context.
    pub fn count(&self, node: Node, token: Token) -> u32 {
        self.follower(node, token).map_or(0, |at| self.seen[at])
    }

    /// The longest context that ends with a token seen after this one; `None` if it was never seen.
    pub fn next(&self, node: Node, token: Token) -> Option<Node> {
        self.follower(node, token).map(|at| self.next[at])
    }
}

/// Contexts of one length with the token after them, packed, in order, and how often each was seen.
fn grams(length: usize, bits: u32, sequences: &[&[Token]]) -> Vec<(u128, u32)> {
    let pack = |gram: &[Token]| gram.iter().fold(0, |packed, &token| packed << bits | u128::from(token));
    let windows = sequences.iter().flat_map(|tokens| tokens.windows(length + 1));
    let mut all: Vec<u128> = windows.map(pack).collect();
    all.sort_unstable();
    all.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)).collect()
}

fn mask(bits: u32) -> u128 {
    if bits >= 128 { u128::MAX } else { (1 << bits) - 1 }
}

fn find((first, contexts): &(Node, Vec<u128>), context: u128) -> Option<Node> {
    contexts.binary_search(&context).ok().map(|at| first + at as Node)
}
