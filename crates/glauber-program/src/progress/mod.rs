//! Progress of a training: a bar on a terminal, plain lines elsewhere, and a journal for other processes.

mod signals;

pub use signals::{outlive_terminal, stop_on_interrupt};

use std::cell::Cell;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};

use burn::module::Module;
use glauber_run::{Event, Flow, Hook, Journal, MetricLine, Moment, Opened, Outcome, Rank, Run, train_command};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::screen;
use signals::terminal_gone;

thread_local! {
    /// Set in ranks that print no progress.
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Disables the progress output of this rank.
pub fn be_silent() {
    SILENT.set(true);
}

/// Whether this rank prints no progress.
pub fn is_silent() -> bool {
    SILENT.get()
}

/// Prints a line. A closed pipe does not stop the training.
pub fn say(text: &str) {
    if !is_silent() {
        screen::line(text);
    }
}

/// Prints lines beside the result, on stderr.
pub fn warn(lines: &[String]) {
    if !is_silent() {
        lines.iter().for_each(|line| screen::remark(line));
    }
}

/// What the user types to start the program: `cargo xtask` within a checkout.
pub fn launcher() -> String {
    std::env::var("GLAUBER_LAUNCHER").unwrap_or_else(|_| "glauber".into())
}

/// A progress bar.
pub fn bar(steps: usize) -> ProgressBar {
    if is_silent() { ProgressBar::hidden() } else { ProgressBar::new(steps as u64) }
}

/// The current time.
pub fn now() -> Moment {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Moment { since_1970, elapsed: BEGUN.elapsed() }
}

/// The journal of a run at `step` of `steps` that this process starts to train.
pub fn journal(folder: &Path, kind: &str, step: usize, steps: usize) -> Journal {
    Journal::begin(folder, kind, [step, steps], std::process::id(), now)
}

/// Trains with a progress bar, and a journal at the first rank; prints the outcome.
///
/// # Errors
/// Those of the training.
pub fn run(trainer: &mut Run, opened: &Opened, ranks: &Rank) -> anyhow::Result<Flow> {
    let train = trainer.config().train.clone();
    let model = &trainer.config().model;
    say(&format!(
        "{:?} network of {} parameters, objective {}, {} sweeps, {} steps of {} sequences",
        model.network,
        trainer.network().num_params(),
        train.objective.name(),
        trainer.schedule().sweeps(),
        train.steps,
        train.batch
    ));
    if let Some(prior) = &model.prior {
        say(&format!("counting the n-grams of its prior first, with contexts of up to {} tokens", prior.order));
    }
    let first = trainer.state().step;
    let kind = trainer.config().data.name();
    let journal = ranks.is_first().then(|| journal(trainer.folder().path(), kind, first, train.steps));
    let stop = stop_on_interrupt()?;
    let mut progress = Progress::new(first, train.steps, stop.flag(), journal);
    let flow = opened.train(trainer, &mut progress);
    progress.finish(Outcome::of(&flow));
    drop(stop);
    let flow = flow?;
    let state = trainer.state();
    say(&format!("{} steps, {:.2} M tokens, {:.0} s", state.step, state.tokens as f64 / 1e6, state.seconds));
    if flow == Flow::Stop {
        let path = trainer.folder().path().display();
        let again = format!("{} train {} --resume --run {path}", launcher(), train_command(kind));
        say(&format!("stopped; continue with `{again}`"));
    }
    Ok(flow)
}

/// A hook that prints.
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
    first_step: usize,
    steps: usize,
    stop: Arc<AtomicBool>,
    journal: Option<Journal>,
}

impl Progress {
    /// For a run of `steps` steps at `first_step`; it stops when `stop` is set. `journal` is `None` if another rank
    /// writes it.
    pub fn new(first_step: usize, steps: usize, stop: Arc<AtomicBool>, journal: Option<Journal>) -> Self {
        let bar = match std::io::stderr().is_terminal() && !is_silent() {
            true => ProgressBar::new(steps as u64),
            false => ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()),
        };
        let style = "{bar:32} {pos}/{len} steps  {per_sec}  {eta} left  {msg}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_position(first_step as u64);
        bar.reset_eta();
        bar.enable_steady_tick(Duration::from_millis(500));
        Self { bar, started: Instant::now(), first_step, steps, stop, journal }
    }

    /// Removes the bar, and records the outcome.
    pub fn finish(&mut self, outcome: Outcome) {
        self.bar.finish_and_clear();
        if let Some(journal) = &mut self.journal {
            journal.close(outcome);
        }
    }

    /// Records an evaluation.
    pub fn evaluated(&mut self, step: usize, text: &str) {
        if let Some(journal) = &mut self.journal {
            journal.evaluated(step, text);
        }
    }

    /// Prints a line above the bar.
    pub fn line(&self, text: &str) {
        match self.bar.is_hidden() {
            true => say(text),
            false => self.bar.println(screen::shown(text)),
        }
    }

    fn validation(&mut self, line: &MetricLine) {
        let mut text = format!("held-out loss {:.4}  training {:.4}  [nats per site]", line.loss, line.train_loss);
        if let (Some(excess), Some(error)) = (line.excess, line.excess_error) {
            text += &format!("  above Bayes {excess:.5} ± {error:.5}");
        }
        self.evaluated(line.step, &text);
        self.line(&format!("step {:>6}/{}  {text}  {}", line.step, self.steps, self.pace(line.step)));
    }

    /// Steps per second and remaining time, at this step.
    pub fn pace(&self, step: usize) -> String {
        let rate = (step - self.first_step) as f64 / self.started.elapsed().as_secs_f64();
        let left = Duration::from_secs(((self.steps - step) as f64 / rate) as u64);
        format!("{rate:.2} steps/s  {} left", indicatif::HumanDuration(left))
    }
}

impl Hook for Progress {
    fn on_event(&mut self, event: Event<'_>) -> Flow {
        match event {
            Event::Step { step, loss } => {
                self.bar.set_position(step as u64);
                self.bar.set_message(format!("loss {loss:.4}"));
                if let Some(journal) = &mut self.journal {
                    journal.step(step, loss);
                }
                if terminal_gone() && !self.bar.is_hidden() {
                    self.bar.set_draw_target(ProgressDrawTarget::hidden());
                }
            }
            Event::Validation(line) => self.validation(line),
            Event::Samples { step, texts } => {
                self.line(&format!("samples at step {step}:"));
                texts.iter().for_each(|text| self.line(&format!("  | {}", text.replace('\n', "\n  | "))));
            }
            Event::Checkpoint { step } => tracing::info!(step, "checkpoint written"),
        }
        match self.stop.load(Ordering::Relaxed) {
            true => Flow::Stop,
            false => Flow::Continue,
        }
    }

    fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}
