//! Sweeps of a heat bath over lattices beside numba's, block after block.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};
use clap::Args;

use super::machine::Machine;
use super::publish;
use super::python::{NUMBA, Python};
use super::side::Side;
use super::table::{self, Times};
use super::yardstick::same_size;
use crate::launcher;
use crate::screen::remark;
use crate::workspace::{self, Depth};

/// Model and order of each row.
const ROWS: [[&str; 2]; 8] = [
    ["ising", "sites"],
    ["ising", "classes"],
    ["ising", "words"],
    ["ising", "annealed"],
    ["potts3", "sites"],
    ["potts3", "classes"],
    ["potts8", "sites"],
    ["potts8", "classes"],
];

/// The check: at half the critical coupling, where a few sweeps forget all, energies after each of so many blocks.
const CHECKED: Pace = Pace { coupling: 0.5, steps: 10, warm_up: 100 };
const CHECKED_BLOCKS: usize = 200;
/// Standard errors by which mean energies may differ.
const MOST: f64 = 5.0;

/// How to measure.
#[derive(Args)]
pub struct Flags {
    /// Side length of the lattice, an even number
    #[arg(long, default_value_t = 64)]
    side: u64,
    /// Number of blocks of sweeps per side; the sides alternate
    #[arg(long, default_value_t = 301, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Sweeps per block; few, so that other load on the machine affects few blocks
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    sweeps: u64,
    /// Python interpreter with numba. Default: `.venv/bin/python`, else `python3`
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Skip the check that both sides have the same mean energies
    #[arg(long)]
    no_check: bool,
    /// Also write the table to this file
    #[arg(long, value_name = "FILE.md")]
    out: Option<PathBuf>,
}

/// The settings that a side receives.
#[derive(Clone, Copy)]
struct Pace {
    /// Relative to the critical coupling.
    coupling: f64,
    steps: u64,
    warm_up: u64,
}

/// The two programs.
struct Programs<'a> {
    ours: PathBuf,
    python: Option<Python>,
    flags: &'a Flags,
}

/// Times every model and order, one thread.
///
/// # Errors
/// When a side fails, or mean energies differ.
pub fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let root = PathBuf::from(workspace::metadata(Depth::Members)?.workspace_root);
    let python = NUMBA.find(flags.python.as_deref(), &root)?;
    if python.is_none() {
        remark(&NUMBA.how_to_get_it());
    }
    let programs = Programs { ours: launcher::lab(launcher::DEFAULT_DEVICE)?, python, flags };
    let mut rows = Vec::new();
    for row in ROWS {
        if !flags.no_check && programs.python.is_some() {
            programs.check(row)?;
        }
        rows.push((row, programs.measure(row)?));
    }
    publish(&markdown(flags, &Machine::here(1), &rows), flags.out.as_deref())
}

impl Programs<'_> {
    fn sides(&self, [model, order]: [&str; 2], pace: Pace) -> anyhow::Result<Vec<Side>> {
        let arguments = |command: &mut Command| {
            command.args(["--model", model, "--order", order, "--side", &self.flags.side.to_string()]);
            command.args(["--coupling", &pace.coupling.to_string(), "--steps", &pace.steps.to_string()]);
            command.args(["--warmup", &pace.warm_up.to_string()]);
        };
        let mut ours = Command::new(&self.ours);
        ours.args(["bench", "chain", "--paced"]);
        arguments(&mut ours);
        let mut sides = vec![Side::start(ours)?];
        if let Some(python) = &self.python {
            let mut theirs = python.script("ising.py");
            arguments(&mut theirs);
            sides.push(Side::start(theirs)?);
        }
        same_size(&sides)?;
        Ok(sides)
    }

    /// Fails if the mean energies of the sides differ by more than chance.
    fn check(&self, row: [&str; 2]) -> anyhow::Result<()> {
        let mut means = Vec::new();
        for mut side in self.sides(row, CHECKED)? {
            let energy = |_| side.block_with("energy")?.1.with_context(|| format!("{} reports no energy", side.name));
            let energies = (0..CHECKED_BLOCKS).map(energy).collect::<anyhow::Result<Vec<f64>>>()?;
            means.push((side.name.clone(), mean(&energies)));
        }
        let [(ours, (a, a_error)), (theirs, (b, b_error))] = means.as_slice() else {
            bail!("expected two sides to compare")
        };
        let error = a_error.hypot(*b_error);
        remark(&format!("{}: energy per site {a:.4} and {b:.4}, ± {error:.4}", row.join(" ")));
        ensure!(
            (a - b).abs() <= MOST * error,
            "{}: not the same model: {ours} has energy {a} per site, {theirs} {b}, ± {error}",
            row.join(" ")
        );
        Ok(())
    }

    fn measure(&self, row: [&str; 2]) -> anyhow::Result<Measured> {
        let pace = Pace { coupling: 1.0, steps: self.flags.sweeps, warm_up: self.flags.sweeps };
        let mut sides = self.sides(row, pace)?;
        let updates = sides.first().map_or(0, |side| side.parameters);
        let mut times = Times { sides: sides.iter().map(|side| side.name.clone()).collect(), blocks: Vec::new() };
        for _ in 0..self.flags.rounds {
            times.blocks.push(sides.iter_mut().map(Side::block).collect::<Result<_, _>>()?);
        }
        Ok(Measured { updates, times })
    }
}

/// Site updates of a sweep, and its seconds.
struct Measured {
    updates: u64,
    times: Times,
}

/// Mean of values that hardly depend on each other, and its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

fn markdown(flags: &Flags, machine: &Machine, rows: &[([&str; 2], Measured)]) -> String {
    let Flags { side, rounds, sweeps, .. } = flags;
    let sides = rows.first().map_or(&[][..], |(_, row)| &row.times.sides);
    let mut text = format!(
        "## Lattices\n\n```sh\n{}\n```\n\n{}, one thread; {}. {side} × {side} torus at the critical coupling. Medians of {rounds} \
         blocks of {sweeps} sweeps of either side in turn; the ratio is theirs over ours in seconds within a round, its quartiles \
         in brackets, so above 1 we are faster.\n\n| model | order | million updates/s | ratio |\n|---|---|---|---|\n",
        machine.command,
        machine.processor,
        sides.join(" / "),
    );
    for ([model, order], Measured { updates, times }) in rows {
        let rates = times.medians().map(|seconds| table::short(*updates as f64 / seconds / 1e6));
        text += &format!("| {model} | {order} | {} | {} |\n", table::each(rates), ratio(times));
    }
    text
}

/// The median of the other side's seconds over ours within a round, and its quartiles.
pub fn ratio(times: &Times) -> String {
    let mut ratios: Vec<f64> = times.blocks.iter().filter_map(|block| Some(block.get(1)? / block.first()?)).collect();
    ratios.sort_by(f64::total_cmp);
    match ratios.as_slice() {
        [] => "–".into(),
        ratios => {
            let at = |quarters: usize| ratios[(ratios.len() - 1) * quarters / 4];
            format!("{:.2} ({:.2}–{:.2})", at(2), at(1), at(3))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_has_its_quartiles() {
        let blocks = |ratios: [f64; 5]| ratios.map(|ratio| vec![0.5, 0.5 * ratio]).to_vec();
        let times = |blocks| Times { sides: vec!["glauber".into(), "numba".into()], blocks };
        assert_eq!(ratio(&times(blocks([9.0, 2.0, 1.0, 3.0, 4.0]))), "3.00 (2.00–4.00)");
        assert_eq!(ratio(&times(vec![vec![0.5]])), "–");
    }

    #[test]
    fn means_have_their_errors() {
        let (middle, error) = mean(&[1.0, 3.0, 1.0, 3.0]);
        // Variance 4/3 over 4 values.
        assert!(middle == 2.0 && (error - (1.0f64 / 3.0).sqrt()).abs() < 1e-12);
    }
}
