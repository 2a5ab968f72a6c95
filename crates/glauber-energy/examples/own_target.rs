//! A target of your own: one function gives samples, `log Z` with an interval, and exact values to compare with.
//!
//! `cargo run --release -p glauber-energy --example own_target`

#![allow(clippy::disallowed_macros, reason = "a program")]

use std::ops::ControlFlow;

use glauber_energy::{Model, Study, StudySettings, Target, exact};
use glauber_tokens::Token;

/// Ten beads on a ring in one of four states. A bead likes its neighbours to differ from it by one.
struct Beads;

impl Target for Beads {
    fn vocab(&self) -> usize {
        4
    }

    fn len(&self) -> usize {
        10
    }

    fn log_density(&self, beads: &[Token]) -> f64 {
        let steps = beads.iter().zip(beads.iter().cycle().skip(1));
        steps.map(|(a, b)| if a.abs_diff(*b) == 1 { 0.9 } else { 0.0 }).sum()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = StudySettings { sweeps: 200, ..StudySettings::default() };
    let study = Study::of(&Model::new("beads", Beads), &settings, &mut |_| ControlFlow::Continue(()))?;
    let [low, high] = study.log_partition.interval;
    let exact = exact::enumerate(&Beads)?.log_partition();
    println!("log Z = {:.3} ({low:.3} to {high:.3}), {exact:.3} by enumeration", study.log_partition.estimate);
    println!("a sample: {:?}", study.samples.row(0));
    assert!((study.log_partition.estimate - exact).abs() < 0.1);
    Ok(())
}
