//! Training steps of a GFlowNet on hypergrids beside torchgfn's, block after block.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread::available_parallelism;

use anyhow::Context;
use clap::Args;

use super::chain::ratio;
use super::machine::Machine;
use super::publish;
use super::python::{Python, TORCHGFN};
use super::side::Side;
use super::table::{self, Times};
use crate::launcher;
use crate::screen::remark;
use crate::workspace::{self, Depth};

/// Side and dimensions of each row.
const ROWS: [[u64; 2]; 4] = [[8, 2], [16, 2], [8, 4], [16, 4]];

/// How to measure.
#[derive(Args)]
pub struct Flags {
    /// Paths a step
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// Number of blocks of steps per side; the sides alternate
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Training steps per block
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// Threads per side. Default: one per core
    #[arg(long)]
    threads: Option<usize>,
    /// Python interpreter with torchgfn. Default: `.venv/bin/python`, else `python3`
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Also write the table to this file
    #[arg(long, value_name = "FILE.md")]
    out: Option<PathBuf>,
}

/// Times every grid.
///
/// # Errors
/// When a side fails.
pub fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let root = PathBuf::from(workspace::metadata(Depth::Members)?.workspace_root);
    let python = TORCHGFN.find(flags.python.as_deref(), &root)?;
    if python.is_none() {
        remark(&TORCHGFN.how_to_get_it());
    }
    let threads = flags.threads.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
    let ours = launcher::lab(launcher::DEFAULT_DEVICE)?;
    let mut text = String::new();
    for row in ROWS {
        let (times, actions) = measure(flags, row, threads, Command::new(&ours), python.as_ref())?;
        if text.is_empty() {
            text = head(flags, &Machine::here(threads), &times);
        }
        let rates = times.medians().map(|seconds| table::short(flags.batch as f64 / seconds));
        let lengths = table::each(actions.iter().map(|actions| format!("{actions:.2}")));
        text += &format!("| {}^{} | {} | {lengths} | {} |\n", row[0], row[1], table::each(rates), ratio(&times));
    }
    publish(&text, flags.out.as_deref())
}

fn measure(
    flags: &Flags,
    [side, dimensions]: [u64; 2],
    threads: usize,
    mut ours: Command,
    python: Option<&Python>,
) -> anyhow::Result<(Times, Vec<f64>)> {
    let arguments = |command: &mut Command| {
        let numbers =
            [("--side", side), ("--dimensions", dimensions), ("--batch", flags.batch), ("--steps", flags.steps)];
        for (flag, number) in numbers {
            command.args([flag, number.to_string().as_str()]);
        }
    };
    ours.args(["bench", "grid", "--paced"]).env("RAYON_NUM_THREADS", threads.to_string());
    arguments(&mut ours);
    let mut sides = vec![Side::start(ours)?];
    if let Some(python) = python {
        let mut theirs = python.script("hypergrid.py");
        theirs.args(["--threads", &threads.to_string()]);
        arguments(&mut theirs);
        sides.push(Side::start(theirs)?);
    }
    let mut times = Times { sides: sides.iter().map(|side| side.name.clone()).collect(), blocks: Vec::new() };
    // Actions of a path: a side whose paths are shorter does less.
    let mut actions = vec![0.0; sides.len()];
    for _ in 0..flags.rounds {
        let mut block = Vec::new();
        for (side, actions) in sides.iter_mut().zip(&mut actions) {
            let (seconds, length) = side.block_with("actions")?;
            *actions +=
                length.with_context(|| format!("{} reports no actions of a path", side.name))? / flags.rounds as f64;
            block.push(seconds);
        }
        times.blocks.push(block);
    }
    Ok((times, actions))
}

fn head(flags: &Flags, machine: &Machine, times: &Times) -> String {
    let Flags { batch, rounds, steps, .. } = flags;
    format!(
        "## GFlowNets on hypergrids\n\n```sh\n{}\n```\n\n{}, {} threads; {}. Trajectory balance, {batch} paths a step, two layers of 256. \
         Medians of {rounds} blocks of {steps} steps of either side in turn; the ratio is theirs over ours in seconds within a round, \
         its quartiles in brackets, so above 1 we are faster. \
         Actions of a path include the last one, which stops.\n\n| grid | paths a second | actions a path | ratio |\n|---|---|---|---|\n",
        machine.command,
        machine.processor,
        machine.threads,
        times.sides.join(" / "),
    )
}
