//! The n-gram against its definition, its enumerated law, and its own draws.

use glauber_chain::statistics::ChiSquare;
use glauber_chain::{ExactGenerator, Generator, SequenceLaw};
use glauber_ngram::Ngram;
use glauber_tokens::{Token, TokenBatch};
use statrs::distribution::{ChiSquared, ContinuousCDF};

const VOCAB: usize = 3;

/// Sequences of different lengths. Token 2 is rare, and nothing follows it but itself.
fn data() -> [Vec<Token>; 3] {
    [vec![0, 1, 0, 0, 1, 1, 0, 1, 0, 2, 2], vec![1, 0, 1, 1], vec![0]]
}

fn fitted(order: usize) -> Ngram {
    Ngram::fit(order, VOCAB, data()).unwrap()
}

/// All sequences of `len` tokens.
fn sequences(len: usize) -> Vec<Vec<Token>> {
    let digit = |state: usize, site: usize| (state / VOCAB.pow(site as u32) % VOCAB) as Token;
    (0..VOCAB.pow(len as u32)).map(|state| (0..len).map(|site| digit(state, site)).collect()).collect()
}

/// The definition, word for word: counted anew in the data for each question.
fn by_definition(before: &[Token], token: Token) -> f64 {
    let after = |context: &[Token]| -> Vec<Token> {
        let windows = |row: &Vec<Token>| row.windows(context.len() + 1).map(<[Token]>::to_vec).collect::<Vec<_>>();
        let rows = data();
        let found = rows.iter().flat_map(windows).filter(|window| window.starts_with(context));
        found.map(|window| window[context.len()]).collect()
    };
    let shorter = match before {
        [] => 1.0 / VOCAB as f64,
        [_, shorter @ ..] => by_definition(shorter, token),
    };
    let seen = after(before);
    if seen.is_empty() {
        return shorter;
    }
    let kinds = (0..VOCAB as Token).filter(|kind| seen.contains(kind)).count() as f64;
    let count = seen.iter().filter(|&&found| found == token).count() as f64;
    (count + kinds * shorter) / (seen.len() as f64 + kinds)
}

#[test]
fn the_law_sums_to_one_after_every_context() {
    for order in 0..4 {
        let ngram = fitted(order);
        for before in (0..6).flat_map(sequences) {
            let sum: f64 = (0..VOCAB as Token).map(|token| ngram.probability(&before, token)).sum();
            assert!((sum - 1.0).abs() < 1e-14, "order {order}, after {before:?}: {sum}");
        }
    }
}

#[test]
fn the_law_is_its_definition() {
    // After 0: 1, 0, 1, 1, 2 and 1, so c = 6, t = 3. Of all 16 tokens 7 are 1, 3 kinds.
    let one = (7.0 + 3.0 / 3.0) / (16.0 + 3.0);
    assert!((fitted(1).probability(&[2, 0], 1) - (4.0 + 3.0 * one) / (6.0 + 3.0)).abs() < 1e-15);
    for order in 0..4 {
        let ngram = fitted(order);
        for before in (0..5).flat_map(sequences) {
            let last = &before[before.len() - order.min(before.len())..];
            for token in 0..VOCAB as Token {
                let (found, expected) = (ngram.probability(&before, token), by_definition(last, token));
                assert!((found - expected).abs() < 1e-15, "order {order}, {token} after {before:?}");
            }
        }
    }
}

#[test]
fn the_bound_is_that_of_the_enumerated_law() {
    const LEN: usize = 5;
    for order in [0, 1, 3] {
        let generator = ExactGenerator::new(fitted(order), LEN);
        let all = sequences(LEN);
        let probability = |row: &Vec<Token>| -> f64 {
            (0..LEN).map(|at| by_definition(&row[at.saturating_sub(order)..at], row[at])).product()
        };
        let law: Vec<f64> = all.iter().map(probability).collect();
        assert!((law.iter().sum::<f64>() - 1.0).abs() < 1e-13);
        let bound = |rows: &TokenBatch| generator.bound(rows, 0).unwrap().unwrap();
        // Of every sequence, and of drawn ones in bits a token.
        let nats = bound(&TokenBatch::from_rows(&all).unwrap()).totals();
        for (nats, p) in nats.iter().zip(&law) {
            assert!((nats + p.ln()).abs() < 1e-12);
        }
        let drawn = generator.draw(50, 3).unwrap();
        let state = |row: &[Token]| all.iter().position(|sequence| sequence == row).unwrap();
        let mean = drawn.iter().map(|row| -law[state(row)].log2()).sum::<f64>() / 50.0 / LEN as f64;
        assert!((bound(&drawn).bits_per_token().mean - mean).abs() < 1e-12);
    }
}

#[test]
fn draws_follow_the_law() {
    for order in [0, 1, 2] {
        let generator = ExactGenerator::new(fitted(order), 4);
        let all = sequences(4);
        let law: Vec<f64> = all.iter().map(|row| fitted(order).log_probability(row).exp()).collect();
        let mut counts = vec![0; all.len()];
        for row in generator.draw(40_000, 5).unwrap().iter() {
            counts[all.iter().position(|sequence| sequence == row).unwrap()] += 1;
        }
        let test = ChiSquare::goodness_of_fit(&counts, &law).unwrap();
        let p = ChiSquared::new(test.degrees as f64).unwrap().sf(test.statistic);
        assert!(p > 1e-3, "order {order}: {test:?}, p = {p}");
    }
}

#[test]
fn an_ngram_without_data_is_uniform_and_tokens_outside_are_refused() {
    let nothing = Ngram::fit(2, VOCAB, Vec::<Vec<Token>>::new()).unwrap();
    assert!((nothing.log_probability(&[0, 1, 2, 2]) + 4.0 * 3f64.ln()).abs() < 1e-12);
    let error = Ngram::fit(2, VOCAB, [vec![0, 1], vec![2, 3]]).unwrap_err().to_string();
    assert_eq!(error, "token 3 at row 1, site 1 is outside the vocabulary 0..3");
    assert!(Ngram::fit(2, 0, [[0]]).is_err());
}
