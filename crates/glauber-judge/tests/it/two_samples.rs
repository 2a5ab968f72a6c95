//! A classifier finds what differs, and nothing where nothing does.

use glauber_chain::oracles::MarkovSource;
use glauber_chain::{ExactGenerator, Generator};
use glauber_judge::{Bootstrap, JudgeError, Score, TextJudge, Texts, TwoSample};

/// Texts of a source that knows the letter before.
fn texts(source: u64, seed: u64) -> Texts {
    let source = MarkovSource::random(6, source, 2.0).unwrap();
    let tokens = ExactGenerator::new(&source, 24).draw(120, seed).unwrap();
    let letters = |row: &[u32]| row.iter().map(|&token| char::from(b'a' + token as u8)).collect();
    Texts::from_characters(tokens.iter().map(letters).collect())
}

fn told(samples: &Texts) -> [Score; 2] {
    let judge = TwoSample::new(&texts(1, 0), 5);
    judge.judge(samples, &Bootstrap { resamples: 200, seed: 0 }).unwrap().try_into().unwrap()
}

#[test]
fn other_texts_of_the_same_source_are_not_told_apart() {
    let [accuracy, gain] = told(&texts(1, 1));
    let error = accuracy.standard_error.unwrap();
    assert!((0.02..0.05).contains(&error), "{error}");
    assert!((accuracy.value - 0.5).abs() < 4.0 * error, "{accuracy:?}");
    assert!(gain.value < 0.05, "{gain:?}");
}

#[test]
fn texts_of_another_source_are_told_apart() {
    let [accuracy, gain] = told(&texts(2, 1));
    assert!(accuracy.value > 0.9, "{accuracy:?}");
    assert!(gain.value > 0.4 && gain.value <= 1.0, "{gain:?}");
    assert_eq!((accuracy.unit, gain.unit), ("share", "bits"));
}

#[test]
fn too_few_texts_are_refused() {
    let judge = TwoSample::new(&Texts::from_iter(["ab", "cd"]), 0);
    let found = judge.judge(&texts(1, 1), &Bootstrap::default());
    assert!(matches!(found, Err(JudgeError::TooFew { found: 2, expected: 3, .. })));
}
