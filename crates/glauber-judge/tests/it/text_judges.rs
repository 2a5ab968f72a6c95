//! Each judge of texts against what is counted by hand.

use glauber_judge::{
    Bootstrap, Copies, Distinct, JudgeError, LetterEntropy, Repeats, Score, SelfBleu, Spelling, TextJudge, TextNgram,
    Texts,
};

fn judge(judge: &dyn TextJudge, texts: &[&str]) -> Vec<Score> {
    judge.judge(&texts.iter().collect(), &Bootstrap::default()).unwrap()
}

fn values(of: &dyn TextJudge, texts: &[&str]) -> Vec<f64> {
    judge(of, texts).into_iter().map(|score| score.value).collect()
}

#[test]
fn letters_of_equal_frequency_have_the_entropy_of_their_number() {
    // Two letters half each, one letter alone: 1 and 0 bits.
    assert_eq!(values(&LetterEntropy, &["abab", "ccc"]), [0.5]);
    assert!(values(&LetterEntropy, &["aaab"])[0] < 1.0);
}

#[test]
fn bits_of_an_ngram_are_told_by_character() {
    // Two letters and the unknown one: (2 + 2/3) / 5 of `a`, (0 + 2/3) / 5 of `z`.
    let ngram = TextNgram::fit(0, &Texts::from_iter(["aab"])).unwrap();
    let law = |count: f64| (count + 2.0 / 3.0) / 5.0;
    let expected = -(2.0 * law(2.0).log2() + law(0.0).log2()) / 3.0;
    let [score] = &judge(&ngram, &["aa", "z"])[..] else { panic!("one score") };
    assert!((score.value - expected).abs() < 1e-12, "{score:?}, {expected}");
    assert_eq!((score.name.as_str(), score.unit), ("order-0 judge", "bits/character"));
    assert_eq!(ngram.bits(&Texts::from_iter(["aa", "z"])).len(), 2);
}

#[test]
fn an_ngram_writes_what_it_has_read() {
    let training = Texts::from_iter(["abcd".repeat(500)]);
    let ngram = TextNgram::fit(2, &training).unwrap();
    let written = ngram.sample(20, 16, 5);
    assert_eq!((written.rows(), written.characters()), (20, 320));
    let bits = |texts: &Texts| ngram.bits(texts).iter().sum::<f64>() / texts.characters() as f64;
    assert!(bits(&written) < 0.5, "{written:?}");
    assert!(bits(&Texts::from_iter(["aaaabbbb"])) > 3.0);
    assert_ne!(written, ngram.sample(20, 16, 6));
}

#[test]
fn words_that_may_be_cut_are_not_spelled() {
    let spelling = Spelling::new(&Texts::from_iter(["The cat, a dog."]));
    // `xx` and `yy` touch the ends; `CAT` and `dog` are known, `dogs` is not: 2 of 3, 6 of 10.
    let found = values(&spelling, &["xx CAT dogs dog yy"]);
    assert!((found[0] - 2.0 / 3.0).abs() < 1e-12 && (found[1] - 0.6).abs() < 1e-12, "{found:?}");
    // A word before white space at the end is whole.
    assert_eq!(values(&spelling, &[" zz "]), [0.0, 0.0]);
    // Without a whole word there is nothing to say.
    assert!(values(&spelling, &["cat"])[0].is_nan());
}

#[test]
fn shares_of_distinct_characters_have_the_errors_of_the_jackknife() {
    // Three of 6 letters: without `aa` 3 of 4, without `ab` 3 of 4, without `bc` 2 of 4.
    let [score] = &judge(&Distinct { longest: 1 }, &["aa", "ab", "bc"])[..] else { panic!("one score") };
    assert_eq!(score.value, 0.5);
    let left: [f64; 3] = [0.75, 0.75, 0.5];
    let mean = left.iter().sum::<f64>() / 3.0;
    let expected = (left.iter().map(|left| (left - mean).powi(2)).sum::<f64>() * 2.0 / 3.0).sqrt();
    assert!((score.standard_error.unwrap() - expected).abs() < 1e-12, "{score:?}, {expected}");
}

#[test]
fn repeats_are_counted_within_a_text_alone() {
    // `ab`, `ba`, `ab`: one of three. The second text repeats the first one, not itself.
    assert_eq!(values(&Repeats { length: 2 }, &["abab", "abab"]), [1.0 / 3.0]);
    assert_eq!(values(&Repeats { length: 4 }, &["abcdef", "abcdef"]), [0.0]);
}

#[test]
fn texts_that_are_alike_have_a_high_bleu() {
    let bleu = SelfBleu::default();
    assert_eq!(values(&bleu, &["abcdef", "abcdef"]), [1.0]);
    assert_eq!(values(&bleu, &["abcdef", "ghijkl"]), [0.0]);
    // Of `abcdX` against `abcdY` 4/5 letters, 3/4 pairs, 2/3 triples, 1/2 quadruples.
    let expected = (0.8f64 * 0.75 * 2.0 / 3.0 * 0.5).powf(0.25);
    assert!((values(&bleu, &["abcdX", "abcdY"])[0] - expected).abs() < 1e-12);
    // `aaaa` is all in `aaaaa`, but shorter: e^(1 − 5/4). Of `aaaaa` it has each n-gram once less.
    let long = (4.0f64 / 5.0 * 3.0 / 4.0 * 2.0 / 3.0 * 1.0 / 2.0).powf(0.25);
    let expected = ((-0.25f64).exp() + long) / 2.0;
    assert!((values(&bleu, &["aaaa", "aaaaa"])[0] - expected).abs() < 1e-12);
    // The first texts alone are compared.
    assert_eq!(values(&SelfBleu { texts: 2 }, &["abcdef", "abcdef", "ghijkl"]), [1.0]);
}

#[test]
fn copied_runs_are_found_wherever_they_stand() {
    let training = ["the quick brown fox jumps over the lazy dog", "pack my box with five dozen liquor jugs"];
    let copies = Copies::new(&training.iter().collect());
    // 24 characters from the middle of a text: 5 of its 20-grams; other letters around them.
    let found = values(&copies, &["Zbrown fox jumps over theZ", "zzz dog"]);
    assert_eq!(found, [24.0, (24.0 + 4.0) / 2.0, 5.0 / 7.0]);
    // No run goes on from one training text into the next.
    assert_eq!(values(&copies, &["lazy dogpack my"])[0], 8.0);
    assert_eq!(values(&copies, &[training[1]])[2], 1.0);
}

#[test]
fn copied_runs_are_those_of_a_slow_search() {
    let mut rng = glauber_chain::ChainRng::new(11, 0);
    let mut text = |len: usize| (0..len).map(|_| ["a", "b"][rng.below(2)]).collect::<String>();
    let (training, samples) = (text(3000), [text(40), text(40), text(40)]);
    let copied = |sample: &String| {
        let starts = 0..sample.len();
        let longest = |start: usize| (start..=sample.len()).rev().find(|&end| training.contains(&sample[start..end]));
        starts.map(|start| longest(start).unwrap() - start).max().unwrap() as f64
    };
    let longest: Vec<f64> = samples.iter().map(copied).collect();
    let found = values(&Copies::new(&Texts::from_iter([&training])), &samples.each_ref().map(String::as_str));
    assert_eq!(found[0], longest.iter().copied().fold(0.0, f64::max));
    assert!((found[1] - longest.iter().sum::<f64>() / 3.0).abs() < 1e-12);
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let (none, bootstrap) = (Texts::default(), Bootstrap::default());
    let judges: [&dyn TextJudge; 4] =
        [&LetterEntropy, &Repeats { length: 4 }, &Distinct { longest: 2 }, &Copies::new(&none)];
    assert!(judges.iter().all(|judge| matches!(judge.judge(&none, &bootstrap), Err(JudgeError::Empty))));
    let one = Texts::from_iter(["abc"]);
    assert!(matches!(Distinct { longest: 4 }.judge(&one, &bootstrap), Err(JudgeError::Short { len: 3, .. })));
    assert!(matches!(SelfBleu::default().judge(&one, &bootstrap), Err(JudgeError::TooFew { found: 1, .. })));
}
