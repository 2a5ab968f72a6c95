//! Processes that work together, on one machine or several: `mpirun` or `srun` begins them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::ensure;
use glauber_chain::StepDiagnostics;
use glauber_ranks::{Alone, Ranks};
use glauber_tokens::{Token, TokenBatch};

use crate::one_line;
use crate::progress::be_silent;

/// Where launchers say how many processes they began: Open MPI, then MPICH and its kin.
const SIZES: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];
/// Where Slurm says it, which is no job of several processes unless PMIx is there to bring them together.
const SLURM: [&str; 2] = ["PMIX_RANK", "SLURM_STEP_NUM_TASKS"];

/// Does something with the processes that were begun together. Only the first speaks; one that fails says who it is and ends all.
pub fn together(work: impl FnOnce(&Rc<dyn Ranks>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let ranks = join(processes(|name| std::env::var(name).ok()))?;
    if !ranks.is_first() {
        be_silent();
    }
    match work(&ranks) {
        Err(error) if ranks.size() > 1 => {
            let _ = writeln!(std::io::stderr(), "error: {}: {}", ranks.name(), one_line(&error));
            ranks.abort(2)
        }
        done => done,
    }
}

/// For work that is not shared.
pub fn alone() -> Rc<dyn Ranks> {
    Rc::new(Alone)
}

/// Refuses to do what each of several processes would do anew.
pub fn expect_single() -> anyhow::Result<()> {
    let processes = processes(|name| std::env::var(name).ok());
    ensure!(processes == 1, "begun as {processes} processes: only `train` and `sample` are shared; begin one");
    Ok(())
}

/// How many processes a launcher says it began.
fn processes(variable: impl Fn(&str) -> Option<String>) -> usize {
    let number = |name| variable(name)?.parse().ok();
    let slurm = || variable(SLURM[0]).and_then(|_| number(SLURM[1]));
    SIZES.into_iter().find_map(number).or_else(slurm).unwrap_or(1)
}

#[cfg(feature = "mpi")]
fn join(processes: usize) -> anyhow::Result<Rc<dyn Ranks>> {
    if processes == 1 {
        return Ok(Rc::new(Alone));
    }
    let Some(ranks) = glauber_ranks::Processes::join() else { anyhow::bail!("MPI was begun before in this process") };
    let size = ranks.size();
    ensure!(
        size == processes,
        "the launcher began {processes} processes and MPI knows of {size}: use the `mpirun` of the MPI library that this binary was built with"
    );
    Ok(Rc::new(ranks))
}

#[cfg(not(feature = "mpi"))]
fn join(processes: usize) -> anyhow::Result<Rc<dyn Ranks>> {
    ensure!(
        processes == 1,
        "begun as {processes} processes, which this binary cannot bring together: {}, or begin a single process",
        crate::device::build_with("mpi")
    );
    Ok(Rc::new(Alone))
}

/// The device for a rank: of several cards on a machine, `cuda` is another one for each rank.
pub fn device(name: &str, ranks: &dyn Ranks) -> String {
    match name {
        "cuda" => format!("cuda:{}", ranks.rank_on_machine()),
        _ => name.into(),
    }
}

/// Tells the other ranks which folder the first has begun or resumed; they wait for it in [`told`].
pub fn tell(ranks: &dyn Ranks, folder: &Path) -> anyhow::Result<()> {
    ranks.broadcast(std::path::absolute(folder)?.to_string_lossy().into_owned().into_bytes());
    Ok(())
}

/// The folder that the first rank has begun or resumed.
pub fn told(ranks: &dyn Ranks) -> anyhow::Result<PathBuf> {
    Ok(String::from_utf8(ranks.broadcast(Vec::new()))?.into())
}

/// The sequences that all ranks drew, in the order of the ranks, and what they took; at the first. None at the others.
pub fn gathered(
    ranks: &dyn Ranks,
    own: &[Token],
    sites: usize,
    done: StepDiagnostics,
) -> anyhow::Result<Option<(TokenBatch, StepDiagnostics)>> {
    let mut counts = [done.updates, done.changes, done.evaluations].map(|count| count as f64);
    ranks.sum_doubles(&mut counts);
    let all = ranks.gather(own.iter().flat_map(|token| token.to_le_bytes()).collect());
    if !ranks.is_first() {
        return Ok(None);
    }
    let tokens = all.iter().flat_map(|bytes| bytes.as_chunks().0).map(|bytes| Token::from_le_bytes(*bytes)).collect();
    let [updates, changes, evaluations] = counts.map(|count| count as u64);
    Ok(Some((TokenBatch::new(tokens, sites)?, StepDiagnostics { updates, changes, evaluations })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_are_known_by_what_they_leave_in_the_environment() {
        let size = |variables: &[(&str, &str)]| {
            processes(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(size(&[]), 1);
        assert_eq!(size(&[("OMPI_COMM_WORLD_SIZE", "4")]), 4);
        assert_eq!(size(&[("PMI_SIZE", "2")]), 2);
        assert_eq!(size(&[("PMIX_RANK", "0"), ("SLURM_STEP_NUM_TASKS", "8")]), 8);
        assert_eq!(size(&[("SLURM_STEP_NUM_TASKS", "8")]), 1, "processes that know nothing of each other");
    }

    #[test]
    fn one_alone_gathers_its_own() {
        let batch = TokenBatch::new(vec![1, 2, 70_000, 4], 2).unwrap();
        let done = StepDiagnostics { updates: 3, changes: 2, evaluations: 1 };
        assert_eq!(gathered(&Alone, batch.as_slice(), 2, done).unwrap(), Some((batch, done)));
        assert_eq!(device("cuda", &Alone), "cuda:0");
        assert_eq!(device("cuda:3", &Alone), "cuda:3");
    }
}
