//! Signals to a process that trains.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

/// Set when the terminal was closed (SIGHUP): there is nobody left to draw a bar for.
static TERMINAL_GONE: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Whether the terminal that began this process was closed.
pub fn terminal_gone() -> bool {
    TERMINAL_GONE.load(Ordering::Relaxed)
}

/// A flag that Ctrl-C and SIGTERM set: the run writes a checkpoint and stops. A second one ends the program at once; the last checkpoint
/// stays. From here on the program outlives its terminal: SIGHUP takes the bar away, and nothing else.
pub fn stop_on_interrupt() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        let _ = writeln!(std::io::stderr(), "\nstopping after this step; once more to stop at once");
    })?;
    #[cfg(unix)]
    on_unix(&stop)?;
    Ok(stop)
}

#[cfg(unix)]
fn on_unix(stop: &Arc<AtomicBool>) -> anyhow::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGTERM};
    use signal_hook::flag;
    // In this order: the first SIGTERM finds the flag unset and sets it, the second finds it set.
    flag::register_conditional_shutdown(SIGTERM, 128 + SIGTERM, Arc::clone(stop))?;
    flag::register(SIGTERM, Arc::clone(stop))?;
    flag::register(SIGHUP, Arc::clone(&TERMINAL_GONE))?;
    Ok(())
}
