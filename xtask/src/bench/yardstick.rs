//! Both sides in turn, block after block.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use serde_json::Value;

use super::machine::Machine;
use super::python::{PYTORCH, Python};
use super::settings::Setting;
use super::side::Side;
use super::table::{self, Measured, Times};
use super::{Flags, publish};
use crate::launcher;
use crate::screen::remark;
use crate::workspace::{self, Depth};

/// Steps that neither side is timed at.
const WARM_UP: u64 = 3;

/// Exit code of `check.py` where PyTorch cannot compile.
const NOT_COMPILED: i32 = 3;

/// The two programs.
struct Programs<'a> {
    ours: PathBuf,
    python: Option<Python>,
    threads: usize,
    flags: &'a Flags,
}

/// Processes that wait: ours, then one for each setting of PyTorch.
struct Sides {
    ready: Vec<Side>,
    settings: Vec<Setting>,
    failed: Vec<(Setting, String)>,
}

/// What one step of a row of the table is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Train,
    Sample { batch: u64 },
    Matmul,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Sample { .. } => "sample",
            Self::Matmul => "matmul",
        }
    }
}

/// Training steps of every shape.
///
/// # Errors
/// When a side fails, or the two are not the same network.
pub fn train(flags: &Flags) -> anyhow::Result<ExitCode> {
    compare("A training step", flags, &[Step::Train])
}

/// Sampling steps of every shape and batch.
///
/// # Errors
/// As [`train`].
pub fn sample(flags: &Flags, batches: &[u64]) -> anyhow::Result<ExitCode> {
    let steps: Vec<Step> = batches.iter().map(|&batch| Step::Sample { batch }).collect();
    compare("A sampling step", flags, &steps)
}

fn compare(heading: &str, flags: &Flags, steps: &[Step]) -> anyhow::Result<ExitCode> {
    let root = PathBuf::from(workspace::metadata(Depth::Members)?.workspace_root);
    let python = PYTORCH.find(flags.python.as_deref(), &root)?;
    if python.is_none() {
        remark(&PYTORCH.how_to_get_it());
    }
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = flags.threads.unwrap_or_else(cores).max(1);
    let programs = Programs { ours: launcher::lab(&flags.device)?, python, threads, flags };
    let mut rows = Vec::new();
    for shape in &flags.shape {
        if !flags.no_check {
            programs.check(shape)?;
        }
        for &step in steps {
            rows.push(programs.measure(shape, step)?);
        }
    }
    publish(&table::markdown(heading, &Machine::here(threads), &rows), flags.out.as_deref())
}

impl Programs<'_> {
    /// Our program with the arguments of a shape, on the device that is measured.
    fn ours(&self, what: &str, shape: &str, step: Step) -> Command {
        let mut command = self.on_the_cpu(what, shape, step);
        command.args(["--device", &self.flags.device]);
        if self.flags.bf16 {
            command.arg("--bf16");
        }
        command
    }

    /// Our program with the arguments of a shape.
    fn on_the_cpu(&self, what: &str, shape: &str, step: Step) -> Command {
        let mut command = Command::new(&self.ours);
        command.args(["bench", what, "--shape", shape, "--threads", &self.threads.to_string()]);
        command.env("RAYON_NUM_THREADS", self.threads.to_string());
        if let Step::Sample { batch } = step {
            command.args(["--batch", &batch.to_string()]);
        }
        command
    }

    /// The settings of PyTorch to measure.
    fn settings(&self) -> Vec<Setting> {
        let wanted = |setting: &&Setting| setting.is_bf16() || !self.flags.bf16;
        self.flags.pytorch.iter().filter(wanted).copied().collect()
    }

    /// Proves that the scripts are our network and our step, in single precision on the CPU; compiled too, if that is measured.
    fn check(&self, shape: &str) -> anyhow::Result<()> {
        let Some(python) = &self.python else { return Ok(()) };
        // Of the largest one the record alone would be 12 GB: the same design, smaller, stands for it.
        let shape = if shape == "ggm-387m" { "masked" } else { shape };
        remark(&format!("{shape}: is it the same network and the same step?"));
        let folder = tempfile::tempdir()?;
        let mut record = self.on_the_cpu("record", shape, Step::Train);
        succeed(record.arg("--out").arg(folder.path()))?;
        let check = |compile: &[&str]| {
            let mut check = python.script("check.py");
            // The table alone belongs on standard output.
            check
                .arg(folder.path())
                .args(compile)
                .env("OMP_NUM_THREADS", self.threads.to_string())
                .stdout(std::io::stderr());
            check
        };
        succeed(&mut check(&[]))?;
        if !self.settings().contains(&Setting::Compile) {
            return Ok(());
        }
        let mut compiled = check(Setting::Compile.flags());
        match compiled.status().context("cannot start Python")?.code() {
            // Where it cannot be compiled, the setting is to say so itself.
            Some(0 | NOT_COMPILED) => Ok(()),
            code => bail!("{shape}: the compiled network fails the check ({code:?}); its own message is above"),
        }
    }

    fn setup(&self, shape: &str, step: Step) -> anyhow::Result<Value> {
        let output = self.ours("setup", shape, step).stderr(std::process::Stdio::inherit()).output()?;
        if !output.status.success() {
            bail!("the setup of `{shape}` failed ({})", output.status);
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// A process that does a step in PyTorch.
    fn theirs(&self, python: &Python, step: Step, setup: &Value, setting: Setting) -> Command {
        let mut theirs = python.script("yardstick.py");
        theirs.args([step.name(), "--setup", &setup.to_string(), "--threads", &self.threads.to_string()]);
        theirs.args(["--device", &self.flags.device]).args(setting.flags());
        theirs.args(self.blocks()).env("OMP_NUM_THREADS", self.threads.to_string());
        theirs
    }

    fn blocks(&self) -> [String; 5] {
        let [steps, warm_up] = [self.flags.steps, WARM_UP].map(|count| count.to_string());
        ["--steps".into(), steps, "--warmup".into(), warm_up, "--paced".into()]
    }

    /// Our side and those settings of PyTorch that run here, ready to measure; refuses networks of different sizes.
    fn sides(&self, shape: &str, step: Step, setup: &Value, settings: &[Setting]) -> anyhow::Result<Sides> {
        let mut ours = self.ours(step.name(), shape, step);
        ours.args(self.blocks());
        let mut sides = Sides { ready: vec![Side::start(ours)?], settings: Vec::new(), failed: Vec::new() };
        let Some(python) = &self.python else { return Ok(sides) };
        for &setting in settings {
            match Side::start(self.theirs(python, step, setup, setting)) {
                Ok(side) => {
                    sides.ready.push(side);
                    sides.settings.push(setting);
                }
                Err(error) => {
                    remark(&format!("{shape} {}: {}: {error}", step.name(), setting.title()));
                    sides.failed.push((setting, error.to_string()));
                }
            }
        }
        same_size(&sides.ready)?;
        Ok(sides)
    }

    /// Seconds a step of each side, block after block.
    fn times(&self, shape: &str, step: Step, sides: &mut [Side]) -> anyhow::Result<Times> {
        let mut times = Times { sides: sides.iter().map(|side| side.name.clone()).collect(), blocks: Vec::new() };
        for round in 0..self.flags.rounds {
            let block: Vec<f64> = sides.iter_mut().map(Side::block).collect::<Result<_, _>>()?;
            let shown: Vec<String> = block.iter().map(|seconds| format!("{:.2} ms", 1e3 * seconds)).collect();
            remark(&format!("{shape} {}: round {}: {}", step.name(), round + 1, shown.join(", ")));
            times.blocks.push(block);
        }
        Ok(times)
    }

    fn measure(&self, shape: &str, step: Step) -> anyhow::Result<Measured> {
        let setup = self.setup(shape, step)?;
        let number = |pointer: &str| {
            setup.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no number {pointer} in the setup"))
        };
        // The product is that of training, whatever is measured: a sampling step's are smaller and reach less.
        let of_training = self.setup(shape, Step::Train)?;
        let product = of_training.pointer("/flops/matmul").and_then(Value::as_f64).context("no matmul in the setup")?;
        let mut sides = self.sides(shape, Step::Matmul, &of_training, &[Setting::Eager])?;
        let rates =
            self.times(shape, Step::Matmul, &mut sides.ready)?.medians().map(|seconds| product / seconds).collect();
        drop(sides);
        let (batch, length) = (number("/batch")?, number("/length")?);
        let sweeps = setup["levels"].as_array().map_or(0, Vec::len) as f64 - 1.0;
        let (sequences, flops) = match step {
            Step::Train => (batch, vec![number("/flops/network")?, number("/flops/optimiser")?]),
            Step::Sample { .. } => (batch / (sweeps * length), vec![number("/flops/sample")?]),
            Step::Matmul => (0.0, vec![product]),
        };
        let Sides { mut ready, settings, failed } = self.sides(shape, step, &setup, &self.settings())?;
        Ok(Measured {
            shape: shape.into(),
            parameters: number("/parameters")? as u64,
            sizes: format!("{batch} × {length}, V = {}", number("/vocab")?),
            times: self.times(shape, step, &mut ready)?,
            settings,
            failed,
            sequences,
            flops,
            rates,
        })
    }
}

/// Refuses sides whose networks differ in size.
pub fn same_size(sides: &[Side]) -> anyhow::Result<()> {
    let Some((ours, others)) = sides.split_first() else { return Ok(()) };
    let Some(theirs) = others.iter().find(|other| other.parameters != ours.parameters) else { return Ok(()) };
    bail!(
        "not the same size: {} has {} parameters, {} has {}: change the Python script to the same sizes",
        ours.name,
        ours.parameters,
        theirs.name,
        theirs.parameters
    )
}

/// Runs a command to its end.
fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let shown = Path::new(command.get_program()).display().to_string();
    let status = command.status().with_context(|| format!("cannot start {shown}"))?;
    if status.success() {
        return Ok(());
    }
    bail!("{shown} failed ({status}); its own message is above")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn side(parameters: u64) -> Side {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("echo '{{\"side\": \"x\", \"parameters\": {parameters}}}'")]);
        Side::start(command).unwrap()
    }

    #[test]
    fn networks_of_different_sizes_are_refused() {
        assert!(same_size(&[side(3)]).is_ok() && same_size(&[side(3), side(3), side(3)]).is_ok());
        let message = same_size(&[side(3), side(3), side(4)]).unwrap_err().to_string();
        assert!(message.contains("3 parameters") && message.contains("has 4"), "{message}");
    }
}
