//! Hooks: callbacks of a run.

use crate::MetricLine;

/// Callback for messages to people, one line per call.
pub type Say<'a> = &'a mut dyn FnMut(&str);

/// Callback for progress: the amount of work done.
pub type Advance<'a> = &'a mut dyn FnMut(usize);

/// An event of a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// An optimiser step is done.
    Step {
        /// Steps done.
        step: usize,
        /// Mean loss of the step, in nats per requested site.
        loss: f64,
    },
    /// The run was evaluated on held-out sequences.
    Validation(&'a MetricLine),
    /// Sequences were sampled from the averaged weights and decoded to text.
    Samples {
        /// Steps done.
        step: usize,
        /// One text per sequence.
        texts: &'a [String],
    },
    /// A checkpoint was written.
    Checkpoint {
        /// Steps done.
        step: usize,
    },
}

/// Whether to continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Continue.
    Continue,
    /// Write a checkpoint and stop.
    Stop,
}

/// Hook of a run: called at every event, and may stop the run. It also supplies the time, because the library reads no
/// clock.
pub trait Hook {
    /// Handles an event.
    fn on_event(&mut self, event: Event<'_>) -> Flow;

    /// Seconds since the process started training.
    fn seconds(&self) -> f64;
}
