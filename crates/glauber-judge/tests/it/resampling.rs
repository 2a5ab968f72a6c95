//! Errors by resampling are what they should be where that is known.

use glauber_chain::ChainRng;
use glauber_judge::Bootstrap;

fn uniform(count: usize, stream: u64) -> Vec<f64> {
    let mut rng = ChainRng::new(7, stream);
    (0..count).map(|_| rng.uniform()).collect()
}

#[test]
fn the_error_of_a_mean_is_the_deviation_by_the_root_of_the_number() {
    let values = uniform(400, 0);
    let found = Bootstrap::default().mean(&values);
    assert!((found.mean - values.iter().sum::<f64>() / 400.0).abs() < 1e-12);
    let expected = (1.0f64 / 12.0 / 400.0).sqrt();
    assert!((found.standard_error / expected - 1.0).abs() < 0.15, "{found:?}, {expected}");
}

#[test]
fn a_ratio_weighs_rows_by_what_is_counted_in() {
    // Three of four in one row, none of one in another: three of five, not the mean 3/8.
    let found = Bootstrap::default().ratio(&[(3.0, 4.0), (0.0, 1.0)]);
    assert_eq!(found.mean, 0.6);
    // Both rows twice in a quarter of the resamples each: 0.75, 0; else 0.6.
    let values: [f64; 4] = [0.75, 0.6, 0.6, 0.0];
    let mean = values.iter().sum::<f64>() / 4.0;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 4.0).sqrt();
    assert!((found.standard_error / deviation - 1.0).abs() < 0.1, "{found:?}, {deviation}");
}

#[test]
fn pairs_remove_what_both_have_in_common() {
    let (common, own) = (uniform(300, 1), uniform(300, 2));
    let a: Vec<f64> = common.iter().zip(&own).map(|(common, own)| common + 0.1 * own).collect();
    let bootstrap = Bootstrap { resamples: 500, seed: 3 };
    let found = bootstrap.paired_difference(&a, &common);
    let unpaired = bootstrap.mean(&a).standard_error.hypot(bootstrap.mean(&common).standard_error);
    assert!(found.deviation_from(0.05).abs() < 4.0, "{found:?}");
    assert!(found.standard_error < 0.15 * unpaired, "{found:?}, {unpaired}");
}

#[test]
fn equal_seeds_give_equal_errors_and_one_row_gives_none() {
    let values = uniform(50, 4);
    let error = |seed| Bootstrap { resamples: 200, seed }.mean(&values).standard_error;
    assert_eq!(error(1), error(1));
    assert_ne!(error(1), error(2));
    assert!(Bootstrap::default().mean(&[1.0]).standard_error.is_infinite());
}
