//! A clock that pauses during evaluations.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use glauber_run::{Event, Flow, Hook};

/// Ends a run at the first evaluation after its time is up.
pub struct Stopwatch {
    /// Seconds before the clock was last started.
    before: f64,
    /// The start time; `None` while paused.
    running: Option<Instant>,
    limit: f64,
    validate_every: usize,
    interrupted: Arc<AtomicBool>,
}

impl Stopwatch {
    /// A clock that runs from now on.
    pub fn new(limit: f64, validate_every: usize, interrupted: Arc<AtomicBool>) -> Self {
        Self { before: 0.0, running: Some(Instant::now()), limit, validate_every, interrupted }
    }
}

impl Hook for Stopwatch {
    fn on_event(&mut self, event: Event<'_>) -> Flow {
        let mut flow = Flow::Continue;
        match event {
            Event::Step { step, .. } if step.is_multiple_of(self.validate_every) => {
                self.before = self.seconds();
                self.running = None;
            }
            Event::Validation(line) => {
                self.running.get_or_insert_with(Instant::now);
                if line.seconds >= self.limit {
                    flow = Flow::Stop;
                }
            }
            _ => {}
        }
        if self.interrupted.load(Ordering::Relaxed) { Flow::Stop } else { flow }
    }

    fn seconds(&self) -> f64 {
        self.before + self.running.map_or(0.0, |since| since.elapsed().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn evaluations_cost_no_time() {
        let mut watch = Stopwatch::new(1e9, 2, Arc::default());
        watch.on_event(Event::Step { step: 1, loss: 0.0 });
        std::thread::sleep(Duration::from_millis(20));
        watch.on_event(Event::Step { step: 2, loss: 0.0 });
        let stood = watch.seconds();
        assert!(stood >= 0.02);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(watch.seconds(), stood);
    }

    #[test]
    fn an_interrupt_stops_at_once() {
        let stop = Arc::new(AtomicBool::new(false));
        let mut watch = Stopwatch::new(1e9, 2, Arc::clone(&stop));
        assert_eq!(watch.on_event(Event::Step { step: 1, loss: 0.0 }), Flow::Continue);
        stop.store(true, Ordering::Relaxed);
        assert_eq!(watch.on_event(Event::Step { step: 2, loss: 0.0 }), Flow::Stop);
    }
}
