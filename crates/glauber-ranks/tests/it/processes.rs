//! The same with processes as ranks, which `mpirun` begins.
#![cfg(feature = "mpi")]
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "the test is the program that it begins")]

use std::process::Command;

use glauber_ranks::{Processes, World};

/// Set in the processes that the test begins.
const CHILD: &str = "GLAUBER_RANKS_CHILD";
/// More entries than are exchanged at a time, and a number that no number of ranks divides.
const ENTRIES: usize = (1 << 22) + 3001;

/// Three numbers whose sum tells its order: 1 + 2⁻²⁴ rounds to 1, 2⁻²⁴ + 2⁻²⁴ + 1 does not.
fn value(rank: usize, entry: usize) -> f32 {
    let tiny = 2f32.powi(-24);
    if rank == entry % 3 { 1.0 } else { tiny }
}

/// What a process does; `cargo test` itself begins none.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let ranks = Processes::join().expect("joined once");
    let mut values: Vec<f32> = (0..ENTRIES).map(|entry| value(ranks.rank(), entry)).collect();
    ranks.all_reduce(&mut values);
    let expected = |entry: usize| (value(0, entry) + value(1, entry)) + value(2, entry);
    let wrong = values.iter().enumerate().filter(|(entry, sum)| sum.to_bits() != expected(*entry).to_bits()).count();
    let values: Vec<f32> = (0..ENTRIES).map(|entry| value(ranks.rank(), entry)).collect();
    for borders in [[0, 0, ENTRIES - 7, ENTRIES], [0, ENTRIES / 3, ENTRIES / 2, ENTRIES], [0; 4]] {
        let part = ranks.reduce_scatter(values[..borders[3]].to_vec(), &borders);
        assert_eq!(part.len(), borders[ranks.rank() + 1] - borders[ranks.rank()]);
        let joined = ranks.all_gather(part, &borders);
        assert_eq!(joined.len(), borders[3]);
        assert!(
            joined.iter().enumerate().all(|(entry, sum)| sum.to_bits() == expected(entry).to_bits()),
            "{borders:?}"
        );
    }
    let from = ranks.broadcast(vec![ranks.rank() as u8; ranks.rank() + 1]);
    let to = ranks.gather(vec![ranks.rank() as u8; ranks.rank() + 1]);
    let nothing = (ranks.broadcast(Vec::new()), ranks.gather(Vec::new()).concat());
    assert_eq!(nothing, (vec![], vec![]));
    println!("rank {}: {wrong} wrong, {from:?}, {to:?}, {}", ranks.rank(), ranks.local_rank());
}

#[test]
fn sums_over_processes_are_added_in_the_order_of_ranks() {
    let tests = std::env::current_exe().expect("this program");
    let mut command = Command::new("mpirun");
    command.args(["--oversubscribe", "--bind-to", "none", "-n", "3"]).arg(tests).args([
        "--exact",
        "processes::child",
        "--nocapture",
    ]);
    command.envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"), (CHILD, "1")]);
    command.env("OMPI_MCA_btl_vader_single_copy_mechanism", "none");
    let output = command.output().expect("`mpirun` starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for expected in [
        "rank 0: 0 wrong, [0], [[0], [1, 1], [2, 2, 2]], 0",
        "rank 1: 0 wrong, [0], [], 1",
        "rank 2: 0 wrong, [0], [], 2",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}
