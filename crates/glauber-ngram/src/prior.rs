//! A prior from n-grams of both directions on noisy tokens.

use std::ops::Range;

use glauber_chain::{ChainError, Seen, SitePrior};
use glauber_schedule::NoiseLaw;
use glauber_tokens::{Site, Token};
use rayon::prelude::*;

use crate::Parts;
use crate::filter::BEAM;
use crate::{Filter, Ngram};

/// The law of a site's token given the noisy tokens of the others, from a left-to-right and a right-to-left n-gram.
///
/// Its terms are `ln p(b)`, `ln p(b | left) / p(b)` and `ln p(b | right) / p(b)`; their sum is the law given both sides
/// if these are independent given the token. In one sweep from complete noise, one side is clean and the other carries
/// no information: the sum then equals the n-gram of that direction.
#[derive(Debug, Clone)]
pub struct NgramPrior {
    /// N-grams of the whole text, from the left and from the right.
    whole: [Ngram; 2],
    /// N-grams of the text without each part.
    without: Vec<[Ngram; 2]>,
    noise: Vec<f64>,
}

impl NgramPrior {
    /// Counts a text with contexts of up to `order` tokens, as a whole and without each of its `parts`, for tokens
    /// under a noise law.
    ///
    /// # Errors
    /// Those of [`Ngram::fit`].
    pub fn fit(order: usize, text: &[Token], parts: &Parts, law: &NoiseLaw) -> Result<Self, ChainError> {
        let vocab = law.vocab();
        let backward: Vec<Token> = text.iter().rev().copied().collect();
        let both = |seen: &[Range<usize>]| -> Result<[Ngram; 2], ChainError> {
            let mirrored = seen.iter().map(|seen| text.len() - seen.end..text.len() - seen.start);
            let [left, right] = [
                Ngram::fit(order, vocab, seen.iter().map(|seen| &text[seen.clone()])),
                Ngram::fit(order, vocab, mirrored.map(|seen| &backward[seen])),
            ];
            Ok([left?, right?])
        };
        let without = (0..parts.count).into_par_iter().map(|part| both(&parts.others(part, text.len())));
        Ok(Self {
            whole: both(std::slice::from_ref(&(0..text.len())))?,
            without: without.collect::<Result<_, _>>()?,
            noise: law.probabilities().to_vec(),
        })
    }

    /// A prior without parts, for data it was not counted on: n-grams from the left and from the right.
    ///
    /// # Errors
    /// If the n-grams and the noise law have different vocabularies.
    pub fn new(ngrams: [Ngram; 2], law: &NoiseLaw) -> Result<Self, ChainError> {
        for ngram in &ngrams {
            let (what, found, expected) = ("tokens of the n-gram, against the noise law", ngram.vocab, law.vocab());
            if found != expected {
                return Err(ChainError::Mismatch { what, found, expected });
            }
        }
        Ok(Self { whole: ngrams, without: Vec::new(), noise: law.probabilities().to_vec() })
    }

    /// The n-grams from the left and from the right, of the whole text or without a part.
    pub fn ngrams(&self, part: Option<usize>) -> &[Ngram; 2] {
        part.and_then(|part| self.without.get(part)).unwrap_or(&self.whole)
    }
}

impl SitePrior for NgramPrior {
    fn terms(&self) -> usize {
        3
    }

    fn write(&self, part: Option<usize>, left: Seen<'_>, right: Seen<'_>, sites: &[Site], out: &mut [f32]) {
        let len = left.tokens.len();
        let vocab = self.noise.len();
        let [forward, backward] = self.ngrams(part);
        let mut law = vec![0.0; vocab];
        Filter::new(forward, 1).predict(&mut law);
        let alone: Vec<f64> = law.iter().map(|p| p.ln()).collect();
        let mut at = vec![None; len];
        sites.iter().enumerate().for_each(|(place, &site)| at[site] = Some(place));
        let [first, last] = match (sites.iter().min(), sites.iter().max()) {
            (Some(&first), Some(&last)) => [first, last],
            _ => return,
        };
        let mut term = |number: usize, place: usize, value: &dyn Fn(usize) -> f64| {
            let out = &mut out[(number * sites.len() + place) * vocab..][..vocab];
            out.iter_mut().enumerate().for_each(|(b, out)| *out = value(b) as f32);
        };
        (0..sites.len()).for_each(|place| term(0, place, &|b| alone[b]));
        let mut follow = |number: usize, ngram: &Ngram, seen: Seen<'_>, order: &mut dyn Iterator<Item = Site>| {
            let mut filter = Filter::new(ngram, BEAM);
            for site in order {
                if let Some(place) = at[site] {
                    filter.predict(&mut law);
                    term(number, place, &|b| law[b].ln() - alone[b]);
                }
                let token = seen.tokens[site];
                filter.read(token, f64::from(seen.levels[site]), self.noise[token as usize]);
            }
        };
        follow(1, forward, left, &mut (0..=last));
        follow(2, backward, right, &mut (first..len).rev());
    }
}
