//! Signal handling of training processes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::screen::remark;

/// Set when the terminal was closed (SIGHUP), so that no bar is drawn.
static TERMINAL_GONE: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// Number of tasks that must finish before the program may stop.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// Whether the terminal of this process was closed.
pub fn terminal_gone() -> bool {
    TERMINAL_GONE.load(Ordering::Relaxed)
}

/// Lets the program outlive its terminal: SIGHUP only removes the progress bar.
///
/// # Errors
/// If signals cannot be caught.
pub fn outlive_terminal() -> anyhow::Result<()> {
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&TERMINAL_GONE))?;
    Ok(())
}

/// While a guard exists, Ctrl-C and SIGTERM set its flag: the run writes a checkpoint and stops. A second signal ends
/// the program at once, as does the first without a guard; the last checkpoint is kept.
pub struct StopGuard(Arc<AtomicBool>);

impl StopGuard {
    /// The shared flag.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for StopGuard {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Defers stopping until the guard is dropped.
///
/// # Errors
/// If signals cannot be caught.
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

/// The signal handler.
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
