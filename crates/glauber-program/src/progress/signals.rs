//! Signals to a process that trains.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::screen::remark;

/// Set when the terminal was closed (SIGHUP): there is nobody left to draw a bar for.
static TERMINAL_GONE: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// How much is under way that has to be brought to an end before the program may stop.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// Whether the terminal that began this process was closed.
pub fn terminal_gone() -> bool {
    TERMINAL_GONE.load(Ordering::Relaxed)
}

/// From here on the program outlives its terminal: SIGHUP takes the progress bar away, and nothing else.
///
/// # Errors
/// When the system lets no signal be caught.
pub fn outlive_terminal() -> anyhow::Result<()> {
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&TERMINAL_GONE))?;
    Ok(())
}

/// While there is one, Ctrl-C and SIGTERM set its flag: the run writes a checkpoint and stops. A second one ends the program at once, as the
/// first does where there is none; the last checkpoint stays.
pub struct StopGuard(Arc<AtomicBool>);

impl StopGuard {
    /// The flag, the same for all.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for StopGuard {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
    }
}

/// From here on the program does not stop where it stands when it is asked to, until the guard is dropped.
///
/// # Errors
/// When the system lets no signal be caught.
pub fn stop_on_interrupt() -> anyhow::Result<StopGuard> {
    static STOP: Mutex<Option<Arc<AtomicBool>>> = Mutex::new(None);
    let mut known = STOP.lock().unwrap_or_else(PoisonError::into_inner);
    let stop = match known.take() {
        Some(stop) => stop,
        None => {
            let stop = Arc::default();
            listen(Arc::clone(&stop))?;
            stop
        }
    };
    *known = Some(Arc::clone(&stop));
    UNDER_WAY.fetch_add(1, Ordering::Relaxed);
    Ok(StopGuard(stop))
}

/// What is done when a signal comes.
fn asked_to_stop(stop: &AtomicBool, code: i32) {
    if UNDER_WAY.load(Ordering::Relaxed) == 0 || stop.swap(true, Ordering::Relaxed) {
        std::process::exit(code);
    }
    remark("\nstopping after this step; once more to stop at once");
}

#[cfg(unix)]
fn listen(stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || signals.forever().for_each(|signal| asked_to_stop(&stop, 128 + signal)));
    Ok(())
}

#[cfg(not(unix))]
fn listen(stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    Ok(ctrlc::set_handler(move || asked_to_stop(&stop, 130))?)
}
