//! The most memory that training and sampling hold: a process for each row, which measures itself.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use super::machine::Machine;
use super::publish;
use crate::launcher;
use crate::screen::remark;

/// What each preset does in turn.
const WORK: [&[&str]; 3] = [&[], &["--checkpoint-activations"], &["--sampling"]];

/// What to measure.
#[derive(Args)]
pub struct Flags {
    /// Presets, comma-separated; `ggm-387m` needs more than 10 GiB to train
    #[arg(long, value_delimiter = ',', default_value = "tiny,small", value_parser = ["tiny", "small", "ggm-387m"])]
    preset: Vec<String>,
    /// Sequences per step. Default: the preset's
    #[arg(long)]
    batch: Option<u64>,
    /// Tokens per sequence. Default: the preset's
    #[arg(long)]
    length: Option<u64>,
    /// Vocabulary size. Default: the preset's
    #[arg(long)]
    vocab: Option<u64>,
    /// Micro-batches computed in parallel. Default: one per core
    #[arg(long)]
    threads: Option<u64>,
    /// Also write the table to this file
    #[arg(long, value_name = "FILE.md")]
    out: Option<PathBuf>,
}

impl Flags {
    /// The requested sizes, as flags of the program.
    fn sizes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all =
            [("--batch", self.batch), ("--length", self.length), ("--vocab", self.vocab), ("--threads", self.threads)];
        all.into_iter().filter_map(|(flag, size)| Some((flag, size?)))
    }
}

/// Measures training, training with checkpointed activations and sampling of every preset.
///
/// # Errors
/// If a process fails, for example out of memory.
pub fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let program = launcher::lab(launcher::DEFAULT_DEVICE)?;
    let mut rows = Vec::new();
    for preset in &flags.preset {
        for work in WORK {
            let mut command = Command::new(&program);
            command.args(["bench", "memory", "--preset", preset]).args(work);
            for (flag, size) in flags.sizes() {
                command.args([flag, &size.to_string()]);
            }
            let output = command.stderr(Stdio::inherit()).output().context("cannot start the program")?;
            if !output.status.success() {
                bail!("`{preset} {}` failed ({}): was there enough memory?", work.join(" "), output.status);
            }
            rows.push(serde_json::from_slice(&output.stdout)?);
            remark(&row(rows.last().unwrap_or(&Value::Null)));
        }
    }
    publish(&markdown(&Machine::here(1).command, &rows), flags.out.as_deref())
}

fn markdown(command: &str, rows: &[Value]) -> String {
    let heads = ["preset", "parameters", "work", "sequences", "weights", "average", "moments", "the rest", "peak"];
    let mut text = format!("## Memory\n\n```sh\n{command}\n```\n\n| {} |\n|{}\n", heads.join(" | "), "---|".repeat(9));
    rows.iter().for_each(|found| text += &(row(found) + "\n"));
    text
}

/// A row of the table, in MiB.
fn row(found: &Value) -> String {
    let mib = |key: &str| found["mib"][key].as_f64();
    let held = ["weights", "average", "moments"].map(|key| mib(key).unwrap_or(f64::NAN));
    let rest = mib("peak").map(|peak| peak - held.iter().sum::<f64>());
    let shown = |mib: Option<f64>| mib.map_or("–".into(), |mib| format!("{mib:.0}"));
    let work = match (found["work"].as_str(), found["checkpoint_activations"].as_bool()) {
        (Some("train"), Some(true)) => "train, activations checkpointed",
        (Some("train"), _) => "train",
        _ => "sample",
    };
    let sequences = format!("{} × {}, V = {}", found["batch"], found["length"], found["vocab"]);
    let name = found["preset"].as_str().unwrap_or("?");
    let [weights, average, moments] = held.map(|mib| shown(Some(mib)));
    let (rest, peak) = (shown(rest), shown(mib("peak")));
    let parameters = &found["parameters"];
    format!(
        "| {name} | {parameters} | {work} | {sequences} | {weights} | {average} | {moments} | {rest} | **{peak}** |"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_has_what_is_held_and_the_rest() {
        let mut found = json!({
            "preset": "tiny", "work": "train", "batch": 2, "length": 8, "vocab": 5, "checkpoint_activations": true,
            "parameters": 7, "mib": { "weights": 1.0, "average": 1.0, "moments": 2.0, "peak": 10.0 },
        });
        let expected = "| tiny | 7 | train, activations checkpointed | 2 × 8, V = 5 | 1 | 1 | 2 | 6 | **10** |";
        assert_eq!(row(&found), expected);
        // A system that tells no peak.
        found["mib"]["peak"] = Value::Null;
        assert!(row(&found).ends_with("| 2 | – | **–** |"), "{}", row(&found));
    }
}
