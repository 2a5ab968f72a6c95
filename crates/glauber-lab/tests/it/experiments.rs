//! The experiments in small: what they write, that finished runs are not run again, and the mistakes that users make.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::program::lab;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    lab(arguments).current_dir(folder).output().expect("the program runs")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a mistake: one line on stderr that names what to change, exit code 2.
fn mistake(folder: &Path, arguments: &[&str], names: &[&str]) {
    let output = run(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(!said.contains("panicked") && said.trim().lines().count() == 1, "{arguments:?}: {said}");
    names.iter().for_each(|name| assert!(said.contains(name), "{arguments:?}: no `{name}` in: {said}"));
}

const SMALL: [&str; 10] = [
    "--set",
    "model.width=16",
    "--set",
    "model.layers=2",
    "--set",
    "model.heads=2",
    "--set",
    "model.condition_width=8",
    "--set",
    "train.warmup_steps=2",
];

/// Flags of a Sudoku network that is trained in a moment.
fn sudoku<'a>(words: &[&'a str], run: &'a str) -> Vec<&'a str> {
    let sizes = ["--batch", "8", "--sweeps", "2", "--set", "train.validation_sequences=8"];
    let samples = ["--set", "train.samples=4", "--set", "train.sample_every=3"];
    [words, &["--run", run], &SMALL, &sizes, &samples].concat()
}

/// The cells of a table's lines that begin with a word.
fn cells<'a>(text: &'a str, first: &str) -> Vec<&'a str> {
    let line = text.lines().find(|line| line.split("  ").next() == Some(first));
    let line = line.unwrap_or_else(|| panic!("no line `{first}` in:\n{text}"));
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).skip(1).collect()
}

/// Judges skipping on a subject.
fn skip_ahead(at: &Path, subject: &[&str]) {
    let flags = ["experiment", "skip-ahead", "--sweeps", "4", "-n", "6", "--out", "skipping"];
    let said = said(&run(at, &[&flags[..], subject].concat()));
    for part in ["predicted changes", "heat bath", "lazy, every step", "1 change, window L", "32 changes", "auto"] {
        assert!(said.contains(part), "no `{part}` in:\n{said}");
    }
    assert!(!said.contains("NaN"), "{said}");
    for file in ["skip-ahead.svg", "skip-ahead.txt"] {
        fs::remove_file(at.join("skipping").join(file)).expect(file);
    }
}

#[test]
fn skipping_ahead_is_judged_on_the_oracle() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    skip_ahead(at, &["--shape", "linear"]);
    mistake(at, &["experiment", "skip-ahead", "-n", "1"], &["--count"]);
    mistake(at, &["experiment", "skip-ahead", "--shape", "square"], &["--shape square", "cosine"]);
    mistake(at, &["experiment", "skip-ahead", "--sweeps", "0"], &["--sweeps"]);
}

#[test]
fn energies_of_points_are_trained_and_enumerated() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let small = [
        "--sets", "moons", "--bits", "2", "--steps", "3", "--draws", "2000", "--width", "8", "--batch", "8", "--rows",
        "8",
    ];
    for order in ["left-to-right", "learned"] {
        let flags = ["experiment", "eb-gfn", "--energy-width", "8", "--order", order];
        let said = said(&run(at, &[&flags[..], &small].concat()));
        let rows: Vec<&str> = said.lines().filter(|line| line.starts_with("| moons |")).collect();
        let uniform = format!("{:.4}", 4.0 * 2f64.ln());
        assert!(rows.len() == 3 && rows[0].contains(&uniform) && !said.contains("NaN"), "{said}");
        assert_eq!(rows[2].contains('±'), order == "learned", "{said}");
    }
    // Of 16 bits a coordinate, sequences are sampled, not enumerated.
    let small = ["--sets", "moons", "--bits", "16", "--steps", "1", "--width", "8", "--batch", "8", "--rows", "8"];
    let said = said(&run(at, &[&["experiment", "eb-gfn", "--energy-width", "8"][..], &small].concat()));
    let rows: Vec<&str> = said.lines().filter(|line| line.starts_with("| moons |")).collect();
    assert!(
        rows.len() == 7 && rows[3].contains("EB-GFN (published) | – | 19.732 |") && !said.contains("NaN"),
        "{said}"
    );
    mistake(at, &["experiment", "eb-gfn", "--rho", "2"], &["--rho", "0 to 1"]);
    mistake(at, &["experiment", "eb-gfn", "--draws", "0"], &["--draws"]);
    mistake(at, &["experiment", "eb-gfn", "--exploration", "-1"], &["--exploration"]);
}

#[test]
fn sudoku_is_trained_sampled_and_solved() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let small = ["--samples", "8", "--puzzles", "3", "--candidates", "2", "--clues", "4,15", "--rounds", "1"];
    let train = sudoku(&["experiment", "sudoku", "--steps", "6"], "run");
    let text = said(&run(at, &[&train[..], &small].concat()));
    for part in ["of 4 free samples are valid grids", "held-out loss", "run folder: run"] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }

    let evaluate = [&["experiment", "sudoku", "--run", "run"][..], &small].concat();
    let text = said(&run(at, &evaluate));
    assert!(cells(&text, "heat bath")[0].ends_with("/8)") && cells(&text, "lazy")[0].ends_with("/8)"), "{text}");
    for clues in ["4", "15"] {
        let of: Vec<&str> = cells(&text, clues).iter().map(|cell| &cell[cell.len() - 3..]).collect();
        assert_eq!(of, ["/6)", "/3)", "/6)", "/3)"], "{text}");
    }
    assert!(fs::read_to_string(at.join("run/sudoku.svg")).expect("a picture").starts_with("<svg"));
    let written = fs::read_to_string(at.join("run/sudoku.txt")).expect("a table");
    assert!(written.contains("0 sweeps left"), "{written}");
    assert_eq!(said(&run(at, &evaluate)), text, "the same seed gives the same figures");

    // A run that is not there is trained, here for as many steps as fit into the time.
    let train = sudoku(&["experiment", "sudoku", "--side", "9", "--minutes", "0.002"], "nine");
    let text = said(&run(
        at,
        &[&train[..], &["--samples", "2", "--puzzles", "1", "--candidates", "1", "--clues", "60"]].concat(),
    ));
    assert!(text.contains("9x9 grids") && at.join("nine/sudoku.txt").is_file() && !at.join("nine.pace").exists());

    mistake(at, &["experiment", "sudoku", "--side", "5"], &["--side", "4 or 9"]);
    mistake(at, &["experiment", "sudoku", "--run", "run", "--clues", "3"], &["--clues", "4 to 15"]);
    mistake(at, &["experiment", "sudoku", "--run", "run", "--redenoise-time", "2"], &["--redenoise-time"]);
}

#[test]
fn objectives_are_compared_and_finished_runs_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let sentence = "It is a truth universally acknowledged, that a single man must be in want of a wife.\n";
    fs::write(at.join("corpus.txt"), sentence.repeat(60)).expect("a corpus");
    let compare = |seconds: &'static str| {
        let flags = ["experiment", "objectives", "--data", "corpus.txt", "--seeds", "1", "--evaluate-every", "2"];
        let small = ["--held-out", "8", "--bound-sequences", "4"];
        [&flags[..], &["--out", "out", "--seconds", seconds], &small, &SMALL].concat()
    };
    said(&run(at, &compare("0.2")));
    let report = || fs::read_to_string(at.join("out/objectives.md")).expect("a report");
    let first = report();
    for objective in ["binary", "normalised-binary", "denoising", "step-cross-entropy", "ratio-matching"] {
        for network in ["hollow", "masked-query"] {
            assert_eq!(first.matches(&format!("| {objective} | {network} |")).count(), 2, "{first}");
        }
    }
    assert!(!first.contains("NaN") && !first.contains("inf"), "{first}");
    assert!(fs::read_to_string(at.join("out/objectives.svg")).expect("a picture").starts_with("<svg"));

    // All is there: nothing is run, the same report comes out. One run cut short is run again, and no other.
    let result = |slug: &str| at.join("out/markov").join(slug).join("seed-0/result.toml");
    let written = |slug: &str| fs::metadata(result(slug)).and_then(|file| file.modified()).expect("a result");
    said(&run(at, &compare("0.2")));
    assert_eq!(report(), first);
    let (kept, again) = (written("denoising-hollow"), written("binary-hollow"));
    fs::remove_file(result("binary-hollow")).expect("a result");
    said(&run(at, &compare("0.2")));
    assert!(written("denoising-hollow") == kept && written("binary-hollow") > again);

    // Skipping is judged on a run, too: one of these.
    skip_ahead(at, &["--run", "out/markov/denoising-hollow/seed-0"]);

    mistake(at, &compare("0.5"), &["other settings", "--out"]);
    mistake(at, &["experiment", "objectives", "--seconds", "-1"], &["--seconds", "positive"]);
    mistake(at, &["experiment", "networks", "--bound-sequences", "0"], &["--bound-sequences"]);
    mistake(at, &["experiment", "objectives", "--data", "absent.txt", "--out", "other"], &["absent.txt"]);
}

#[test]
fn choices_for_letters_are_compared_and_finished_trials_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let words = ["it", "is", "a", "truth", "that", "every", "man", "in", "want", "of", "wife", "must", "be", "single"];
    let text: String = (0..9000).map(|at| format!("{} ", words[(at * at + at / 7) % words.len()])).collect();
    fs::write(at.join("corpus.txt"), text).expect("a corpus");
    let plan = "letters = true\n[[model]]\nname = 'a'\nset = ['schedule.sweeps=2']\nsamplers = [{}, { repair = 1 }]\n\
                [[model]]\nname = 'b'\nset = ['schedule.sweeps=1']\n";
    fs::write(at.join("plan.toml"), plan).expect("a plan");
    let flags =
        ["experiment", "letters", "--data", "corpus.txt", "--plan", "plan.toml", "--steps", "3", "--out", "out"];
    let sizes = ["--windows", "8", "--infills", "4", "--draws", "2", "--set", "train.batch=4"];
    let all = [&flags[..], &sizes, &SMALL].concat();
    // The table comes last.
    let table = |flags: &[&str]| said(&run(at, flags)).split_once("| what |").expect("a table").1.to_owned();
    let first = table(&all);
    for part in ["| held-out text |", "| order-5 n-gram |", "| a | 0 | heat-bath, repair 1 |", "| b | 0 | heat-bath |"]
    {
        assert!(first.contains(part), "no `{part}` in:\n{first}");
    }
    assert_eq!(table(&all), first, "what is there is not trained again");
    let only = table(&[&all[..], &["--only", "b"]].concat());
    assert!(!only.contains("| a | 0"), "{only}");
    mistake(at, &[&all[..], &["--set", "seed=3"]].concat(), &["other settings", "--out"]);
    mistake(at, &[&all[..], &["--only", "c"]].concat(), &["--only c", "a, b"]);
    let little = ["experiment", "little-text", "--data", "corpus.txt", "--characters", "9000000", "--out", "little"];
    mistake(at, &little, &["--data", "9050000"]);
}

#[test]
fn points_of_the_plane_are_learned_and_judged_beside_published_rows() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let flags =
        ["experiment", "plane", "--sets", "checkerboard", "--steps", "3", "--sequences", "8", "--repetitions", "2"];
    let all = [&flags[..], &["--out", "out"], &SMALL].concat();
    let first = said(&run(at, &all));
    // The floor of the checkerboard is ln 32 + 2 ln 5461.87; coins have 32 ln 2.
    for part in ["| checkerboard | 3 |", "20.677 ± 0.000", "EB-GFN (published)", "20.696"] {
        assert!(first.contains(part), "no `{part}` in:\n{first}");
    }
    assert!(at.join("out/densities.png").exists() && at.join("out/rows.json").exists());
    mistake(at, &[&all[..], &["--set", "seed=3"]].concat(), &["other settings", "--out"]);
    mistake(at, &["experiment", "plane", "--repetitions", "1"], &["--repetitions"]);
}

/// Graphs alone, then with the weights of edges: VBG's bounds stay below the evidence.
#[test]
fn graphs_are_judged_with_their_weights() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let flags = ["experiment", "dag", "--seeds", "1", "-n", "1", "--rows", "20", "--steps", "4"];
    let lines = |more: &[&str], cells: usize| -> Vec<String> {
        let found = said(&run(folder.path(), &[&flags[..], more].concat()));
        let table: Vec<String> = found.lines().filter(|line| line.starts_with("| 0")).map(str::to_owned).collect();
        table.iter().for_each(|line| assert_eq!(line.matches('|').count(), cells + 1, "{line}"));
        table
    };
    let plain = lines(&[], 8);
    assert!(plain.len() == 8 && plain[7].contains("GFlowNet") && !plain[7].contains("VBG"), "{plain:?}");
    let joint = lines(&["--score", "linear-gaussian", "--rounds", "2"], 13);
    let gaps: Vec<f64> = joint[7..].iter().map(|line| line.split(" | ").last().unwrap_or_default()).map(gap).collect();
    assert!(gaps.len() == 7 && gaps.iter().all(|gap| *gap > 0.0), "{joint:?}");
    mistake(folder.path(), &["experiment", "dag", "--rounds", "0"], &["--rounds"]);
}

#[test]
fn graphs_of_any_table_are_sampled_and_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let rows: Vec<String> =
        (0..20).map(f64::from).map(|n| format!("{},{},{}", n.sin(), n.cos(), (2.0 * n).sin())).collect();
    fs::write(at.join("table.csv"), format!("a,b,c\n{}\n", rows.join("\n"))).expect("a table");
    let few = ["--steps", "4", "-n", "4"];
    let own = ["experiment", "dag", "--data", "table.csv", "--picture", "edges.svg"];
    let text = said(&run(at, &[&own[..], &few].concat()));
    for part in ["3 columns", "exact, all graphs", "structure MCMC", "GFlowNet", "| a → b |"] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    assert!(fs::read_to_string(at.join("edges.svg")).expect("a picture").contains("<svg"));
    // No sum over all graphs is known of so many.
    let many = said(&run(at, &[&["experiment", "dag", "--nodes", "15", "--steps", "1", "-n", "1"][..]].concat()));
    assert!(!many.contains("exact, all graphs") && many.contains("GFlowNet"), "{many}");
    mistake(at, &["experiment", "dag", "--picture", "edges.svg"], &["--picture", "--data"]);
    mistake(at, &["experiment", "dag", "--data", "none.csv"], &["none.csv"]);
    mistake(at, &["experiment", "dag", "--data", "table.csv", "--picture", "table.csv"], &["--picture"]);
}

#[test]
fn samplers_of_a_target_are_trained() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let ising = [
        "experiment",
        "ising-sampler",
        "--side",
        "2",
        "--coupling",
        "0.6",
        "--steps",
        "4",
        "--paths",
        "8",
        "--width",
        "8",
    ];
    let likelihood = ["--replay", "64", "--objective", "likelihood", "--power", "0.5"];
    for words in [&["--replay", "64"][..], &["--network", "hollow", "--learned-order"], &likelihood] {
        let text = said(&run(at, &[&ising[..], words].concat()));
        assert_eq!(text.matches("| network |").count(), 1, "{text}");
        assert!(!text.contains("NaN"), "{text}");
    }
    mistake(at, &[&ising[..], &["--learned-order"]].concat(), &["--learned-order", "--network hollow"]);
    mistake(at, &[&ising[..], &["--objective", "likelihood"]].concat(), &["likelihood", "--replay"]);
    let grid = ["experiment", "hypergrid", "--paths", "32", "--seeds", "1", "--tables-only", "--objectives"];
    let text = said(&run(at, &[&grid[..], &["log-variance", "--exploration", "0.1"]].concat()));
    assert_eq!(text.matches("| table | log-variance |").count(), 7, "{text}");
    mistake(at, &[&grid[..], &["likelihood"]].concat(), &["likelihood", "ising-sampler"]);
    mistake(at, &[&grid[..], &["log-variance", "--minimum-rate", "2"]].concat(), &["--minimum-rate", "0 to 1"]);
    backward_kernels(at);
}

fn backward_kernels(at: &Path) {
    let short = ["--updates", "4", "--sweeps", "1", "--sides", "4", "--steps", "2", "--lattice-steps", "2"];
    let text = said(&run(at, &[&["experiment", "score-ais", "--paths", "256"][..], &short].concat()));
    for (name, updates) in [("table 3^4", 4), ("Ising 4 x 4", 16)] {
        let row = text.lines().find(|line| line.starts_with(&format!("| {name} | {updates} |"))).expect("a row");
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let of = |cell: usize| -> f64 { cells[cell].split(' ').next().unwrap_or_default().parse().expect("a number") };
        // Annealing loses most, and no backward kernel less than the limit.
        assert!(of(3) > of(4) && of(4) > of(6) && of(5) > of(6), "{text}");
        assert!(text.contains(&format!("| {name}, by sweeps (E25) | 16 sweeps |")), "{text}");
    }
}

fn gap(cell: &str) -> f64 {
    cell.trim_end_matches(" |").parse().expect("a gap")
}

/// Peers of the published plan in small: trained, sampled and judged, and gone on with elsewhere from the rows alone.
#[test]
fn peers_are_compared_and_kept_rows_are_enough() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let text: String = (0..4000).map(|at| ["the ", "cat ", "sat ", "on ", "a ", "mat "][at * at % 11 % 6]).collect();
    fs::write(at.join("corpus.txt"), text).expect("a corpus");
    let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/compare-letters.toml");
    let plan = fs::read_to_string(plan).expect("the plan").replace("data.length=64", "data.length=16");
    let (first, rest) = plan.split_once("passes = [").expect("passes");
    let few = |part: &str| format!("passes = [2, 3{}", part.trim_start_matches(|c: char| c != ']'));
    let plan = rest.split("passes = [").fold(first.to_owned(), |plan, part| plan + &few(part));
    fs::write(at.join("plan.toml"), plan).expect("a plan");
    let flags = ["compare", "plan.toml", "--data", "corpus.txt", "--steps", "3", "--seeds", "1", "--windows", "4"];
    let sizes =
        ["--infills", "2", "--draws", "2", "--checkpoints", "2", "--set", "train.batch=2", "--set", "model.layers=1"];
    let all = [&flags[..], &sizes, &SMALL].concat();
    let table = |flags: &[&str]| said(&run(at, flags)).split_once("| what |").expect("a table").1.to_owned();
    let first = table(&[&all[..], &["--out", "out"]].concat());
    for part in [
        "| mdlm | 0 | confidence |",
        "| sedd-uniform | 0 | lazy |",
        "| flow-matching | 0 | flow |",
        "| udlm | 0 | blend 0.1 |",
    ] {
        assert!(first.contains(part), "no `{part}` in:\n{first}");
    }
    // Of three steps the second is kept, and the last.
    let course = first.split_once("least bound").expect("the course of the trainings").1;
    assert!(course.contains("| mdlm | 0 |") && course.contains(" 1/2 | 2/2 |"), "{course}");
    assert!(at.join("out/passes.svg").exists() && at.join("out/course.svg").exists());
    let elsewhere = table(&[&all[..], &["--out", "other", "--rows", "out/rows"]].concat());
    assert_eq!(elsewhere, first, "no run is there, but its rows are");
    let busy = fs::File::create(at.join("other/work/mdlm-0/lock")).expect("a lock");
    busy.lock().expect("the lock");
    let others = said(&run(at, &[&all[..], &["--out", "other", "--rows", "out/rows"]].concat()));
    assert!(!others.contains("| mdlm | 0") && others.contains("| udlm | 0"), "another process is at mdlm: {others}");
    assert!(!at.join("other/mdlm-0").exists());
}
