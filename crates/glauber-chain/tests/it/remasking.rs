//! Corrections at a level that stays, and ReMDM's loop and confidence, on the table of `docs/math.md`, §7.

use glauber_chain::{
    AfterStep, DrawControls, HeatBath, Lazy, Plan, PlannedSampler, Remask, Remasking, ReverseKernel, Sampler,
};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::Token;

use crate::all_sites::{distance_down, drawn, table};

const LEN: usize = 4;
const MASK: Token = 3;

fn absorbing() -> NoiseLaw {
    NoiseLaw::absorbing(4, MASK).unwrap()
}

fn schedule(order: SiteOrder) -> Schedule {
    Schedule::new(SignalShape::Linear, order, absorbing(), 1e-9, false).unwrap()
}

#[test]
fn sweeps_at_a_level_that_stays_are_exact_site_by_site() {
    let levels = [0.5, 0.5, 0.9, 0.9, 1.0];
    let schedule = schedule(SiteOrder::permutation(LEN, 2, 3).unwrap()).through(&levels).unwrap();
    assert_eq!((schedule.sweeps(), schedule.beta(4), schedule.beta(0) > 0.0), (5, 0.0, true));
    let exact = table(4).conditional(&schedule).unwrap();
    let remask = Remask::new(&absorbing(), Remasking::Cap(0.3), DrawControls::default()).unwrap();
    let kernels: [&dyn ReverseKernel; 3] = [&HeatBath::default(), &Lazy::default(), &remask];
    for kernel in kernels {
        assert!(distance_down(&schedule, &exact, kernel) < 1e-7, "{kernel:?}");
    }
    for wrong in [&[0.9, 0.5, 1.0][..], &[0.5, 0.9], &[0.0, 1.0], &[]] {
        assert!(schedule.through(wrong).is_err(), "{wrong:?}");
    }
}

/// Passes at one level near the data correct what passes of all sites got wrong before.
#[test]
fn the_loop_comes_nearer_to_the_data() {
    let of_all = schedule(SiteOrder::strided(LEN, LEN, 4).unwrap());
    let remask = Remask::new(&absorbing(), Remasking::Cap(0.3), DrawControls::default()).unwrap();
    let distance = |stays: usize| {
        let levels = [vec![0.45, 0.9], vec![0.9; stays], vec![0.95, 1.0]].concat();
        let schedule = of_all.through(&levels).unwrap();
        let exact = table(4).conditional(&schedule).unwrap();
        distance_down(&schedule, &AfterStep::new(exact, &schedule), &remask)
    };
    let found = [0, 4, 16].map(distance);
    assert!(found[0] > 0.1 && found[1] < 0.8 * found[0] && found[2] < found[1], "{found:?}");
}

#[test]
fn confidence_masks_again_and_leaves_no_mask() {
    let schedule = schedule(SiteOrder::strided(LEN, LEN, 16).unwrap());
    let exact = AfterStep::new(table(4).conditional(&schedule).unwrap(), &schedule);
    let plan = |plan| PlannedSampler::new(&schedule, plan, DrawControls::default()).unwrap();
    // Without masking again one mask a pass is written at random, in the end: exact.
    let ((never, _), _) = drawn(&plan(Plan::Remask(0.0)), &exact);
    assert!(never < 0.02, "{never}");
    let ((always, entropy), _) = drawn(&plan(Plan::Remask(1.0)), &exact);
    // It looks at what was drawn, and costs little: the sampling error is 0.015.
    assert!(always > 0.022 && always < 0.05 && (entropy - 3.547).abs() < 0.02, "{always}, {entropy}");
    let mut chains = plan(Plan::Remask(1.0)).start(200, 3);
    for row in 0..200 {
        chains.clamp(row, 1, 2).unwrap();
    }
    let done = plan(Plan::Remask(1.0)).sample(&exact, &mut chains).unwrap();
    assert!(chains.tokens().iter().all(|row| row[1] == 2 && !row.contains(&MASK)));
    // Of three free sites, some are written more than once.
    assert!(done.updates > 3 * 200 + 50, "{done:?}");
}
