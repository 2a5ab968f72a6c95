//! Signals to a process that trains.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// Set when the terminal was closed (SIGHUP): there is nobody left to draw a bar for.
static TERMINAL_GONE: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Whether the terminal that began this process was closed.
pub fn terminal_gone() -> bool {
    TERMINAL_GONE.load(Ordering::Relaxed)
}

/// From here on the program outlives its terminal: SIGHUP takes the progress bar away, and nothing else.
pub fn outlive_terminal() -> anyhow::Result<()> {
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&TERMINAL_GONE))?;
    Ok(())
}

/// A flag that Ctrl-C and SIGTERM set, the same for all who ask: the run writes a checkpoint and stops. A second one ends the program at once; the last
/// checkpoint stays.
pub fn stop_on_interrupt() -> anyhow::Result<Arc<AtomicBool>> {
    static STOP: Mutex<Option<Arc<AtomicBool>>> = Mutex::new(None);
    let mut known = STOP.lock().unwrap_or_else(PoisonError::into_inner);
    let stop = match known.take() {
        Some(stop) => stop,
        None => set_on_interrupt()?,
    };
    *known = Some(Arc::clone(&stop));
    Ok(stop)
}

fn set_on_interrupt() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        let _ = writeln!(std::io::stderr(), "\nstopping after this step; once more to stop at once");
    })?;
    #[cfg(unix)]
    stop_on_termination(&stop)?;
    Ok(stop)
}

#[cfg(unix)]
fn stop_on_termination(stop: &Arc<AtomicBool>) -> anyhow::Result<()> {
    use signal_hook::consts::SIGTERM;
    use signal_hook::flag;
    // In this order: the first finds the flag unset and sets it, the second finds it set.
    flag::register_conditional_shutdown(SIGTERM, 128 + SIGTERM, Arc::clone(stop))?;
    flag::register(SIGTERM, Arc::clone(stop))?;
    Ok(())
}
