//! What the program does with files and folders that are there, and where nobody reads what it prints.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use crate::program::{glauber, run, small_run};

/// One line on stderr that says all of these, exit code 2.
fn refused(folder: &Path, words: &[&str], parts: &[&str]) {
    let output = run(folder, words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
    assert!(said.trim().lines().count() == 1 && said.starts_with("error: "), "{words:?}: {said}");
    parts.iter().for_each(|part| assert!(said.contains(part), "{words:?}: no `{part}` in {said}"));
}

fn done(folder: &Path, words: &[&str]) -> String {
    let output = run(folder, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn trained(run: &Path) {
    let settings = ["train.checkpoint_every=2", "train.validate_every=2", "train.validation_sequences=4"];
    assert!(glauber(small_run(run, 4, &settings)).output().expect("the program runs").status.success());
}

/// Everything below a folder, with what is in it.
fn all(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(all(&path)),
            false => found.push((path.display().to_string(), fs::read(&path).expect("a file"))),
        }
    }
    found.sort();
    found
}

#[test]
fn a_tokenizer_is_written_over_no_file_of_the_users() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    fs::create_dir(at.join("texts")).expect("a folder");
    fs::write(at.join("texts/a.txt"), "It is a truth. ".repeat(20)).expect("a corpus");
    fs::write(at.join("notes.md"), "mine").expect("a file");
    fs::hard_link(at.join("texts/a.txt"), at.join("hard.txt")).expect("a link");
    done(at, &["tokenize", "--tokenizer", "bytes", "--out", "mine.json"]);
    #[cfg(unix)]
    std::os::unix::fs::symlink("texts/a.txt", at.join("soft.txt")).expect("a link");
    let before = all(at);
    let texts = at.join("texts").canonicalize().expect("a folder");
    let whole = texts.join("a.txt").display().to_string();
    for (data, out) in [
        ("texts/a.txt", "texts/a.txt"),
        ("texts/a.txt", "./texts/../texts/a.txt"),
        ("texts/a.txt", whole.as_str()),
        ("texts/a.txt", "hard.txt"),
        ("hard.txt", "texts/a.txt"),
        ("texts", "texts/a.txt"),
        #[cfg(unix)]
        ("texts/a.txt", "soft.txt"),
        #[cfg(unix)]
        ("soft.txt", "texts/a.txt"),
    ] {
        for more in [&[][..], &["--overwrite"]] {
            let words = ["tokenize", "--data", data, "--tokenizer", "bpe:300", "--out", out];
            refused(at, &[&words, more].concat(), &["`--out", "--data"]);
        }
    }
    let own = ["tokenize", "--tokenizer", "mine.json", "--out", "mine.json", "--overwrite"];
    refused(at, &own, &["`--out mine.json`", "`--tokenizer`"]);
    let words = |out| ["tokenize", "--tokenizer", "bytes", "--out", out];
    refused(at, &words("notes.md"), &["`--out notes.md`", "`--overwrite`"]);
    refused(at, &words("texts"), &["`--out texts`", "folder"]);
    refused(at, &words("nowhere/t.json"), &["cannot write there"]);
    if Path::new("/dev/full").exists() {
        refused(at, &words("/dev/full"), &["/dev/full", "space"]);
        done(at, &words("/dev/null"));
        assert!(done(at, &words("/dev/stdout")).contains("glauber_text"));
    }
    assert!(all(at) == before, "nothing was changed, and nothing is left");
    done(at, &[&words("notes.md")[..], &["--overwrite"]].concat());
    assert!(fs::read_to_string(at.join("notes.md")).expect("a file").contains("glauber_text"));
}

/// A new run is refused before its corpus is read: this one cannot be.
#[test]
fn a_run_begins_in_no_folder_that_is_the_users_or_its_data() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    fs::create_dir(at.join("texts")).expect("a folder");
    fs::write(at.join("texts/a.txt"), b"caf\xe9 ".repeat(50)).expect("a corpus");
    for name in ["tokenizer.json", "vocabulary.json", "notes.txt", "progress.json", "images.hash", "training.json"] {
        fs::create_dir(at.join(name)).expect("a folder");
        fs::write(at.join(name).join(name), "{}").expect("a file");
    }
    let before = all(at);
    let text = ["train", "text", "--data", "texts", "--tokenizer"];
    refused(
        at,
        &[&text[..], &["vocabulary.json/vocabulary.json", "--run", "vocabulary.json"]].concat(),
        &["not empty"],
    );
    for name in ["tokenizer.json", "notes.txt", "progress.json"] {
        refused(at, &[&text[..], &["bytes", "--run", name]].concat(), &["`--run", "not empty", name]);
        refused(at, &["train", "image", "--run", name], &["`--run", "not empty", name]);
    }
    refused(at, &["train", "image-tokenizer", "--run", "images.hash"], &["`--run", "not empty"]);
    refused(at, &["train", "classifier", "--run", "training.json"], &["`--run", "not empty"]);
    for run in ["texts/a.txt", "texts/a.txt/run"] {
        refused(at, &[&text[..], &["bytes", "--run", run]].concat(), &["`--run"]);
    }
    refused(at, &[&text[..], &["bytes", "--run", "texts/run"]].concat(), &["`--run texts/run`", "read as data"]);
    let cache = ["bytes", "--run", "new", "--cache", "texts/deep/cache"];
    refused(at, &[&text[..], &cache].concat(), &["`--cache texts/deep/cache`", "read as data"]);
    for what in ["image", "image-tokenizer", "classifier"] {
        let words = ["train", what, "--data", "folder", "--path", "texts", "--run", "texts/run"];
        refused(at, &words, &["`--run texts/run`", "`--path`"]);
    }
    assert!(all(at) == before, "nothing was changed, and nothing is left");
}

#[test]
fn a_run_goes_on_whatever_is_torn_beside_its_checkpoints_and_is_sent_to_its_own_command() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    trained(&at.join("run"));
    for what in ["text", "image", "sudoku", "image-tokenizer"] {
        let words = ["train", what, "--resume", "--run", "run"];
        refused(at, &words, &["`glauber train markov --resume --run run`"]);
    }
    fs::write(at.join("markov.toml"), "[data]\nkind = \"markov\"\nlength = 8\nvocab = 5\nsource_seed = 1\n")
        .expect("written");
    for what in ["text", "image", "sudoku"] {
        refused(at, &["train", what, "--config", "markov.toml", "--run", "new"], &["`glauber train markov`"]);
    }
    refused(at, &["info", "nowhere"], &["nowhere"]);
    let output = String::from_utf8_lossy(&run(at, &["info", "nowhere"]).stderr).into_owned();
    assert!(!output.contains("--run"), "a flag that it has not: {output}");

    let whole = fs::read(at.join("run/metrics.jsonl")).expect("evaluations");
    fs::write(at.join("run/metrics.jsonl"), [&whole[..], b"{\"bad"].concat()).expect("written");
    fs::write(at.join("run/samples.txt"), b"\xff\xfe=== st").expect("written");
    fs::write(at.join("run/progress.json"), "{").expect("written");
    fs::write(at.join("run/checkpoints/step-00000004/state.toml"), "").expect("written");
    assert!(done(at, &["status", "run"]).contains("step 4: "));
    assert!(done(at, &["info", "run"]).contains("at step 4 of 4"));
    assert!(done(at, &["sample", "--run", "run", "-n", "1"]).contains("step 2"));
    let said = done(at, &["train", "markov", "--resume", "--run", "run", "--steps", "6"]);
    for part in ["state.toml", "resuming from step 2", "metrics.jsonl", "a run of 6 steps from step 2 on, of 4 before"]
    {
        assert!(said.contains(part), "no `{part}` in {said}");
    }
    refused(at, &["train", "markov", "--resume", "--run", "run", "--steps", "5"], &["--steps", "at least 6"]);
    let config = fs::read_to_string(at.join("run/config.toml")).expect("a configuration");
    fs::write(at.join("run/config.toml"), config.replace("batch = 4", "batch = 8")).expect("written");
    refused(at, &["train", "markov", "--resume", "--run", "run"], &["`train.batch` is 8, expected 4"]);
    fs::write(at.join("run/config.toml"), config).expect("written");
    fs::remove_dir_all(at.join("run/checkpoints")).expect("removed");
    refused(at, &["train", "markov", "--resume", "--run", "run"], &["restore it, or start a new run"]);
}

/// A closed pipe ends a command quietly; a full disk is one line and code 2.
#[cfg(unix)]
#[test]
fn nothing_panics_where_output_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    trained(&at.join("run"));
    for words in [
        &["--help"][..],
        &["train", "text", "--help"],
        &["--version"],
        &["status", "run"],
        &["status", "run", "--json"],
        &["info", "run"],
        &["info", "--preset", "tiny"],
        &["sample", "--run", "run", "-n", "1"],
        &["eval", "--run", "run", "--sequences", "2", "--draws", "1"],
        &["tokenize", "--tokenizer", "bytes", "--text", "a"],
        &["device", "list"],
    ] {
        let command = |stdout: Stdio, stderr: Stdio| {
            let mut command = glauber(words);
            command.current_dir(at).stdout(stdout).stderr(stderr).output().expect("the program runs")
        };
        let closed = || Stdio::from(std::io::pipe().expect("a pipe").1);
        let output = command(closed(), Stdio::piped());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !said.contains("error") && !said.contains("panicked"), "{words:?}: {said}");
        assert!(command(closed(), closed()).status.success(), "{words:?}");
        if let Ok(full) = File::options().write(true).open("/dev/full") {
            let output = command(full.try_clone().expect("a file").into(), Stdio::piped());
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
            assert_eq!(said.matches("error: ").count(), 1, "{words:?}: {said}");
            assert!(said.to_lowercase().contains("space") && !said.contains("panicked"), "{words:?}: {said}");
            assert_eq!(command(Stdio::null(), full.into()).status.code(), Some(0), "{words:?}");
        }
    }
}

/// The run is finished: nothing is lost if it stops at once. Drawing all that it has to show would take longer than any test waits for.
#[cfg(unix)]
#[test]
fn one_interrupt_ends_the_samples_at_the_end_of_a_run() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    fs::write(at.join("corpus.txt"), "It is a truth universally acknowledged. ".repeat(500)).expect("a corpus");
    let words = ["train", "text", "--data", "corpus.txt", "--tokenizer", "bytes", "--run", "run", "--steps", "1"];
    let sizes = ["--length", "256", "--sweeps", "4096", "--batch", "2", "--preset", "tiny"];
    let settings = ["--set", "train.validation_sequences=1", "--set", "train.sample_every=0"];
    let mut command = glauber([&words[..], &sizes, &settings].concat());
    let mut child = command.current_dir(at).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("three samples")), "no closing samples");
    let signal = format!("kill -INT {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &signal]).status().expect("a shell").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(at.join("run/checkpoints/step-00000001").is_dir());
    assert!(done(at, &["status", "run"]).contains("finished"));
}

#[test]
fn data_of_any_kind_are_trained_on_by_their_configuration_and_resumed_by_either_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let table = "[data]\nkind = 'sudoku'\nside = 4\n[schedule]\nsweeps = 2\n[train]\nsteps = 2\nbatch = 2\nsample_every = 0\n\
        validation_sequences = 2\n[model]\nnetwork = 'hollow'\nwidth = 16\nlayers = 1\nmerge_layers = 1\nheads = 2\n\
        condition_width = 8\ntied = false\n";
    fs::write(here.join("grids.toml"), table).expect("a configuration");
    let train = ["train", "data", "--config", "grids.toml", "--run", "run"];
    done(here, &train);
    let resume = |command: &str, steps: &str| {
        done(here, &["train", command, "--resume", "--run", "run", "--steps", steps]);
    };
    resume("data", "3");
    resume("sudoku", "4");
    refused(here, &["train", "markov", "--resume", "--run", "run"], &["train sudoku --resume --run run"]);
    refused(here, &["train", "data"], &["`[data]`", "text, markov, image, sudoku"]);
    for (from, to, part) in [
        ("'sudoku'", "'chess'", "`data.kind` is chess"),
        ("'sudoku'", "3", "`data.kind` is 3"),
        ("side = 4", "sides = 4", "`sides`"),
        ("side = 4", "side = 'four'", "`side`"),
        ("side = 4", "side = 5", "`data.side` is 5"),
    ] {
        fs::write(here.join("bad.toml"), table.replace(from, to)).expect("a configuration");
        refused(here, &["train", "data", "--config", "bad.toml", "--run", "bad"], &[part]);
    }
    // Whatever decides the tokens must be what the run began with, before the first checkpoint too.
    fs::remove_dir_all(here.join("run/checkpoints")).expect("removed");
    fs::remove_file(here.join("run/metrics.jsonl")).expect("removed");
    let config = fs::read_to_string(here.join("run/config.toml")).expect("a configuration");
    fs::write(here.join("run/config.toml"), config.replace("side = 4", "side = 9")).expect("written");
    refused(here, &["train", "data", "--resume", "--run", "run"], &["the data have changed", "start a new run"]);
}
