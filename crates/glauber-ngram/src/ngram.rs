//! The Witten–Bell n-gram, as an automaton over seen contexts.

use glauber_chain::{ChainError, ChainRng, SequenceLaw};
use glauber_tokens::{Token, TokenError};

use crate::counts::{Counts, Node, ROOT};

/// The law of each token given the `order` tokens before it, with Witten–Bell interpolation of counts ("The
/// Zero-Frequency Problem", 1991, method C).
///
/// Let `c(h)` be the number of tokens seen after the context `h`, `t(h)` that of different ones, and `h'` the context
/// without its first token:
///
/// `p(a | h) = (c(h, a) + t(h) p(a | h')) / (c(h) + t(h))`,
///
/// and `1 / V` below the empty context. An unseen context has the law of the shorter one. The first tokens of a
/// sequence have shorter contexts.
///
/// ```
/// use glauber_chain::SequenceLaw;
/// use glauber_ngram::Ngram;
///
/// let ngram = Ngram::fit(1, 2, [[0, 1, 0, 1]])?; // the token before, 2 in all
/// assert!((ngram.probability(&[0], 1) - (2.0 + 0.5) / 3.0).abs() < 1e-15);
/// assert!(ngram.log_probability(&[0, 1]) > ngram.log_probability(&[0, 0]));
/// # Ok::<(), glauber_chain::ChainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ngram {
    pub(crate) vocab: usize,
    pub(crate) order: usize,
    pub(crate) counts: Counts,
}

impl Ngram {
    /// Counts sequences over `vocab` tokens, each of any length, with contexts of up to `order`
    /// tokens.
    ///
    /// # Errors
    /// If the vocabulary is empty, a token is outside, or contexts do not fit in 128 bits.
    pub fn fit<R: AsRef<[Token]>>(
        order: usize,
        vocab: usize,
        sequences: impl IntoIterator<Item = R>,
    ) -> Result<Self, ChainError> {
        if vocab == 0 {
            return Err(ChainError::OutOfRange { key: "vocab", found: 0.0, expected: "at least 1" });
        }
        if order >= Counts::longest(vocab) {
            let expected = "a number of tokens that, with one more, takes at most 128 bits";
            return Err(ChainError::OutOfRange { key: "order", found: order as f64, expected });
        }
        let sequences: Vec<R> = sequences.into_iter().collect();
        for (row, tokens) in sequences.iter().map(AsRef::as_ref).enumerate() {
            if let Some(site) = tokens.iter().position(|&token| token as usize >= vocab) {
                return Err(TokenError::OutsideVocabulary { token: tokens[site], row, site, vocab }.into());
            }
        }
        let sequences: Vec<&[Token]> = sequences.iter().map(AsRef::as_ref).collect();
        Ok(Self { vocab, order, counts: Counts::of(order, vocab, &sequences) })
    }

    /// Maximal context length, in tokens.
    pub fn order(&self) -> usize {
        self.order
    }

    /// The node of the longest seen context at the end of `before`.
    fn after(&self, before: &[Token]) -> Node {
        let last = &before[before.len() - self.order.min(before.len())..];
        last.iter().fold(ROOT, |node, &token| self.next(node, token))
    }

    /// The context after one more token.
    pub(crate) fn next(&self, node: Node, token: Token) -> Node {
        self.counts.chain(node).find_map(|node| self.counts.next(node, token)).unwrap_or(ROOT)
    }

    /// `p(token | before)`; the last `order` tokens before it count.
    pub fn probability(&self, before: &[Token], token: Token) -> f64 {
        self.probability_at(self.after(before), token)
    }

    pub(crate) fn probability_at(&self, node: Node, token: Token) -> f64 {
        let shorter = match self.counts.shorter(node) {
            Some(shorter) => self.probability_at(shorter, token),
            None => 1.0 / self.vocab as f64,
        };
        let (total, kinds) = self.counts.size(node);
        if total == 0.0 {
            return shorter;
        }
        (f64::from(self.counts.count(node, token)) + kinds * shorter) / (total + kinds)
    }

    /// The law after a context, `out` of shape `[token]`.
    pub(crate) fn law_at(&self, node: Node, out: &mut [f64]) {
        match self.counts.shorter(node) {
            Some(shorter) => self.law_at(shorter, out),
            None => out.fill(1.0 / self.vocab as f64),
        }
        let (total, kinds) = self.counts.size(node);
        if total == 0.0 {
            return;
        }
        let (keep, each) = (kinds / (total + kinds), 1.0 / (total + kinds));
        out.iter_mut().for_each(|p| *p *= keep);
        for (token, count) in self.counts.followers(node) {
            out[token as usize] += f64::from(count) * each;
        }
    }

    /// Generates a number of tokens after others.
    ///
    /// # Panics
    /// When a token lies outside the vocabulary.
    pub fn continued(&self, before: &[Token], count: usize, rng: &mut ChainRng) -> Vec<Token> {
        let mut node = self.after(before);
        let draw = |_| {
            let token = self.draw(node, rng);
            node = self.next(node, token);
            token
        };
        (0..count).map(draw).collect()
    }

    /// Draws a token after a context, from its counts or those of shorter contexts.
    fn draw(&self, node: Node, rng: &mut ChainRng) -> Token {
        for node in self.counts.chain(node) {
            let (total, kinds) = self.counts.size(node);
            let mut at = rng.below((total + kinds).max(1.0) as usize) as u32;
            for (token, count) in self.counts.followers(node) {
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
        self.continued(&[], len, rng)
    }

    fn log_probability(&self, tokens: &[Token]) -> f64 {
        let (mut node, mut sum) = (ROOT, 0.0);
        for &token in tokens {
            sum += self.probability_at(node, token).ln();
            node = self.next(node, token);
        }
        sum
    }
}
