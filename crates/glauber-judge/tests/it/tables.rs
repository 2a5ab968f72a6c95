//! Samples stand beside reference rows, cut alike.

use glauber_chain::ChainRng;
use glauber_chain::statistics::Estimate;
use glauber_judge::{JudgeError, LetterEntropy, Report, Row, Score, TextJudges, TextSettings, Texts};

const WORDS: [&str; 8] = ["ever", "the", "letter", "of", "summer", "went", "under", "it"];

/// Sentences whose words follow each other as a rule wants them to.
fn text(seed: u64) -> Texts {
    let mut rng = ChainRng::new(seed, 0);
    let mut word = 0;
    let mut next = || {
        word = (3 * word + 1 + rng.below(3)) % WORDS.len();
        WORDS[word]
    };
    Texts::from_iter([(0..3000).map(|_| next().to_owned() + " ").collect::<String>()])
}

#[test]
fn reference_rows_stand_in_the_order_of_what_they_know() {
    let settings = TextSettings { windows: 60, len: 40, resamples: 100, ..TextSettings::default() };
    let (training, held_out) = (text(1), text(2));
    let judges = TextJudges::fit(&training, &held_out, &settings).unwrap();
    let samples = held_out.windows(70, 50).unwrap();
    let report = judges.report(&[("samples", samples)]).unwrap();
    let names: Vec<&str> = report.rows.iter().map(|row| row.name.as_str()).collect();
    let [held_out, training, fifth, third, first, shuffled, samples] = &report.rows[..] else { panic!("{names:?}") };
    assert_eq!((names[0], names[2], names[5]), ("held-out text", "order-5 n-gram", "shuffled words"));
    assert!(report.rows.iter().all(|row| (row.texts, row.characters) == (60, 40)));
    let value = |row: &Row, score: &str| row.score(score).unwrap().value;
    let bits = [held_out, fifth, third, shuffled, first].map(|row| value(row, "order-5 judge"));
    assert!((bits[0] - bits[1]).abs() < 0.1, "{bits:?}");
    assert!(bits[1] + 0.02 < bits[2] && bits[0] + 0.2 < bits[3] && bits[3] < bits[4], "{bits:?}");
    // What is copied, what is no word, and what is real.
    assert_eq!(value(training, "longest copy"), 40.0);
    assert_eq!([held_out, training, shuffled].map(|row| value(row, "spelling")), [1.0; 3]);
    assert!(value(first, "spelling") < 0.8);
    assert!(value(first, "C2ST accuracy") > 0.9 && (value(samples, "C2ST accuracy") - 0.5).abs() < 0.2);
    let gap = shuffled.score("order-5 judge gap").unwrap();
    assert!((gap.value - (bits[3] - bits[0])).abs() < 1e-12);
    assert!(gap.standard_error > shuffled.score("order-5 judge").unwrap().standard_error);
    assert_eq!(value(held_out, "order-5 judge gap"), 0.0);
}

#[test]
fn a_report_is_the_same_for_the_same_seed() {
    let report = |seed| {
        let settings = TextSettings { windows: 20, len: 30, resamples: 50, seed, ..TextSettings::default() };
        let judges = TextJudges::new(&text(1), &text(2), &settings).unwrap().with(LetterEntropy);
        judges.report::<&str>(&[]).unwrap()
    };
    assert_eq!(report(3), report(3));
    assert_ne!(report(3), report(4));
}

#[test]
fn too_little_text_is_refused() {
    let settings = TextSettings { windows: 100, len: 100, ..TextSettings::default() };
    let few = TextJudges::new(&text(1), &text(2), &settings).err().unwrap();
    let JudgeError::TooFew { expected: 200, .. } = few else { panic!("{few}") };
    let settings = TextSettings { windows: 20, len: 30, ..TextSettings::default() };
    let judges = TextJudges::new(&text(1), &text(2), &settings).unwrap().with(LetterEntropy);
    let short = judges.report(&[("short", Texts::from_iter(["too short"]))]).unwrap_err();
    assert!(matches!(short, JudgeError::TooFew { found: 0, expected: 1, .. }), "{short}");
}

#[test]
fn texts_are_read_from_lines_and_from_json() {
    let expected = Texts::from_iter(["one", "two\nlines"]);
    let found = Texts::from_json_lines("\"one\"\n\n{\"seed\": 1, \"text\": \"two\\nlines\"}\n").unwrap();
    assert_eq!(found, expected);
    assert_eq!(Texts::from_lines("one\n\ntwo\r\n"), Texts::from_iter(["one", "two"]));
    let wrong = Texts::from_json_lines("\"one\"\n{\"words\": \"two\"}").unwrap_err();
    assert!(matches!(wrong, JudgeError::Line { number: 2 }), "{wrong}");
    // Windows are disjoint and spread: the second, fourth and sixth of six, here.
    let windows = Texts::from_iter(["aabbc", "ddeeffgg"]).windows(3, 2).unwrap();
    assert_eq!(windows, Texts::from_iter(["bb", "ee", "gg"]));
    assert_eq!(Texts::from_iter(["abcd", "ab"]).cut(3), Texts::from_iter(["abc"]));
}

#[test]
fn tables_are_aligned_and_go_on_below() {
    let row = |name: &str, value: f64| Row {
        name: name.into(),
        texts: 2,
        characters: 4,
        scores: vec![
            Score::of("entropy", Estimate { mean: value, standard_error: 0.25 }, "bits"),
            Score { name: "longest copy".into(), value: 3.0, standard_error: None, unit: "characters" },
        ],
    };
    let mut report = Report { rows: vec![row("real", 1.5), row("samples", 10.25)] };
    report.rows[0].scores.pop();
    let expected = "                entropy  longest copy\n                   bits    characters\n\
                    real      1.500 ± 0.250             –\nsamples  10.250 ± 0.250           3.0\n";
    assert_eq!(report.table(80), expected);
    let narrow = report.table(30);
    assert_eq!(narrow.lines().count(), 9, "{narrow}");
    assert!(narrow.lines().all(|line| line.chars().count() <= 30), "{narrow}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["rows"][1]["scores"][0]["standard_error"], 0.25);
}
