//! How a run tells of itself.

use crate::MetricLine;

/// Whoever is told what people may want to know, a line at a time.
pub type Say<'a> = &'a mut dyn FnMut(&str);

/// Whoever is told how much is done.
pub type Advance<'a> = &'a mut dyn FnMut(usize);

/// What has just happened in a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// An optimiser step is done.
    Step {
        /// Steps done.
        step: usize,
        /// Mean loss of the step, nats a site asked for.
        loss: f64,
    },
    /// The run was evaluated on held-out sequences.
    Validation(&'a MetricLine),
    /// Sequences were drawn from the averaged weights, decoded to text.
    Samples {
        /// Steps done.
        step: usize,
        /// One text a sequence.
        texts: &'a [String],
    },
    /// A checkpoint was written.
    Checkpoint {
        /// Steps done.
        step: usize,
    },
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Write a checkpoint and stop.
    Stop,
}

/// Called as a run goes; may ask it to stop. Time comes from here, too: the library reads no clock.
pub trait Observer {
    /// Tells what happened.
    fn notice(&mut self, event: Event<'_>) -> Flow;

    /// Seconds since the process began to train.
    fn seconds(&self) -> f64;
}
