//! Filtering: an n-gram on noisy tokens.

use glauber_tokens::Token;

use crate::Ngram;
use crate::counts::{Node, ROOT};

/// Default number of contexts in a filter.
pub(crate) const BEAM: usize = 8;

/// Followers this much less likely than the best of their context are dropped if there are too many.
const FAINT: f64 = 1e-3;
/// Contexts with a smaller share of the weight are merged into the empty one if there are too many.
const SMALL: f64 = 1e-2;

/// An n-gram's prediction of the next token after noisy tokens. It follows the law of the true context, by its most
/// likely values.
///
/// After a token `x` at signal level `α` under the noise distribution `q`, each context `h` and true token `b` has the
/// weight `w(h) p(b | h) (α 1{b = x} + (1 − α) q(x))` (equations (M) and Bayes). The `beam` most likely next contexts
/// are kept, and the weight of the others moves to the empty one. If every token is clean, one context has all weight,
/// and the result is exact.
#[derive(Debug, Clone)]
pub struct Filter<'a> {
    ngram: &'a Ngram,
    beam: usize,
    /// Contexts and their weights, which sum to 1.
    states: Vec<(Node, f64)>,
    law: Vec<f64>,
    /// The next contexts.
    next: Vec<(Node, f64)>,
}

impl<'a> Filter<'a> {
    /// A filter at the start of a sequence, with up to `beam` contexts.
    pub fn new(ngram: &'a Ngram, beam: usize) -> Self {
        let law = vec![0.0; glauber_chain::SequenceLaw::vocab(ngram)];
        Self { ngram, beam: beam.max(1), states: vec![(ROOT, 1.0)], law, next: Vec::new() }
    }

    /// The law of the next token, `out` of shape `[token]`.
    pub fn predict(&mut self, out: &mut [f64]) {
        if let [(node, _)] = self.states[..] {
            return self.ngram.law_at(node, out);
        }
        out.fill(0.0);
        for &(node, weight) in &self.states {
            self.ngram.law_at(node, &mut self.law);
            out.iter_mut().zip(&self.law).for_each(|(sum, p)| *sum += weight * p);
        }
    }

    /// Reads the next token at signal level `level`; noise has it with probability `noise`.
    pub fn read(&mut self, token: Token, level: f64, noise: f64) {
        let hidden = (1.0 - level) * noise;
        if hidden == 0.0 {
            return self.read_clean(token);
        }
        let shown = level + hidden;
        if level < 0.01 && matches!(self.states[..], [(ROOT, _)]) {
            return; // Nothing was known, and next to nothing is learnt.
        }
        self.next.clear();
        let mut total = 0.0;
        let narrow = self.beam < self.states.len() * self.law.len();
        for &(node, weight) in &self.states {
            let (own, others) = (self.ngram.probability_at(node, token) * shown, hidden);
            if narrow && others < SMALL * own {
                // What is shown is what was expected: it hardly hides anything.
                total += weight * (own + others);
                self.next.push((self.ngram.next(node, token), weight * own));
                continue;
            }
            self.ngram.law_at(node, &mut self.law);
            let mut most = 0.0_f64;
            for (b, p) in self.law.iter_mut().enumerate() {
                *p *= weight * if b == token as usize { shown } else { hidden };
                total += *p;
                most = most.max(*p);
            }
            // What is far below the best of its context would hardly be kept.
            let least = if narrow { most * FAINT } else { 0.0 };
            for (b, &p) in self.law.iter().enumerate().filter(|(_, p)| **p >= least) {
                self.next.push((self.ngram.next(node, b as Token), p));
            }
        }
        self.keep(total);
    }

    fn read_clean(&mut self, token: Token) {
        if let [(node, weight)] = &mut self.states[..] {
            *node = self.ngram.next(*node, token);
            *weight = 1.0;
            return;
        }
        self.next.clear();
        for &(node, weight) in &self.states {
            let weight = weight * self.ngram.probability_at(node, token);
            self.next.push((self.ngram.next(node, token), weight));
        }
        let total = self.next.iter().map(|(_, weight)| weight).sum();
        self.keep(total);
    }

    /// Moves to the most likely next contexts.
    fn keep(&mut self, total: f64) {
        let next = &mut self.next;
        next.sort_unstable_by_key(|(node, _)| *node);
        next.dedup_by(|(node, weight), (kept, sum)| {
            let same = node == kept;
            *sum += if same { *weight } else { 0.0 };
            same
        });
        if next.len() > self.beam {
            next.select_nth_unstable_by(self.beam - 1, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            next.truncate(self.beam);
            next.retain(|(_, weight)| *weight > SMALL * total);
        }
        let kept: f64 = next.iter().map(|(_, weight)| weight).sum();
        self.states.clear();
        if kept <= 0.1 * total || total.is_nan() {
            // What would be followed is hardly anything.
            self.states.push((ROOT, 1.0));
            return;
        }
        self.states.extend(next.iter().map(|(node, weight)| (*node, weight / total)));
        let lost = 1.0 - kept / total;
        if lost > 1e-9 {
            match self.states.iter_mut().find(|(node, _)| *node == ROOT) {
                Some((_, weight)) => *weight += lost,
                None => self.states.push((ROOT, lost)),
            }
        }
    }
}
