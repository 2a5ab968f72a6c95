//! Detects launchers of several processes.

use anyhow::ensure;

/// Environment variables with the number of processes: Open MPI, then MPICH and derivatives.
const SIZES: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];
/// Slurm's variable. It counts only if PMIx is present to connect the processes.
const SLURM: [&str; 2] = ["PMIX_RANK", "SLURM_STEP_NUM_TASKS"];

/// Rejects several processes for commands that cannot share work.
///
/// # Errors
/// If a launcher started several.
pub fn expect_single() -> anyhow::Result<()> {
    let processes = processes();
    ensure!(
        processes == 1,
        "started as {processes} processes, expected one: only `sample`, and `train` on text, images, Sudoku grids or a Markov source, use several"
    );
    Ok(())
}

/// The number of processes that a launcher started.
pub fn processes() -> usize {
    told(|name| std::env::var(name).ok())
}

fn told(variable: impl Fn(&str) -> Option<String>) -> usize {
    let number = |name| variable(name)?.parse().ok();
    let slurm = || variable(SLURM[0]).and_then(|_| number(SLURM[1]));
    SIZES.into_iter().find_map(number).or_else(slurm).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_are_known_by_what_they_leave_in_the_environment() {
        let size = |variables: &[(&str, &str)]| {
            told(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(size(&[]), 1);
        assert_eq!(size(&[("OMPI_COMM_WORLD_SIZE", "4")]), 4);
        assert_eq!(size(&[("PMI_SIZE", "2")]), 2);
        assert_eq!(size(&[("PMIX_RANK", "0"), ("SLURM_STEP_NUM_TASKS", "8")]), 8);
        assert_eq!(size(&[("SLURM_STEP_NUM_TASKS", "8")]), 1, "processes that know nothing of each other");
    }
}
