//! The n-gram of Witten and Bell: a baseline that is fitted in seconds, and a judge of samples.

use std::collections::{BTreeMap, HashMap};

use glauber_chain::{ChainError, ChainRng, SequenceLaw};
use glauber_tokens::{Token, TokenError};

/// The law of each token given the `order` tokens before it, from counts that are interpolated as
/// Witten and Bell do ("The Zero-Frequency Problem", 1991, method C).
///
/// With `c(h)` tokens seen after the context `h`, `t(h)` of them different, and `h'` the context
/// without its first token:
///
/// `p(a | h) = (c(h, a) + t(h) p(a | h')) / (c(h) + t(h))`,
///
/// and `1 / V` below the empty context. A context never seen leaves the law of the shorter one.
/// Sequences begin without a context: their first tokens have shorter contexts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ngram {
    vocab: usize,
    order: usize,
    /// What was seen after each context.
    seen: HashMap<Vec<Token>, Followers>,
}

/// Counts of the tokens after a context.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Followers {
    total: u64,
    counts: BTreeMap<Token, u64>,
}

impl Ngram {
    /// Counts sequences over `vocab` tokens, each of any length, with contexts of up to `order`
    /// tokens.
    ///
    /// # Errors
    /// When the vocabulary is empty, or a token lies outside.
    pub fn fit<R: AsRef<[Token]>>(
        order: usize,
        vocab: usize,
        sequences: impl IntoIterator<Item = R>,
    ) -> Result<Self, ChainError> {
        if vocab == 0 {
            return Err(ChainError::OutOfRange { key: "vocab", found: 0.0, expected: "at least 1" });
        }
        let mut ngram = Self { vocab, order, seen: HashMap::new() };
        for (row, tokens) in sequences.into_iter().enumerate() {
            let tokens = tokens.as_ref();
            if let Some(site) = tokens.iter().position(|&token| token as usize >= vocab) {
                return Err(TokenError::OutsideVocabulary { token: tokens[site], row, site, vocab }.into());
            }
            ngram.count(tokens);
        }
        Ok(ngram)
    }

    fn count(&mut self, tokens: &[Token]) {
        for (at, &token) in tokens.iter().enumerate() {
            for length in 0..=self.order.min(at) {
                let followers = self.seen.entry(tokens[at - length..at].to_vec()).or_default();
                followers.total += 1;
                *followers.counts.entry(token).or_default() += 1;
            }
        }
    }

    /// Most tokens of a context.
    pub fn order(&self) -> usize {
        self.order
    }

    /// What was seen after the contexts that end with the last token of `before`, the shortest
    /// first, up to the longest that was seen.
    fn contexts<'a>(&'a self, before: &'a [Token]) -> impl DoubleEndedIterator<Item = &'a Followers> {
        let lengths = 0..=self.order.min(before.len());
        let found = lengths.map_while(|length| self.seen.get(&before[before.len() - length..]));
        found.collect::<Vec<_>>().into_iter()
    }

    /// `p(token | before)`; the last `order` tokens before it count.
    pub fn probability(&self, before: &[Token], token: Token) -> f64 {
        self.contexts(before).fold(1.0 / self.vocab as f64, |shorter, followers| {
            let (seen, kinds) = (followers.counts.get(&token).copied().unwrap_or(0), followers.counts.len());
            (seen as f64 + kinds as f64 * shorter) / (followers.total as f64 + kinds as f64)
        })
    }

    /// A token after others: from the counts of the longest context, or else of the next shorter.
    fn draw(&self, before: &[Token], rng: &mut ChainRng) -> Token {
        for followers in self.contexts(before).rev() {
            let mut at = rng.below(followers.total as usize + followers.counts.len()) as u64;
            for (&token, &count) in &followers.counts {
                if at < count {
                    return token;
                }
                at -= count;
            }
        }
        rng.below(self.vocab) as Token
    }
}

impl SequenceLaw for Ngram {
    fn name(&self) -> String {
        format!("order-{} n-gram", self.order)
    }

    fn vocab(&self) -> usize {
        self.vocab
    }

    fn sample(&self, len: usize, rng: &mut ChainRng) -> Vec<Token> {
        let mut tokens = Vec::with_capacity(len);
        for _ in 0..len {
            tokens.push(self.draw(&tokens, rng));
        }
        tokens
    }

    fn log_probability(&self, tokens: &[Token]) -> f64 {
        let log = |(at, &token): (usize, &Token)| self.probability(&tokens[..at], token).ln();
        tokens.iter().enumerate().map(log).sum()
    }
}
