//! A generator of one's own: it is sampled, bounded and judged beside an n-gram and the data
//! themselves.
//!
//! `cargo run --release -p glauber --example own_generator --features judge`

use std::error::Error;

use glauber::chain::oracles::MarkovSource;
use glauber::chain::{BoundTerms, ChainError, ChainRng, ExactGenerator, Generator};
use glauber::judge::{CrossEntropy, Distinct, Judge, Ngram};
use glauber::tokens::{Token, TokenBatch};

const VOCAB: usize = 6;
const LENGTH: usize = 32;

/// Cuts a window out of the training data, and redraws each token of it by a small chance.
struct Copier {
    data: TokenBatch,
    chance: f64,
}

impl Generator for Copier {
    fn name(&self) -> String {
        "copier".into()
    }

    fn vocab(&self) -> usize {
        VOCAB
    }

    fn len(&self) -> usize {
        LENGTH
    }

    fn draw(&self, count: usize, seed: u64) -> Result<TokenBatch, ChainError> {
        let mut row = |mut rng: ChainRng| -> Vec<Token> {
            let copied = self.data.row(rng.below(self.data.rows()));
            let redrawn = |&token: &Token| match rng.uniform() < self.chance {
                true => rng.below(VOCAB) as Token,
                false => token,
            };
            copied.iter().map(redrawn).collect()
        };
        Ok(TokenBatch::from_rows(ChainRng::streams(seed, count).into_iter().map(&mut row))?)
    }

    /// Exactly: the mean over all sequences that may have been copied.
    fn bound(&self, data: &TokenBatch, _seed: u64) -> Option<Result<BoundTerms, ChainError>> {
        let other = self.chance / VOCAB as f64;
        let same = 1.0 - self.chance + other;
        let nats = data.iter().map(|row| {
            let copies = self.data.iter().map(|copied| {
                let equal = row.iter().zip(copied).filter(|(a, b)| a == b).count() as i32;
                same.powi(equal) * other.powi(LENGTH as i32 - equal)
            });
            -(copies.sum::<f64>() / self.data.rows() as f64).ln()
        });
        Some(Ok(BoundTerms::exact(data.len(), nats.collect())))
    }
}

/// What is known of a generator.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    /// Of held-out data, in bits a token.
    pub(crate) bound: f64,
    /// Of its samples: bits a token under the source, bits a token under an n-gram, and the shares
    /// of distinct n-grams of 1 to 4 tokens.
    pub(crate) scores: Vec<f64>,
}

/// The source, an n-gram and the copier, each with as many samples.
pub(crate) fn table(samples: usize) -> Result<Vec<Row>, Box<dyn Error>> {
    let source = MarkovSource::random(VOCAB, 1, 2.0)?;
    let data = ExactGenerator::new(&source, LENGTH);
    let (training, held_out) = (data.draw(500, 0)?, data.draw(samples, 1)?);
    let ngram = Ngram::fit(2, VOCAB, training.iter())?;
    let generators: [&dyn Generator; 3] =
        [&data, &ExactGenerator::new(&ngram, LENGTH), &Copier { data: training, chance: 0.1 }];
    let judges: [&dyn Judge; 3] = [&CrossEntropy(&source), &CrossEntropy(&ngram), &Distinct { longest: 4 }];
    let row = |generator: &&dyn Generator| {
        let bound = generator.bound(&held_out, 0).ok_or("no bound is known")??.bits_per_token();
        let drawn = generator.draw(samples, 2)?;
        let scores = judges.iter().map(|judge| judge.judge(&drawn)).collect::<Result<Vec<_>, _>>()?.concat();
        let scores = scores.iter().map(|score| score.value).collect();
        Ok(Row { name: generator.name(), bound: bound.mean, scores })
    };
    generators.iter().map(row).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:<16}{:>8}{:>8}{:>8}  distinct-1 to 4", "", "bound", "source", "n-gram");
    for Row { name, bound, scores } in table(500)? {
        let [source, ngram, distinct @ ..] = &scores[..] else { return Err("a judge is missing".into()) };
        println!("{name:<16}{bound:>8.3}{source:>8.3}{ngram:>8.3}  {distinct:.3?}");
    }
    Ok(())
}
