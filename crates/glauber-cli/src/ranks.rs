//! Ranks: processes on one or more machines, started by `mpirun` or `srun`, or threads of this process with one device
//! each.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::ensure;
use glauber_program::device::Devices;
use glauber_program::progress::be_silent;
use glauber_program::screen::remark;
use glauber_program::{is_broken_pipe, processes};
use glauber_ranks::{Alone, Threads, World};
use glauber_run::{Rank, RunError, one_line};
use glauber_train::TrainError;

/// Runs a rank's part of some work on its device. Only the first rank prints. A failing rank prints its name and ends
/// all ranks.
fn perform(rank: &Rank, device: &str, work: &impl Fn(&Rank, &str) -> anyhow::Result<()>) -> anyhow::Result<()> {
    if !rank.is_first() {
        be_silent();
    }
    match work(rank, device) {
        // A reader goes away when all is gathered: nobody waits for the first any more.
        Err(error) if rank.size() > 1 && !is_broken_pipe(&error) => fail(rank, &error),
        done => done,
    }
}

/// Prints the error, and ends all ranks.
fn fail(rank: &Rank, error: &anyhow::Error) -> anyhow::Result<()> {
    /// Set by the first thread that prints an error.
    static SAID: AtomicBool = AtomicBool::new(false);
    if meets_all(error) && !rank.is_first() {
        return Ok(()); // the first tells it, and writes it down
    }
    if SAID.swap(true, Ordering::Relaxed) {
        // The one that speaks ends the process.
        loop {
            std::thread::park();
        }
    }
    remark(&format!("error: {}: {}", rank.name(), one_line(error.as_ref())));
    rank.abort(2)
}

/// Whether all ranks get an error at the same time.
fn meets_all(error: &anyhow::Error) -> bool {
    let of_run = error.downcast_ref().and_then(|error| match error {
        RunError::Train(error) => Some(error),
        _ => None,
    });
    matches!(error.downcast_ref().or(of_run), Some(TrainError::Apart { .. } | TrainError::Diverged { .. }))
}

/// Runs some work on all started processes, or on one thread per device of `--device`. Each rank receives its device.
pub fn together(devices: &Devices, work: impl Fn(&Rank, &str) -> anyhow::Result<()> + Sync) -> anyhow::Result<()> {
    let processes = processes();
    let names = match &devices.names[..] {
        [name] => {
            let rank = Rank::new(join(processes)?, 1, Vec::new());
            return perform(&rank, &device(name, &*rank), &work);
        }
        names => names,
    };
    ensure!(
        processes == 1,
        "`--device {}` names several devices for each of {processes} processes, expected one; `cuda` gives each process of a machine its own GPU",
        names.join(",")
    );
    devices.check()?;
    let reducing_devices = if devices.all_reduce { devices.reducing_devices() } else { Vec::new() };
    std::thread::scope(|scope| {
        let here = devices.on_the_cpu().max(1);
        let begin = |(ranks, name)| {
            let (work, devices) = (&work, reducing_devices.clone());
            scope.spawn(move || perform(&Rank::new(Rc::new(ranks), here, devices), name, work))
        };
        let ranks: Vec<_> =
            Threads::world(names.len()).into_iter().zip(names.iter().map(String::as_str)).map(begin).collect();
        // One that fails, or panics, has ended the process.
        ranks.into_iter().try_for_each(|rank| rank.join().unwrap_or(Ok(())))
    })
}

#[cfg(feature = "mpi")]
fn join(processes: usize) -> anyhow::Result<Rc<dyn World>> {
    if processes == 1 {
        return Ok(Rc::new(Alone));
    }
    let Some(ranks) = glauber_ranks::Processes::join() else {
        anyhow::bail!("MPI is already initialised in this process")
    };
    let size = ranks.size();
    ensure!(
        size == processes,
        "the launcher started {processes} processes, but MPI reports a world of {size}: use the `mpirun` of the MPI library that this binary was built with"
    );
    Ok(Rc::new(ranks))
}

#[cfg(not(feature = "mpi"))]
fn join(processes: usize) -> anyhow::Result<Rc<dyn World>> {
    ensure!(
        processes == 1,
        "started as {processes} processes, but this binary has no way to connect them: {}, or start a single process",
        glauber_program::device::build_with("mpi")
    );
    Ok(Rc::new(Alone))
}

/// The device of a process: `cuda` selects a different GPU for each rank of a machine.
fn device(name: &str, ranks: &dyn World) -> String {
    match name {
        "cuda" => format!("cuda:{}", ranks.local_rank()),
        _ => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_of_a_machine_has_a_card_of_its_own() {
        assert_eq!(device("cuda", &Alone), "cuda:0");
        assert_eq!(device("cuda:3", &Alone), "cuda:3");
    }
}
