//! Judges tell samples apart where they differ, each what it is for.

use glauber_chain::oracles::MarkovSource;
use glauber_chain::statistics::Estimate;
use glauber_chain::{ExactGenerator, Generator};
use glauber_judge::{CrossEntropy, Distinct, Judge, JudgeError, Ngram};
use glauber_tokens::TokenBatch;

const VOCAB: usize = 4;
const LEN: usize = 32;

#[test]
fn the_cross_entropy_of_a_source_under_itself_is_its_entropy() {
    let source = MarkovSource::random(VOCAB, 2, 2.0).unwrap();
    let samples = ExactGenerator::new(&source, LEN).draw(2000, 1).unwrap();
    let [score] = &CrossEntropy(&source).judge(&samples).unwrap()[..] else { panic!("one score") };
    let estimate = Estimate { mean: score.value, standard_error: score.standard_error.unwrap() };
    let entropy = source.entropy(LEN) / LEN as f64 / std::f64::consts::LN_2;
    assert!(estimate.deviation_from(entropy).abs() < 4.0, "{estimate:?}, {entropy}");
    assert!(estimate.standard_error < 0.02);
    // Of another source's samples it is higher.
    let others = ExactGenerator::new(MarkovSource::random(VOCAB, 3, 2.0).unwrap(), LEN).draw(2000, 1).unwrap();
    assert!(CrossEntropy(&source).judge(&others).unwrap()[0].value > score.value + 0.2);
}

#[test]
fn an_ngram_comes_near_the_source_as_its_order_allows() {
    let source = MarkovSource::random(VOCAB, 2, 2.0).unwrap();
    let data = ExactGenerator::new(&source, LEN);
    let [fitted, held_out] = [data.draw(2000, 4).unwrap(), data.draw(1000, 5).unwrap()];
    let under = |order| {
        let ngram = Ngram::fit(order, VOCAB, fitted.iter()).unwrap();
        CrossEntropy(ngram).judge(&held_out).unwrap()[0].value
    };
    let truth = CrossEntropy(&source).judge(&held_out).unwrap()[0].value;
    let excess = [0, 1, 2].map(|order| under(order) - truth);
    assert!(excess[0] > 0.1, "{excess:?}");
    // The source remembers one token. Its first ones have a law of their own, an n-gram's do not.
    assert!(excess[1] > 0.0 && excess[1] < 0.05 && excess[2] > 0.0 && excess[2] < 0.06, "{excess:?}");
}

#[test]
fn constant_samples_please_an_ngram_and_are_not_distinct() {
    let source = MarkovSource::random(VOCAB, 2, 2.0).unwrap();
    let data = ExactGenerator::new(&source, LEN).draw(100, 6).unwrap();
    let ngram = Ngram::fit(2, VOCAB, data.iter()).unwrap();
    let favourite = (0..VOCAB as u32).max_by(|&a, &b| {
        let stays = |token| ngram.probability(&[token, token], token);
        stays(a).total_cmp(&stays(b))
    });
    let constant = TokenBatch::filled(100, LEN, favourite.unwrap());
    let both = |judge: &dyn Judge| [&data, &constant].map(|samples| judge.judge(samples).unwrap());
    let [real, found] = both(&CrossEntropy(&ngram));
    assert!(found[0].value < real[0].value, "{found:?}, {real:?}");
    let [real, found] = both(&Distinct { longest: 4 });
    assert!(found[3].value < 0.1 * real[3].value, "{found:?}, {real:?}");
}

#[test]
fn shares_of_distinct_ngrams_are_counted() {
    let samples = TokenBatch::from_rows([[0, 1, 0, 1], [0, 1, 1, 0]]).unwrap();
    let scores = Distinct { longest: 3 }.judge(&samples).unwrap();
    // 0 and 1 of 8 tokens; 01, 10 and 11 of 6 pairs; 010, 101, 011 and 110 of 4 triples.
    assert_eq!(scores.iter().map(|score| score.value).collect::<Vec<_>>(), [0.25, 0.5, 1.0]);
    assert_eq!(scores[2].name, "distinct-3");
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let source = MarkovSource::random(VOCAB, 2, 2.0).unwrap();
    let empty = TokenBatch::new(vec![], 4).unwrap();
    assert!(matches!(Distinct { longest: 2 }.judge(&empty), Err(JudgeError::Empty)));
    assert!(matches!(CrossEntropy(&source).judge(&empty), Err(JudgeError::Empty)));
    let short = TokenBatch::filled(1, 3, 0);
    assert!(matches!(Distinct { longest: 4 }.judge(&short), Err(JudgeError::Short { len: 3, longest: 4 })));
    assert!(CrossEntropy(&source).judge(&TokenBatch::filled(1, 3, 9)).is_err());
}
