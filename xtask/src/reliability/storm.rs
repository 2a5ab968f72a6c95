//! Runs of every kind are killed at random moments and resumed, and must end as unbroken ones do, byte for byte.

use std::fs::{self, File};
use std::path::Path;
use std::process::{ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;

use super::compare::Ended;
use super::kinds::{Kind, Length};
use super::processes::{Family, Signal};
use super::{Ground, Place, has, log};
use crate::screen::{remark, say};

/// What the storm hits, and how often.
#[derive(Args)]
pub struct Flags {
    #[command(flatten)]
    place: Place,
    /// Kills of each kind
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    kills: u64,
    /// Random seed of moments and signals
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// The longest wait for a process that was told to end, and for a run that is left alone.
const PATIENCE: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(900)];

/// What happened to the runs of a kind.
#[derive(Default)]
struct Tally {
    /// By [`Signal`].
    signals: [u64; 3],
    finished: u64,
    /// Runs whose files differ from the unbroken run's.
    differ: u64,
    /// Runs that could not be resumed, or ended by themselves with an error.
    lost: u64,
    /// Processes that stayed after they were killed or told to stop.
    hung: u64,
}

impl Tally {
    fn kills(&self) -> u64 {
        self.signals[Signal::Kill as usize] + self.signals[Signal::Terminate as usize]
    }

    fn is_clean(&self) -> bool {
        self.differ + self.lost + self.hung == 0
    }
}

/// Runs the storm and prints a Markdown table.
///
/// # Errors
/// [`Usage`](crate::Usage) for an unknown kind; otherwise when an unbroken run fails, or a file cannot be read or written.
pub fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let ground = Ground::new(&flags.place, true)?;
    say("| kind | kills | SIGKILL | SIGTERM | SIGSTOP, SIGCONT | runs finished | differ | lost | hung | seconds |")?;
    say("|---|---|---|---|---|---|---|---|---|---|")?;
    let mut clean = true;
    for kind in &ground.kinds {
        if kind.processes > 1 && !has("mpirun") {
            remark(&format!("{}: NOT TRIED, there is no `mpirun` here", kind.name));
            continue;
        }
        let begun = Instant::now();
        let tally = Storm { kind, ground: &ground, seed: flags.seed }.rage(flags.kills)?;
        clean &= tally.is_clean();
        let [kill, terminate, pause] = tally.signals;
        say(&format!(
            "| {} | {} | {kill} | {terminate} | {pause} | {} | {} | {} | {} | {} |",
            kind.name,
            tally.kills(),
            tally.finished,
            tally.differ,
            tally.lost,
            tally.hung,
            begun.elapsed().as_secs()
        ))?;
    }
    Ok(ground.end(clean))
}

/// A kind of run, and where it is killed.
struct Storm<'a> {
    kind: &'a Kind,
    ground: &'a Ground,
    seed: u64,
}

/// How a process ended.
enum End {
    /// By itself.
    Own(ExitStatus),
    /// It was killed, or told to stop.
    Struck,
}

impl Storm<'_> {
    /// Trains a run to its end, and others under fire until so many kills were sent.
    fn rage(&self, kills: u64) -> anyhow::Result<Tally> {
        let folder = self.ground.root.join(self.kind.name);
        fs::create_dir_all(&folder)?;
        let unbroken = folder.join("unbroken");
        let begun = Instant::now();
        let mut family = self.start(&unbroken)?;
        let status = family.wait(PATIENCE[1])?.context("the unbroken run does not end")?;
        ensure!(status.success(), "the unbroken {} run failed; its log: {}", self.kind.name, log(&unbroken).display());
        let (whole, unbroken) = (begun.elapsed(), Ended::read(&unbroken)?);
        let mut tally = Tally::default();
        for round in 0.. {
            if tally.kills() >= kills {
                break;
            }
            let run = folder.join(format!("broken-{round}"));
            let wrong = [tally.lost, tally.differ];
            self.break_run(&run, whole, kills, &mut tally)?;
            let finished = tally.lost == wrong[0];
            if let Some(difference) = unbroken.first_difference(&Ended::read(&run)?).filter(|_| finished) {
                remark(&format!("{}: {difference}", run.display()));
                tally.differ += 1;
            }
            if [tally.lost, tally.differ] == wrong {
                fs::remove_dir_all(&run)?;
                let _ = fs::remove_dir_all(run.with_extension("cache"));
                fs::remove_file(log(&run))?;
            }
        }
        Ok(tally)
    }

    /// Trains a run to its end, killed on the way.
    fn break_run(&self, run: &Path, whole: Duration, kills: u64, tally: &mut Tally) -> anyhow::Result<()> {
        for attempt in 0.. {
            let mut family = self.start(run)?;
            let end = if tally.kills() < kills {
                self.strike(&mut family, (run, attempt), whole, tally)?
            } else {
                End::Own(family.wait(PATIENCE[1])?.context("a run that is left alone does not end")?)
            };
            match end {
                // Killed with the result on the disk: there is nothing to begin again.
                End::Struck if !self.kind.resumes && run.join("network.toml").exists() => {
                    tally.finished += 1;
                    return Ok(());
                }
                End::Struck => {}
                End::Own(status) if status.success() => {
                    tally.finished += 1;
                    return Ok(());
                }
                End::Own(status) => {
                    remark(&format!("{}: {status}; its log: {}", run.display(), log(run).display()));
                    tally.lost += 1;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Sends signals to a process at random moments until it ends.
    fn strike(&self, family: &mut Family, at: (&Path, u64), whole: Duration, tally: &mut Tally) -> anyhow::Result<End> {
        for number in 0.. {
            let [moment, which, member] = self.random(at, number);
            if let Some(status) = family.wait(whole.mul_f64(0.8 * moment))? {
                return Ok(End::Own(status));
            }
            let signal = match which {
                ..0.6 => Signal::Kill,
                // Told to stop, a training without checkpoints ends with what it has.
                ..0.8 if !self.kind.resumes => Signal::Kill,
                ..0.8 => Signal::Terminate,
                _ => Signal::Pause,
            };
            tally.signals[signal as usize] += 1;
            family.send(signal, member)?;
            if signal != Signal::Pause {
                tally.hung += u64::from(!family.gone_within(PATIENCE[0])?);
                return Ok(End::Struck);
            }
        }
        Ok(End::Struck)
    }

    /// Numbers in `[0, 1)`, a function of the seed, the run, the attempt and the signal.
    fn random(&self, (run, attempt): (&Path, u64), number: u64) -> [f64; 3] {
        let name = run.file_name().unwrap_or_default().to_string_lossy();
        let hash = blake3::hash(format!("{} {} {name} {attempt} {number}", self.seed, self.kind.name).as_bytes());
        let mut words = hash.as_bytes().chunks_exact(8).map(|bytes| {
            let word = bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
            (word >> 11) as f64 / (1u64 << 53) as f64
        });
        std::array::from_fn(|_| words.next().unwrap_or_default())
    }

    /// Begins a run, or resumes it where it has begun.
    fn start(&self, run: &Path) -> anyhow::Result<Family> {
        let log = File::options().create(true).append(true).open(log(run))?;
        let mut command = self.kind.command(self.ground, run, Length::Whole);
        command.stdout(log.try_clone()?).stderr(log);
        Family::start(&mut command).with_context(|| format!("cannot start {command:?}"))
    }
}
