//! Builds the program for a device and hands over to it.

use std::ffi::{OsStr, OsString};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, anyhow, bail};
use cargo_metadata::Message;

use crate::workspace::{self, Depth};
use crate::{Usage, corpus};

/// A program, and the package that holds it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Program {
    name: &'static str,
    package: &'static str,
}

/// The program that trains, samples and reports.
pub const GLAUBER: Program = Program { name: "glauber", package: "glauber-cli" };
/// What experiments and measures.
pub const LAB: Program = Program { name: "glauber-lab", package: "glauber-lab" };
/// Device names of `--device`, and the package features that build them. A name may have an index, as in `cuda:1`;
/// commas separate several devices.
const DEVICES: [&str; 3] = ["cpu", "wgpu", "cuda"];
/// Names that `glauber-lab experiment` takes.
const EXPERIMENTS: [&str; 14] = [
    "objectives",
    "networks",
    "sudoku",
    "skip-ahead",
    "letters",
    "little-text",
    "plane",
    "ais",
    "couplings",
    "dag",
    "hypergrid",
    "ising-sampler",
    "score-ais",
    "eb-gfn",
];
/// The variable that names another profile than `release`, such as `dev` in the gate, which has that built for the tests.
const PROFILE: &str = "GLAUBER_PROFILE";
/// The device if no `--device` is given.
pub const DEFAULT_DEVICE: &str = "cpu";

/// Builds a program and becomes it, with a subcommand and arguments.
///
/// # Errors
/// [`Usage`] if the device is not built into this version; otherwise if the corpus, the build or the start fails.
pub fn run(program: Program, subcommand: &str, arguments: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let features = features_of(&device(&arguments)?)?;
    let mut command_line = vec![OsString::from(subcommand)];
    command_line.extend(arguments);
    if wants_default_corpus(&command_line) {
        let path = corpus::crate_docs()?;
        command_line.splice(2..2, [OsString::from("--data"), path.into_os_string()]);
    }
    hand_over(&build(program, &features)?, &command_line)
}

/// Builds what measures, for a device; returns the path of the executable.
///
/// # Errors
/// [`Usage`] if there is no such device; otherwise if the build fails.
pub fn lab(device: &str) -> anyhow::Result<PathBuf> {
    build(LAB, &features_of(device)?)
}

/// Builds what trains and samples, for the CPU device and with some more features of its packages; returns the path of the executable.
///
/// # Errors
/// When the build fails.
pub fn glauber(features: &[&str]) -> anyhow::Result<PathBuf> {
    let all: Vec<String> =
        std::iter::once(of_the_packages(DEFAULT_DEVICE)).chain(features.iter().map(|f| (*f).into())).collect();
    built(GLAUBER, &all.join(","))
}

/// `device list` of the program, or `device compare` of the laboratory.
///
/// # Errors
/// As [`run`].
pub fn run_device(mut arguments: Vec<OsString>) -> anyhow::Result<ExitCode> {
    if arguments.first().is_some_and(|what| what == "compare") {
        arguments.remove(0);
        return run(LAB, "device", arguments);
    }
    run(GLAUBER, "device", arguments)
}

/// Runs a named experiment.
///
/// # Errors
/// As [`run`]; [`Usage`] if there is no such experiment.
pub fn run_experiment(arguments: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let available = || format!("available: markov, {}", EXPERIMENTS.join(", "));
    match arguments.first().and_then(|name| name.to_str()) {
        Some("markov") => run(GLAUBER, "train", arguments),
        Some(name) if EXPERIMENTS.contains(&name) => run(LAB, "experiment", arguments),
        Some(name) => Err(Usage(format!("there is no experiment `{name}`; {}", available())).into()),
        None => Err(Usage(format!("name an experiment; {}", available())).into()),
    }
}

/// The device that the passed arguments name, by the last `--device X` or `--device=X`.
fn device(arguments: &[OsString]) -> Result<String, Usage> {
    let mut device = DEFAULT_DEVICE.to_owned();
    let mut rest = arguments.iter().take_while(|argument| *argument != "--");
    while let Some(argument) = rest.next() {
        let argument = argument.to_string_lossy();
        if argument == "--device" {
            let value = rest.next().ok_or_else(|| Usage("--device needs a value, such as `--device cpu`".into()))?;
            device = value.to_string_lossy().into_owned();
        } else if let Some(value) = argument.strip_prefix("--device=") {
            device = value.to_owned();
        }
    }
    Ok(device)
}

/// Every binary includes the CPU device, for work outside the main computation.
fn features_of(devices: &str) -> Result<String, Usage> {
    let mut features = vec![DEFAULT_DEVICE];
    for device in devices.split(',') {
        let kind = device.split_once(':').map_or(device, |(kind, _)| kind);
        if !DEVICES.contains(&kind) {
            return Err(Usage(format!("there is no device `{device}`; available: {}", DEVICES.join(", "))));
        }
        if !features.contains(&kind) {
            features.push(kind);
        }
    }
    Ok(features.join(","))
}

/// Whether `glauber train text …` is left without a word on where its text comes from.
fn wants_default_corpus(command_line: &[OsString]) -> bool {
    let [train, text, flags @ ..] = command_line else { return false };
    if train != "train" || text != "text" {
        return false;
    }
    let settles = |flag: &OsStr| {
        let flag = flag.to_string_lossy();
        let name = flag.split_once('=').map_or(&*flag, |(name, _)| name);
        ["--data", "--config", "--resume", "--help", "-h"].contains(&name)
    };
    !flags.iter().any(|flag| settles(flag))
}

/// The features of both packages, so that common dependencies are built once.
fn of_the_packages(features: &str) -> String {
    let of = |program: Program| features.split(',').map(move |feature| format!("{}/{feature}", program.package));
    [GLAUBER, LAB].into_iter().flat_map(of).collect::<Vec<_>>().join(",")
}

/// Builds a program with cargo's own progress on stderr; returns the path of the executable. All members are selected, so that dependencies
/// have the features that tests and benchmarks build them with, and are built once.
fn build(program: Program, features: &str) -> anyhow::Result<PathBuf> {
    built(program, &of_the_packages(features))
}

/// As [`build`], with features that name their packages.
fn built(program: Program, features: &str) -> anyhow::Result<PathBuf> {
    let Program { name, package } = program;
    let root = workspace::metadata(Depth::Members)?.workspace_root;
    let profile = std::env::var(PROFILE).unwrap_or_else(|_| "release".into());
    let mut child = Command::new(workspace::cargo())
        .current_dir(&root)
        .args(["build", "--profile", &profile, "--workspace", "--bin", name])
        .args(["--no-default-features", "--features", features])
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let messages = child.stdout.take().ok_or_else(|| anyhow!("cargo has no standard output"))?;
    let mut executable = None;
    for message in Message::parse_stream(BufReader::new(messages)) {
        if let Message::CompilerArtifact(artifact) = message.context("cannot read cargo's messages")?
            && artifact.target.name == name
            && artifact.executable.is_some()
        {
            executable = artifact.executable;
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    if !status.success() {
        bail!("the build of {package} with profile `{profile}` failed ({status})");
    }
    executable.map(PathBuf::from).ok_or_else(|| anyhow!("cargo built {package} but named no executable `{name}`"))
}

/// What a program calls itself in the commands that it proposes.
const LAUNCHER: &str = "GLAUBER_LAUNCHER";

/// Replaces this process by the program, so that Ctrl-C and kill reach it and its exit code is ours.
#[cfg(unix)]
fn hand_over(program: &Path, command_line: &[OsString]) -> anyhow::Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = Command::new(program).args(command_line).env(LAUNCHER, "cargo xtask").exec();
    Err(error).with_context(|| format!("cannot start {}", program.display()))
}

/// Runs the program and exits with its exit code.
#[cfg(not(unix))]
fn hand_over(program: &Path, command_line: &[OsString]) -> anyhow::Result<ExitCode> {
    let status = Command::new(program)
        .args(command_line)
        .env(LAUNCHER, "cargo xtask")
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    std::process::exit(status.code().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &str) -> Vec<OsString> {
        words.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_device_is_read_from_the_passed_arguments() {
        assert_eq!(device(&line("text --steps 3")).unwrap(), "cpu");
        assert_eq!(device(&line("text --device wgpu --steps 3")).unwrap(), "wgpu");
        assert_eq!(device(&line("--device=cuda")).unwrap(), "cuda");
        assert_eq!(device(&line("--device wgpu --device cpu")).unwrap(), "cpu");
        assert_eq!(device(&line("--prompt -- --device wgpu")).unwrap(), "cpu");
        assert!(device(&line("text --device")).is_err());
    }

    /// The launcher does not link the laboratory, so it names the experiments again.
    #[test]
    fn every_experiment_of_the_laboratory_is_named() {
        let laboratory = include_str!("../../crates/glauber-lab/src/experiment/mod.rs");
        let (_, rest) = laboratory.split_once("pub enum ExperimentWhat {").expect("the experiments");
        let (variants, _) = rest.split_once("\n}").expect("the end of the enum");
        let names = variants.lines().filter_map(|line| line.trim().strip_suffix("),")?.split_once('('));
        let kebab = |name: &str| {
            let dashed: String =
                name.chars().flat_map(|c| if c.is_uppercase() { vec!['-', c] } else { vec![c] }).collect();
            dashed.trim_start_matches('-').to_lowercase()
        };
        let (mut found, mut expected): (Vec<String>, Vec<String>) =
            (names.map(|(name, _)| kebab(name)).collect(), EXPERIMENTS.map(String::from).to_vec());
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_device_names_its_features_and_an_unknown_one_what_there_is() {
        assert_eq!(features_of("cpu").unwrap(), "cpu");
        assert_eq!(features_of("wgpu").unwrap(), "cpu,wgpu");
        assert_eq!(features_of("cuda:1").unwrap(), "cpu,cuda");
        assert_eq!(features_of("cuda:0,cuda:1").unwrap(), "cpu,cuda");
        assert_eq!(of_the_packages("cpu,wgpu"), "glauber-cli/cpu,glauber-cli/wgpu,glauber-lab/cpu,glauber-lab/wgpu");
        assert!(features_of("cuda,").is_err());
        let message = features_of("tpu").unwrap_err().to_string();
        assert_eq!(message, "there is no device `tpu`; available: cpu, wgpu, cuda");
    }

    #[test]
    fn an_unknown_device_or_experiment_is_a_usage_error_before_anything_is_built() {
        assert!(run(GLAUBER, "sample", line("--device tpu")).unwrap_err().is::<Usage>());
        assert!(run_experiment(line("ising --steps 3")).unwrap_err().is::<Usage>());
        assert!(run_experiment(Vec::new()).unwrap_err().is::<Usage>());
    }

    #[test]
    fn only_a_text_run_without_a_source_gets_the_default_corpus() {
        assert!(wants_default_corpus(&line("train text")));
        assert!(wants_default_corpus(&line("train text --steps 20 --run runs/a")));
        for settled in [
            "train text --data a.txt",
            "train text --data=a.txt",
            "train text --steps 2 --config c.toml",
            "train text --resume runs/a",
            "train text --help",
            "train markov",
            "train",
            "sample text",
        ] {
            assert!(!wants_default_corpus(&line(settled)), "{settled}");
        }
    }
}
