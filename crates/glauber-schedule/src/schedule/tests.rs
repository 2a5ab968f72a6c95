//! Schedules against the product of their steps.

use super::*;
use crate::{Boundary, Neighbourhood};
use proptest::prelude::*;

fn orders(seed: u64) -> Vec<SiteOrder> {
    vec![
        SiteOrder::round_robin(6, 4).unwrap(),
        SiteOrder::permutation(6, 4, seed).unwrap(),
        SiteOrder::random_scan(6, 4, seed).unwrap(),
        SiteOrder::chromatic(2, 3, Neighbourhood::Eight, Boundary::Torus, 4).unwrap(),
        SiteOrder::strided(6, 4, 4).unwrap(),
        SiteOrder::from_blocks(6, vec![vec![0, 3], vec![1, 2], vec![0, 4, 5], vec![1]]).unwrap(),
    ]
}

const SHAPES: [SignalShape; 4] =
    [SignalShape::Linear, SignalShape::Cosine, SignalShape::LogLinear, SignalShape::ConstantBeta];

fn schedule(shape: SignalShape, order: SiteOrder) -> Schedule {
    Schedule::new(shape, order, NoiseLaw::uniform(3).unwrap(), 1e-3, true).unwrap()
}

fn listed(ends: &[f64], order: SiteOrder) -> Result<Schedule, ScheduleError> {
    Schedule::ending_at(ends, order, NoiseLaw::uniform(3).unwrap(), 1e-3, true)
}

/// The curve of a number below 5: a shape, or a list.
fn numbered(curve: usize, order: SiteOrder) -> Schedule {
    match SHAPES.get(curve) {
        Some(&shape) => schedule(shape, order),
        None => listed(&[0.6, 0.9, 0.95, 1.0][4 - order.sweeps()..], order).unwrap(),
    }
}

#[test]
fn sweeps_end_at_the_levels_of_a_list() {
    let order = SiteOrder::permutation(5, 3, 1).unwrap();
    let schedule = listed(&[0.85, 0.95, 1.0], order.clone()).unwrap();
    for site in 0..5 {
        assert_eq!([0, 5, 10, 15].map(|t| schedule.signal_level(site, t)), [1.0, 0.95, 0.85, 1e-3]);
    }
    assert!((schedule.with_sweeps(6).unwrap().signal_level(0, 15) - 0.9).abs() < 1e-15, "half way");
    let one = SiteOrder::round_robin(5, 1).unwrap();
    for shape in SHAPES {
        let (listed, shaped) = (listed(&[1.0], one.clone()).unwrap(), self::schedule(shape, one.clone()));
        assert!((0..=5).all(|t| (0..5).all(|j| listed.signal_level(j, t) == shaped.signal_level(j, t))));
    }
    for wrong in [&[0.9, 1.0][..], &[0.95, 0.85, 1.0], &[0.85, 0.95, 0.99], &[1e-3, 0.5, 1.0], &[f64::NAN, 0.5, 1.0]] {
        let error = listed(wrong, order.clone()).unwrap_err().to_string();
        assert!(error.contains("`sweeps`") && error.contains("3 levels"), "{error}");
    }
}

proptest! {
    #[test]
    fn signal_levels_equal_the_naive_product(curve in 0usize..5, order in 0usize..6, seed: u64) {
        let schedule = numbered(curve, orders(seed).swap_remove(order));
        let mut product = vec![1.0; schedule.len()];
        let mut levels = vec![0.0; schedule.len()];
        for t in 0..=schedule.horizon() {
            schedule.signal_levels(t, &mut levels);
            for (found, expected) in levels.iter().zip(&product) {
                prop_assert!((found / expected - 1.0).abs() < 1e-12);
            }
            if t < schedule.horizon() {
                for &site in schedule.sites(t) {
                    product[site] *= 1.0 - schedule.beta(t);
                }
            }
        }
    }

    #[test]
    fn step_at_level_equals_a_scan(curve in 0usize..5, order in 0usize..6, seed: u64, level in 1e-4..1.1f64) {
        let schedule = numbered(curve, orders(seed).swap_remove(order));
        let all_below = |t: &Step| (0..schedule.len()).all(|j| schedule.signal_level(j, *t) <= level);
        let expected = (0..=schedule.horizon()).find(all_below).unwrap_or(schedule.horizon());
        prop_assert_eq!(schedule.step_at_level(level), expected);
    }

    #[test]
    fn step_law_sums_to_one(shape in 0usize..4, t in 0usize..24) {
        let schedule = schedule(SHAPES[shape], orders(0).swap_remove(0));
        let noise: f64 = (0..3).map(|a| schedule.noise_probability(t, a)).sum();
        prop_assert!((noise + schedule.keep_probability(t) - 1.0).abs() < 1e-14);
        prop_assert!((schedule.log_noise_probability(t, 1).exp() - schedule.noise_probability(t, 1)).abs() < 1e-14);
    }
}

#[test]
fn balanced_orders_end_at_the_final_level_exactly() {
    for shape in SHAPES {
        let order = SiteOrder::permutation(5, 7, 3).unwrap();
        let law = NoiseLaw::uniform(2).unwrap();
        let schedule = Schedule::new(shape, order, law, 1e-3, false).unwrap();
        assert_eq!(schedule.final_signal(), 1e-3);
        assert_eq!(schedule.step_at_level(1e-3), schedule.horizon());
        assert_eq!(schedule.log_snr(0, 0), f64::INFINITY);
    }
}

#[test]
fn residual_signal_is_refused_by_name() {
    let law = NoiseLaw::uniform(2).unwrap();
    let order = SiteOrder::random_scan(50, 4, 0).unwrap();
    let refused = Schedule::new(SignalShape::Linear, order.clone(), law.clone(), 1e-3, false).unwrap_err();
    let text = refused.to_string();
    for word in ["site", "4 sweeps", "`sweeps`", "`final_signal`", "allow_residual_signal"] {
        assert!(text.contains(word), "{text}");
    }
    assert!(Schedule::new(SignalShape::Linear, order, law.clone(), 1e-3, true).is_ok());
    let order = SiteOrder::round_robin(4, 4).unwrap();
    assert!(Schedule::new(SignalShape::Linear, order.clone(), law.clone(), 2e-3, false).is_err());
    for level in [0.0, 1.0, -0.5, f64::NAN] {
        assert!(Schedule::new(SignalShape::Linear, order.clone(), law.clone(), level, true).is_err());
    }
}

#[test]
fn other_numbers_of_sweeps_meet_at_the_ends_of_sweeps() {
    for shape in SHAPES {
        for order in orders(3).into_iter().filter(SiteOrder::is_balanced) {
            let schedule = schedule(shape, order);
            for sweeps in [1, 2, 8, 12] {
                let other = schedule.with_sweeps(sweeps).unwrap();
                assert_eq!((other.sweeps(), other.law()), (sweeps, schedule.law()));
                for k in (0..=4).filter(|k| k * sweeps % 4 == 0) {
                    let (here, there) = (schedule.order().sweep_start(k), other.order().sweep_start(k * sweeps / 4));
                    assert_eq!(here * other.horizon(), there * schedule.horizon(), "the same fraction of the time");
                    for site in 0..schedule.len() {
                        let (a, b) = (schedule.signal_level(site, here), other.signal_level(site, there));
                        assert!((a / b - 1.0).abs() < 1e-12);
                    }
                }
                assert_eq!(other.with_sweeps(4).unwrap(), schedule);
            }
        }
    }
    let scan = SiteOrder::random_scan(8, 60, 0).unwrap();
    let law = NoiseLaw::uniform(2).unwrap();
    let scan = Schedule::new(SignalShape::ConstantBeta, scan, law, 1e-9, false).unwrap();
    assert!(matches!(scan.with_sweeps(1), Err(ScheduleError::ResidualSignal { .. })));
    assert_eq!(scan.with_sweeps(60).unwrap(), scan);
}
