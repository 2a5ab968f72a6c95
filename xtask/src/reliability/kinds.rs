//! The kinds of runs: small ones, of some seconds.

use std::path::Path;
use std::process::{Command, Stdio};

use super::Ground;

/// A kind of run.
pub struct Kind {
    /// Its name in flags and tables.
    pub name: &'static str,
    /// Processes under `mpirun`.
    pub processes: usize,
    /// Whether it has checkpoints to resume from. Without, the same command begins again.
    pub resumes: bool,
    /// What is trained, as `glauber train` names it.
    what: &'static [&'static str],
    /// Training steps of a run of some seconds.
    steps: u64,
    /// Flags of the beginning alone, parted by spaces.
    begin: &'static str,
    /// Flags of every start.
    always: &'static str,
}

const TEXT: &str = "--data CORPUS --tokenizer bpe:300 --preset tiny --length 32 --batch 8";
const CACHE: &str = "--cache RUN.cache";
const SMALL: &str = "--preset tiny --batch 8";

const fn sequences(name: &'static str, what: &'static [&'static str], begin: &'static str) -> Kind {
    Kind { name, processes: 1, resumes: true, what, steps: 100, begin, always: "" }
}

/// All kinds.
pub const KINDS: [Kind; 11] = [
    Kind { always: CACHE, ..sequences("text", &["text"], TEXT) },
    sequences("markov", &["markov"], SMALL),
    sequences("sudoku", &["sudoku"], "--preset tiny --batch 2"),
    sequences("images", &["image"], "--data shapes --size 8 --levels 4 --preset tiny --batch 8"),
    sequences("energy", &["energy", "ising"], "--side 4 --beta 0.4 --preset tiny --batch 8"),
    Kind {
        begin: "--data shapes --size 16 --set run.checkpoint_every=5 --set run.evaluate_every=10 --set run.batch=8",
        steps: 30,
        ..sequences("image-tokenizer", &["image-tokenizer"], "")
    },
    Kind {
        resumes: false,
        steps: 200,
        begin: "--data shapes --size 16",
        ..sequences("classifier", &["classifier"], "")
    },
    Kind { always: "--cache RUN.cache --device cpu,cpu", ..sequences("devices", &["text"], TEXT) },
    Kind { always: "--device cpu,cpu,cpu", ..sequences("devices-3", &["markov"], SMALL) },
    Kind { processes: 2, always: CACHE, ..sequences("ranks-2", &["text"], TEXT) },
    Kind { processes: 3, always: CACHE, ..sequences("ranks-3", &["text"], TEXT) },
];

/// Settings of runs of sequences: checkpoints, evaluations and samples follow each other closely.
const SETTINGS: [&str; 8] = [
    "model.width=32",
    "model.condition_width=16",
    "model.heads=2",
    "train.checkpoint_every=7",
    "train.validate_every=5",
    "train.validation_sequences=8",
    "train.warmup_steps=5",
    "train.micro_batches=2",
];

/// How long runs are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Some seconds.
    Whole,
    /// A tenth of that: enough for a checkpoint to replace another.
    Tenth,
}

impl Kind {
    /// The command that begins or resumes a run. It works in the folder that the run lies in.
    pub fn command(&self, ground: &Ground, run: &Path, length: Length) -> Command {
        let resumes = self.resumes && run.join("config.toml").exists();
        let words = self.words(run, &ground.root.join("corpus.txt"), resumes, length);
        let mut command = match self.processes {
            1 => Command::new(&ground.program),
            size => {
                let mut command = Command::new("mpirun");
                command.args(["--oversubscribe", "--bind-to", "none", "-n", &size.to_string()]).arg(&ground.program);
                // Containers are often root's own, and keep processes from reading each other's memory.
                command.envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")]);
                command.env("OMPI_MCA_btl_vader_single_copy_mechanism", "none");
                command
            }
        };
        command.args(words).stdin(Stdio::null());
        command.current_dir(run.parent().unwrap_or(run));
        command
    }

    /// The arguments of `glauber`.
    fn words(&self, run: &Path, corpus: &Path, resumes: bool, length: Length) -> Vec<String> {
        let what = ["train"].into_iter().chain(self.what[..if resumes { 1 } else { self.what.len() }].iter().copied());
        let steps = if length == Length::Tenth { self.steps / 10 } else { self.steps }.to_string();
        let begin = self.begin.split_whitespace().chain(["--steps", &steps]).filter(|_| !resumes);
        let own = resumes.then_some("--resume").into_iter();
        let flags = begin.chain(own).chain(self.always.split_whitespace());
        let mut words: Vec<String> = what.chain(flags).map(String::from).collect();
        if self.begin.contains("--preset") && !resumes {
            words.extend(SETTINGS.iter().flat_map(|setting| ["--set".to_owned(), (*setting).to_owned()]));
        }
        let (run, corpus) = (run.display().to_string(), corpus.display().to_string());
        words.extend(["--run".to_owned(), run.clone()]);
        words.iter().map(|word| word.replace("CORPUS", &corpus).replace("RUN", &run)).collect()
    }
}

/// A text of four hundred sentences that differ.
pub fn corpus() -> String {
    let words = ["the", "chain", "redraws", "one", "letter", "given", "all", "others", "and", "then", "the", "next"];
    let sentence = |number: usize| {
        let word = |at: usize| words[(number * 7 + at * (number % 5 + 1)) % words.len()];
        (0..8).map(word).collect::<Vec<_>>().join(" ") + ".\n"
    };
    (0..400).map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_begins_with_its_settings_and_resumes_without() {
        let devices = KINDS.iter().find(|kind| kind.name == "devices").unwrap();
        let words = |resumes| devices.words(Path::new("/r/a"), Path::new("/c.txt"), resumes, Length::Tenth).join(" ");
        assert!(words(false).starts_with("train text --data /c.txt --tokenizer bpe:300"));
        assert!(words(false).contains("--length 32 --batch 8 --steps 10 --cache /r/a.cache"));
        assert!(words(false).ends_with("--set train.micro_batches=2 --run /r/a"));
        assert_eq!(words(true), "train text --resume --cache /r/a.cache --device cpu,cpu --run /r/a");
        let energy = KINDS.iter().find(|kind| kind.name == "energy").unwrap();
        let words = energy.words(Path::new("a"), Path::new("c"), true, Length::Whole).join(" ");
        assert_eq!(words, "train energy --resume --run a");
    }
}
