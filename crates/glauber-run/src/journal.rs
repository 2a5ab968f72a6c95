//! The journal: a run's progress in a file that other processes can read.

use std::collections::VecDeque;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use glauber_files::write_whole;
use serde::{Deserialize, Serialize};

use crate::Flow;
use crate::error::{RunError, one_line};

/// The file in a run folder.
pub const PROGRESS: &str = "progress.json";
/// Maximal age of the file, unless steps take longer.
const INTERVAL: Duration = Duration::from_secs(2);
/// Number of writes for the rate: about a minute, or as many steps if they take longer.
const RATE_WINDOW: usize = 30;
/// Number of steps in the mean loss.
const LOSS_WINDOW: usize = 100;

/// How a training process ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The last step is done.
    Finished,
    /// It was stopped.
    Stopped,
    /// It failed.
    Failed(String),
}

impl Outcome {
    /// The outcome of a training loop.
    pub fn of<E: Error + 'static>(flow: &Result<Flow, E>) -> Self {
        match flow {
            Ok(Flow::Continue) => Self::Finished,
            Ok(Flow::Stop) => Self::Stopped,
            Err(error) => Self::Failed(one_line(error)),
        }
    }
}

/// A run's progress, as its training process reported it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Standing {
    /// The `glauber train` command.
    pub kind: String,
    /// Steps done.
    pub step: usize,
    /// Total number of steps.
    pub steps: usize,
    /// Recent steps per second, including evaluations and checkpoints.
    pub rate: Option<f64>,
    /// Mean training loss of the last steps.
    pub loss: Option<f64>,
    /// The number of these steps.
    pub loss_steps: usize,
    /// The last evaluation of this process: its step and result.
    pub evaluation: Option<(usize, String)>,
    /// The process id.
    pub process: u32,
    /// Time of writing, in seconds since 1970.
    pub written: u64,
    /// How the process ended, if it has.
    pub outcome: Option<Outcome>,
}

impl Standing {
    /// Reads the journal of a run folder; `None` if there is none. An unreadable journal is a warning and not an error.
    pub fn read(folder: &Path) -> Option<Self> {
        let path = folder.join(PROGRESS);
        let read = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            read => read.map_err(RunError::from).and_then(|text| Ok(serde_json::from_slice(&text)?)),
        };
        read.inspect_err(|error| tracing::warn!("{}: skipped: {error}", path.display())).ok()
    }

    /// Estimated seconds to the last step.
    pub fn seconds_left(&self) -> Option<f64> {
        self.rate.filter(|&rate| rate > 0.0).map(|rate| self.steps.saturating_sub(self.step) as f64 / rate)
    }
}

/// A point in time. The program supplies it, because the library reads no clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970.
    pub since_1970: u64,
    /// Seconds of a monotonic clock.
    pub elapsed: Duration,
}

/// A source of the time.
pub type Clock = fn() -> Moment;

/// Writes [`Standing`] periodically. A failure to write is a warning and not an error.
pub struct Journal {
    path: PathBuf,
    standing: Standing,
    losses: VecDeque<f64>,
    /// Times and steps of the last writes.
    writings: VecDeque<(Duration, usize)>,
    clock: Clock,
}

impl Journal {
    /// The journal of a run at `step` of `steps` that `process` starts to train.
    pub fn begin(folder: &Path, kind: &str, [step, steps]: [usize; 2], process: u32, clock: Clock) -> Self {
        let standing = Standing { kind: kind.into(), step, steps, process, ..Standing::default() };
        let path = folder.join(PROGRESS);
        let mut journal = Self { path, standing, losses: VecDeque::new(), writings: VecDeque::new(), clock };
        journal.write();
        journal
    }

    /// A step is done.
    pub fn step(&mut self, step: usize, loss: f64) {
        self.standing.step = step;
        if self.losses.len() == LOSS_WINDOW {
            self.losses.pop_front();
        }
        self.losses.push_back(loss);
        let now = (self.clock)().elapsed;
        if self.writings.back().is_none_or(|(last, _)| now.saturating_sub(*last) >= INTERVAL) {
            self.write();
        }
    }

    /// The run was evaluated.
    pub fn evaluated(&mut self, step: usize, text: &str) {
        self.standing.evaluation = Some((step, text.into()));
        self.write();
    }

    /// The process has stopped training.
    pub fn close(&mut self, outcome: Outcome) {
        self.standing.outcome = Some(outcome);
        self.write();
    }

    fn write(&mut self) {
        let Moment { since_1970, elapsed: at } = (self.clock)();
        let standing = &mut self.standing;
        self.writings.push_back((at, standing.step));
        if self.writings.len() > RATE_WINDOW {
            self.writings.pop_front();
        }
        if let Some((first, step)) = self.writings.front() {
            let (seconds, steps) = (at.saturating_sub(*first).as_secs_f64(), standing.step - step);
            standing.rate = (steps > 0).then(|| steps as f64 / seconds.max(1e-3));
        }
        // A loss that is no number ends the run with an error, which says so.
        let mean = self.losses.iter().sum::<f64>() / self.losses.len() as f64;
        (standing.loss, standing.loss_steps) = (Some(mean).filter(|mean| mean.is_finite()), self.losses.len());
        standing.written = since_1970;
        let text = serde_json::to_string(standing).unwrap_or_default(); // plain numbers and strings always serialise
        if let Err(error) = write_whole(&self.path, text + "\n") {
            tracing::debug!(%error, "the journal could not be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A clock that advances by a second at each reading.
    fn clock() -> Moment {
        static SECONDS: AtomicU64 = AtomicU64::new(1000);
        let since_1970 = SECONDS.fetch_add(1, Ordering::Relaxed);
        Moment { since_1970, elapsed: Duration::from_secs(since_1970) }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Standing::read(folder.path()), None);
        let mut journal = Journal::begin(folder.path(), "text", [100, 300], 7, clock);
        let begun = Standing::read(folder.path()).unwrap();
        assert_eq!((begun.step, begun.steps, begun.rate, begun.loss), (100, 300, None, None));
        assert_eq!(begun.seconds_left(), None);
        for step in 101..=220 {
            journal.step(step, if step <= 120 { 1e6 } else { 2.0 });
        }
        journal.evaluated(220, "held-out loss 1.5");
        let later = Standing::read(folder.path()).unwrap();
        assert_eq!((later.step, later.loss, later.loss_steps), (220, Some(2.0), 100));
        assert_eq!(later.evaluation, Some((220, "held-out loss 1.5".into())));
        let (rate, left) = (later.rate.unwrap(), later.seconds_left().unwrap());
        assert!((left - 80.0 / rate).abs() < 1e-9 && later.outcome.is_none());
        journal.close(Outcome::Failed("disk full".into()));
        let last = Standing::read(folder.path()).unwrap();
        assert_eq!(last.outcome, Some(Outcome::Failed("disk full".into())));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_folder_that_is_gone_ends_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::begin(&folder.path().join("gone"), "text", [0, 3], 7, clock);
        journal.step(1, 1.0);
        journal.close(Outcome::Finished);
        fs::write(folder.path().join(PROGRESS), "{").unwrap();
        assert_eq!(Standing::read(folder.path()), None);
    }
}
