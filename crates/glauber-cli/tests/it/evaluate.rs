//! What is done with a finished run: samplers, classes, likelihood bounds, and the mistakes that users make with them.

use std::f64::consts::LN_2;
use std::fs;
use std::path::Path;
use std::process::Output;

use crate::program::run;
use glauber_chain::oracles::MarkovSource;
use glauber_chain::statistics::Estimate;
use serde_json::Value;

const NETWORK: [&str; 4] = ["model.width=16", "model.layers=1", "model.heads=2", "model.condition_width=8"];

fn succeed(folder: &Path, arguments: &[&str]) -> Output {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn train(folder: &Path, what: &[&str], settings: &[&str]) {
    let mut arguments = [&["train"], what].concat();
    for setting in NETWORK.iter().chain(settings) {
        arguments.extend(["--set", setting]);
    }
    succeed(folder, &arguments);
}

fn eval(folder: &Path, flags: &[&str]) -> Value {
    let output = succeed(folder, &[&["eval", "--json", "--run"], flags].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

fn number(object: &Value, key: &str) -> f64 {
    object[key].as_f64().unwrap_or_else(|| panic!("no `{key}` in {object}"))
}

/// A mistake ends with one line that names what to change.
fn mistake(folder: &Path, arguments: &[&str], names: &[&str]) {
    let output = run(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    for name in names {
        assert!(said.contains(name), "{arguments:?}: no `{name}` in: {said}");
    }
}

/// What drawing took, for each sequence: evaluations, steps, changes.
fn took(output: &Output) -> [f64; 3] {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let words: Vec<&str> = said.split_whitespace().collect();
    ["evaluations,", "steps,", "changes"].map(|unit| {
        let at = words.iter().position(|word| *word == unit).unwrap_or_else(|| panic!("no {unit} in: {said}"));
        words[at - 1].parse().expect("a number")
    })
}

#[test]
fn classes_are_sampled_and_guided_and_bounds_respect_the_source() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let sizes = ["markov", "--classes", "2", "--vocab", "6", "--length", "8", "--sweeps", "4", "--run", "run"];
    let steps = ["train.steps=300", "train.learning_rate=1e-2", "train.average_decay=0.9", "train.warmup_steps=10"];
    train(at, &sizes, &steps);

    let odds = |class: usize, more: &[&str]| {
        let which = class.to_string();
        let flags = ["sample", "--run", "run", "-n", "200", "--seed", "5", "--class", &which];
        let output = succeed(at, &[&flags[..], more].concat());
        let source = |class: usize| MarkovSource::random(6, 1 + class as u64, 3.0).expect("a source");
        let (this, other) = (source(class), source(1 - class));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let sequences = text.lines().filter(|line| !line.starts_with("---"));
        let odds = sequences.map(|line| {
            let tokens: Vec<u32> = line.split(' ').map(|token| token.parse().expect("a token")).collect();
            assert_eq!(tokens.len(), 8, "{line}");
            this.log_probability(&tokens) - other.log_probability(&tokens)
        });
        let odds: Vec<f64> = odds.collect();
        assert_eq!(odds.len(), 200);
        Estimate::independent(&odds)
    };
    for class in 0..2 {
        let (plain, guided) = (odds(class, &[]), odds(class, &["--guidance", "2"]));
        assert!(plain.deviation_from(0.0) > 4.0, "class {class}: {plain:?}");
        let error = plain.standard_error.hypot(guided.standard_error);
        assert!(guided.mean - plain.mean > 3.0 * error, "class {class}: {plain:?}, guided {guided:?}");
    }

    bounds_of_a_source(at);
    mistakes_with_classes(at);
}

fn bounds_of_a_source(at: &Path) {
    let flags = ["run", "--sequences", "200", "--draws", "32", "--seed", "3"];
    let any = eval(at, &flags);
    assert_eq!(number(&any, "tokens"), 1600.0);
    assert!(any["entropy"].is_null() && any["characters"].is_null(), "{any}");
    assert_eq!(any, eval(at, &flags), "the same seed gives the same bound");
    let class = eval(at, &[&flags[..], &["--class", "1"]].concat());
    for found in [&any, &class] {
        let nats = number(found, "nats_per_token");
        assert!((nats / LN_2 - number(found, "bits_per_token")).abs() < 1e-9, "{found}");
        // The exact conditional's bound is sharp up to what is left of the signal, and no network is better.
        let error = number(found, "exact_bound_error").hypot(number(found, "exact_surprise_error"));
        let apart = number(found, "exact_bound") - number(found, "exact_surprise");
        assert!(apart.abs() < 4.0 * error, "{found}");
        assert!((nats - number(found, "exact_bound") - number(found, "excess")).abs() < 1e-9, "{found}");
        assert!(number(found, "excess") > 2.0 * number(found, "excess_error"), "{found}");
    }
    assert!((number(&class, "entropy") - number(&class, "exact_surprise")).abs() < 0.2, "{class}");
    let loose = eval(at, &[&flags[..], &["--kernel", "heat-bath"]].concat());
    assert!(number(&loose, "nats_per_token") > 1.5 * number(&any, "nats_per_token"), "{loose}");
    assert!(eval(at, &[&flags[..], &["--sweeps", "9"]].concat())["chain"].as_str().unwrap().contains("72 steps"));
    let said = succeed(at, &["eval", "--run", "run", "--sequences", "4", "--draws", "4", "--class", "0"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    for part in ["nats per token", "bits per token", "exact −log π", "entropy of π", "4 sequences of 8, 32 tokens"]
    {
        assert!(said.contains(part), "no `{part}` in:\n{said}");
    }
}

fn mistakes_with_classes(at: &Path) {
    mistake(at, &["sample", "--run", "run", "--class", "2"], &["--class 2", "0..2"]);
    mistake(at, &["sample", "--run", "run", "--guidance", "1"], &["--guidance", "--class"]);
    mistake(at, &["sample", "--run", "run", "--class", "1", "--guidance", "-3"], &["--guidance", "-1"]);
    mistake(at, &["eval", "--run", "run", "--class", "7"], &["--class 7"]);
    mistake(at, &["eval", "--run", "run", "--data", "run/config.toml"], &["--data", "Markov"]);
    mistake(at, &["eval", "--run", "run", "--sequences", "0"], &["--sequences"]);
    mistake(at, &["infill", "--run", "run", "a ____"], &["not trained on text"]);
    mistake(at, &["train", "markov", "--run", "new", "--set", "data.classes=3"], &["model.classes", "3"]);
}

#[test]
fn texts_are_sampled_every_way_and_bounded_per_character() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let sentence = "It is a truth universally acknowledged, that a naïve man must be in want of a wife.\n\n";
    fs::write(at.join("corpus.txt"), sentence.repeat(300)).expect("a corpus");
    let flags = ["text", "--data", "corpus.txt", "--tokenizer", "bytes", "--length", "24", "--sweeps", "4"];
    let steps = ["train.steps=30", "train.batch=8", "train.validation_sequences=4", "train.sample_every=0"];
    train(at, &[&flags[..], &["--run", "run"]].concat(), &steps);
    let absorbing = [&steps[..], &["schedule.noise={kind=\"absorbing\"}"]].concat();
    train(at, &[&flags[..], &["--run", "masked"]].concat(), &absorbing);

    samplers(at);
    for run in ["run", "masked"] {
        bounds_of_text(at, run);
    }
    let samples = succeed(at, &["sample", "--run", "masked", "-n", "3", "--sampler", "skip-ahead"]);
    // Every token is placed once.
    assert!((took(&samples)[2] - 24.0).abs() < 0.1, "{samples:?}");
    plans(at);
    mistakes_with_samplers(at);
}

/// Masks are written as plans say, each once unless a plan masks them again.
fn plans(at: &Path) {
    let sample = |more: &[&str]| took(&succeed(at, &[&["sample", "--run", "masked", "-n", "3"], more].concat()));
    let bounded = |nats: &str| sample(&["--sampler", "entropy-bound", "--strength", nats]);
    assert_eq!(bounded("0"), [24.0; 3], "a site a pass");
    assert_eq!(bounded("1000")[0], 1.0, "all in one");
    let [passes, _, changes] = sample(&["--sampler", "path", "--strength", "4", "--passes", "8"]);
    // The network answers at masks alone: each site that is looked at again is hidden in a copy of its row.
    assert!(passes >= 8.0 && changes >= 24.0, "{passes} passes, {changes} changes");
    mistake(at, &["sample", "--run", "masked", "--sampler", "entropy-bound"], &["entropy-bound", "--strength"]);
    mistake(at, &["sample", "--run", "masked", "--sampler", "path", "--strength", "-1"], &["path", "at least 0"]);
    mistake(at, &["sample", "--run", "masked", "--strength", "1"], &["--strength", "heat-bath"]);
}

#[test]
fn blocks_are_learned_and_written_one_after_the_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    fs::write(at.join("corpus.txt"), "It is a truth universally acknowledged. ".repeat(300)).expect("a corpus");
    let sizes = ["text", "--data", "corpus.txt", "--tokenizer", "bytes", "--length", "24", "--sweeps", "16"];
    let settings = [
        "schedule.noise={kind=\"absorbing\"}",
        "schedule.order={kind=\"block-by-block\",block=8}",
        "model.network=block-causal",
        "model.block=8",
        "model.conditioning=none",
        "train.objective=exact-count",
        "model.prior=none",
        "train.whole_sweeps=false",
        "train.steps=150",
        "train.batch=8",
        "train.learning_rate=1e-2",
        "train.average_decay=0.9",
        "train.warmup_steps=10",
        "train.validation_sequences=4",
        "train.sample_every=0",
    ];
    train(at, &[&sizes[..], &["--run", "run"]].concat(), &settings);
    let found = eval(at, &["run", "--sequences", "20", "--draws", "48"]);
    assert!(found["chain"].as_str().is_some_and(|chain| chain.contains("48 steps")), "{found}");
    // Of 257 tokens 18 occur.
    assert!((0.1..18f64.ln()).contains(&number(&found, "nats_per_token")), "{found}");
    let samples = succeed(at, &["sample", "--run", "run", "-n", "4"]);
    let [evaluations, steps, changes] = took(&samples);
    assert!(evaluations <= 48.0 && steps == 16.0 * 24.0, "{samples:?}");
    assert!((changes - 24.0).abs() < 1e-9, "each token is written once: {samples:?}");
    mistake(at, &["sample", "--run", "run", "--passes", "4"], &["schedule.order", "block-by-block"]);
    let begin = |more: &str, names: &[&str]| {
        let flags = sizes.iter().copied().chain(["--run", "new"]);
        let set = NETWORK.iter().chain(&settings).copied().chain([more]).flat_map(|setting| ["--set", setting]);
        mistake(at, &["train"].into_iter().chain(flags).chain(set).collect::<Vec<_>>(), names);
    };
    begin("model.block=2", &["schedule.order", "blocks of 8", "block = 2"]);
    begin("model.prior={order=2}", &["model.prior", "block-causal"]);
    begin("model.prior=some", &["model.prior", "none", "order"]);
    begin("model.block=0", &["model.block", "at least 1"]);
    begin("model.conditioning=step", &["model.conditioning", "none"]);
    begin("schedule.order={kind=\"block-by-block\",block=25}", &["block", "24"]);
}

fn samplers(at: &Path) {
    let sample = |more: &[&str]| succeed(at, &[&["sample", "--run", "run", "-n", "6", "--seed", "2"], more].concat());
    let heat_bath = sample(&[]);
    assert_eq!(took(&heat_bath)[..2], [96.0, 96.0]);
    assert_eq!(heat_bath.stdout, sample(&["--sampler", "heat-bath"]).stdout);
    let lazy = sample(&["--sampler", "lazy"]);
    let [evaluations, steps, changes] = took(&lazy);
    assert!(evaluations == 96.0 && steps == 96.0 && changes < took(&heat_bath)[2], "{lazy:?}");
    let skip = ["--sampler", "skip-ahead"];
    let [evaluations, steps, changes] = took(&sample(&skip));
    // One evaluation for each change, for each window, and one to start with.
    assert!(steps == 96.0 && evaluations <= changes + 32.0 + 1.0, "{evaluations} for {changes}");
    let one_window = took(&sample(&[&skip[..], &["--conditioning-window", "1"]].concat()));
    assert_eq!(one_window[0], 96.0);
    let more = took(&sample(&[&skip[..], &["--changes-per-eval", "8", "--conditioning-window", "96"]].concat()));
    assert!(more[0] < evaluations / 3.0, "{more:?} against {evaluations}");
    assert!(took(&sample(&[&skip[..], &["--changes-per-eval", "auto"]].concat()))[0] < evaluations);
    assert_eq!(took(&sample(&["--sweeps", "7"]))[1], 168.0);
    assert_eq!(took(&sample(&["--block", "8"]))[..2], [12.0, 96.0]);
    for sampler in ["heat-bath", "lazy", "skip-ahead"] {
        let again = ["--sampler", sampler, "--renoise-steps", "30", "--rounds", "2"];
        assert_eq!(took(&sample(&again))[1], 156.0, "{sampler}");
        assert_ne!(sample(&again).stdout, sample(&again[..2]).stdout, "{sampler}");
        let infill = ["infill", "--run", "run", "-n", "2", "a tru{2} univ____", "--sampler", sampler, "--sweeps", "2"];
        let said = String::from_utf8_lossy(&succeed(at, &infill).stdout).into_owned();
        assert_eq!(said.matches("a tru⟦").count(), 2, "{said}");
    }
}

fn bounds_of_text(at: &Path, run: &str) {
    let flags = [run, "--sequences", "40", "--draws", "8"];
    for found in [eval(at, &flags), eval(at, &[&flags[..], &["--data", "corpus.txt"]].concat())] {
        let (tokens, characters) = (number(&found, "tokens"), number(&found, "characters"));
        // A sentence has one character of two bytes; ends of text are tokens and no characters.
        assert!(tokens == 960.0 && characters < tokens && characters > 0.97 * tokens, "{found}");
        let bits = number(&found, "bits_per_token") * tokens;
        assert!((bits / characters / number(&found, "bits_per_character") - 1.0).abs() < 1e-9, "{found}");
        let nats = number(&found, "nats_per_token");
        assert!(nats > 0.1 && nats < 1.2 * 257f64.ln(), "{found}");
        assert!(number(&found, "prior") > 0.0 && found.get("excess").is_none(), "{found}");
    }
}

fn mistakes_with_samplers(at: &Path) {
    let sample = |more: &[&str], names: &[&str]| mistake(at, &[&["sample", "--run", "run"], more].concat(), names);
    sample(&["--sampler", "gibbs"], &["--sampler", "skip-ahead"]);
    sample(&["--changes-per-eval", "2"], &["--changes-per-eval", "--sampler skip-ahead"]);
    sample(&["--sampler", "lazy", "--conditioning-window", "2"], &["--conditioning-window", "--sampler skip-ahead"]);
    sample(&["--sampler", "skip-ahead", "--changes-per-eval", "0"], &["--changes-per-eval", "auto"]);
    sample(&["--sampler", "skip-ahead", "--conditioning-window", "0"], &["--conditioning-window"]);
    sample(&["--sweeps", "0"], &["--sweeps"]);
    sample(&["--block", "25"], &["--block", "1..=24"]);
    sample(&["--rounds", "2"], &["--rounds", "--renoise-steps"]);
    sample(&["--renoise-steps", "97"], &["--renoise-steps", "1..=96"]);
    sample(&["--class", "0"], &["--class 0", "without classes"]);
    mistake(at, &["eval", "--run", "run", "--data", "absent.txt"], &["--data", "absent.txt"]);
    fs::write(at.join("short.txt"), "too short").expect("a file");
    mistake(at, &["eval", "--run", "run", "--data", "short.txt"], &["--data", "24"]);
    fs::write(at.join("corpus.txt"), "Another corpus than the one that the run was trained on. ".repeat(50))
        .expect("a file");
    mistake(at, &["eval", "--run", "run"], &["changed", "--data"]);
    fs::remove_file(at.join("corpus.txt")).expect("a file");
    mistake(at, &["eval", "--run", "run"], &["--data", "corpus.txt"]);
}
