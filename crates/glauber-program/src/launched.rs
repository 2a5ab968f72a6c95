//! What a launcher of several processes says.

use anyhow::ensure;

/// Where launchers say how many processes they began: Open MPI, then MPICH and its kin.
const SIZES: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];
/// Where Slurm says it, which is no job of several processes unless PMIx is there to bring them together.
const SLURM: [&str; 2] = ["PMIX_RANK", "SLURM_STEP_NUM_TASKS"];

/// Refuses to do what each of several processes would do anew.
///
/// # Errors
/// When a launcher began several.
pub fn expect_single() -> anyhow::Result<()> {
    let processes = processes();
    ensure!(
        processes == 1,
        "started as {processes} processes, expected one: only `sample`, and `train` on text, images, Sudoku grids or a Markov source, use several"
    );
    Ok(())
}

/// How many processes a launcher says it began.
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
