//! Weighted sequences are drawn with the law of their target.

use glauber_chain::ChainRng;
use glauber_energy::{Annealing, Levels, Particles, ProductLaw, Table, exact, unwatched};
use glauber_gflownet::{Buffer, GflownetError};

/// χ² over its degrees of freedom of draws against the target.
fn chi_square(buffer: &Buffer, target: &Table, draws: usize) -> f64 {
    let listed = exact::enumerate(target).unwrap();
    let mut counts = vec![0.0; listed.probabilities().len()];
    let mut rng = ChainRng::new(4, 0);
    (0..draws).for_each(|_| counts[listed.state(buffer.draw(&mut rng))] += 1.0);
    let each = counts.iter().zip(listed.probabilities()).map(|(n, p)| {
        let expected = p * draws as f64;
        (n - expected).powi(2) / expected
    });
    each.sum::<f64>() / (counts.len() - 1) as f64
}

#[test]
fn weighted_sequences_and_refreshed_ones_have_the_law_of_the_target() {
    let target = Table::random(2, 4, 1.5, 3).unwrap();
    // Every sequence 500 times, weighted by its density: 15 degrees of freedom.
    let all = exact::enumerate(&exact_uniform()).unwrap();
    let mut buffer = Buffer::new(8000).unwrap();
    let sequences = (0..8000).map(|at| all.sequence(at % 16));
    let weigh = |x: Vec<u32>| {
        let log = glauber_energy::Target::log_density(&target, &x);
        (x, log)
    };
    buffer.extend(sequences.map(weigh)).unwrap();
    assert_eq!(buffer.len(), 8000);
    assert!(chi_square(&buffer, &target, 8000) < 2.3, "{}", chi_square(&buffer, &target, 8000));
    assert!(chi_square(&buffer, &exact_uniform(), 8000) > 50.0, "it is not the null law");
    // Half of the buffer is replaced by chains with equal weights.
    let mean = |logs: &[f64]| (logs.iter().map(|log| log.exp()).sum::<f64>() / logs.len() as f64).ln();
    let before = mean(buffer.log_weights());
    buffer.refresh(&target, 4000, 3, 9).unwrap();
    assert_eq!(buffer.len(), 8000);
    assert!(buffer.log_weights()[..4000].iter().all(|log| (log - before).abs() < 1e-12));
    assert!(chi_square(&buffer, &target, 4000) < 2.3, "{}", chi_square(&buffer, &target, 4000));
}

fn exact_uniform() -> Table {
    Table::new(2, 4, vec![0.0; 16]).unwrap()
}

#[test]
fn particles_of_annealing_have_the_law_of_the_target() {
    let target = Table::random(2, 4, 1.5, 3).unwrap();
    let base = ProductLaw::uniform(2, 4);
    let mut particles = Particles::new(&target, &base, 8000, 2).unwrap();
    let annealed = Annealing::default().run(&mut particles, &Levels::linear(8).unwrap(), &mut unwatched).unwrap();
    let buffer = Buffer::of_particles(&annealed).unwrap();
    let mean = buffer.log_weights().iter().map(|log| log.exp()).sum::<f64>() / 8000.0;
    assert!((mean.ln() - annealed.log_partition.estimate).abs() < 1e-10);
    assert!(chi_square(&buffer, &target, 4000) < 2.5, "{}", chi_square(&buffer, &target, 4000));
}

#[test]
fn the_oldest_goes_first_and_bad_weights_are_refused() {
    let mut buffer = Buffer::new(2).unwrap();
    buffer.extend([(vec![0], 0.0), (vec![1], 0.0), (vec![2], 0.0)]).unwrap();
    let mut rng = ChainRng::new(1, 0);
    assert!((0..50).all(|_| buffer.draw(&mut rng) != [0]));
    assert!(matches!(Buffer::new(0), Err(GflownetError::OutOfRange { .. })));
    let error = buffer.extend([(vec![0], f64::NAN)]).unwrap_err().to_string();
    assert!(error.contains("NaN"), "{error}");
    let error = Buffer::new(1).unwrap().extend([(vec![0], f64::NEG_INFINITY)]).unwrap_err().to_string();
    assert!(error.contains("no particle"), "{error}");
}

#[test]
fn a_buffer_is_read_back_and_other_bytes_are_refused() {
    let mut buffer = Buffer::new(3).unwrap();
    assert!(buffer.to_bytes().is_err());
    buffer.extend([(vec![0, 2, 1], 0.1 + 0.2), (vec![1, 1, 1], f64::NEG_INFINITY), (vec![2, 0, 0], -1e300)]).unwrap();
    let bytes = buffer.to_bytes().unwrap();
    let read = Buffer::from_bytes(&bytes, 3, 3).unwrap();
    assert!(read == buffer && read.log_weights()[0].to_bits() == (0.1f64 + 0.2).to_bits());
    assert_eq!(read.token_counts(3), [3, 4, 2]);
    for (vocab, sites) in [(2, 3), (3, 4), (3, 0)] {
        let error = Buffer::from_bytes(&bytes, vocab, sites).unwrap_err();
        assert!(matches!(error, GflownetError::Damaged(_)), "{error}");
    }
    for end in 0..bytes.len() {
        assert!(Buffer::from_bytes(&bytes[..end], 3, 3).is_err(), "{end} bytes");
    }
    buffer.extend([(vec![0], 0.0)]).unwrap();
    assert!(buffer.to_bytes().is_err());
}
