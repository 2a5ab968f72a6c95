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
    let own = held_out.score("order-5 judge gap").unwrap();
    assert_eq!((own.value, own.standard_error), (0.0, None));
}

#[test]
fn a_report_is_the_same_for_the_same_seed() {
    let report = |seed| {
        let settings = TextSettings { windows: 20, len: 30, resamples: 50, seed, ..TextSettings::default() };
        let judges = TextJudges::new(&text(1), &text(2), &settings).unwrap().with(LetterEntropy);
        // The texts compared with held-out texts are none of them.
        assert_eq!(judges.real().rows(), 20);
        assert!(judges.real().iter().zip(judges.references()[0].1.iter()).all(|(real, row)| real != row));
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

#[test]
#[ignore = "needs six novels of Jane Austen in ../shared/data/text/austen.txt"]
fn the_letters_of_a_novel_stand_as_they_should() {
    let path = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/text/austen.txt");
    let novel: String = std::fs::read_to_string(&path).unwrap().chars().take(600_000).collect();
    let words = novel.split(|letter: char| !letter.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let letters: Vec<char> = words.collect::<Vec<_>>().join(" ").to_ascii_lowercase().chars().collect();
    // Every tenth passage is held out.
    let passages = |held_out: bool| {
        let chosen = letters.chunks(2000).enumerate().filter(|(number, _)| (number % 10 == 5) == held_out);
        Texts::from_characters(chosen.map(|(_, passage)| passage.to_vec()).collect())
    };
    let settings = TextSettings { windows: 250, resamples: 200, ..TextSettings::default() };
    let report = TextJudges::fit(&passages(false), &passages(true), &settings).unwrap().report::<&str>(&[]).unwrap();
    let column = |name: &str| report.rows.iter().map(|row| row.score(name).unwrap().value).collect::<Vec<_>>();
    let within = |name: &str, bounds: [std::ops::Range<f64>; 6]| {
        let found = column(name);
        assert!(found.iter().zip(&bounds).all(|(value, bounds)| bounds.contains(value)), "{name}: {found:?}");
    };
    // Held-out text, training text, orders 5, 3 and 1, shuffled words.
    within("order-5 judge", [1.6..2.0, 1.3..1.6, 1.4..1.7, 2.6..3.3, 6.5..8.5, 2.0..2.5]);
    within("spelling", [0.94..0.99, 1.0..1.01, 0.95..1.0, 0.5..0.8, 0.2..0.5, 1.0..1.01]);
    within("C2ST accuracy", [0.4..0.6, 0.4..0.6, 0.4..0.65, 0.5..0.75, 0.9..1.0, 0.5..0.75]);
    within("longest copy", [20.0..50.0, 64.0..64.1, 18.0..50.0, 12.0..30.0, 6.0..16.0, 12.0..30.0]);
    assert!(column("entropy").iter().all(|entropy| (3.7..3.95).contains(entropy)));
}
