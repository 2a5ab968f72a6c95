//! What an oracle or a kernel has no answer to is an error.

use glauber_chain::oracles::{MarkovMixture, MarkovSource};
use glauber_chain::{ChainError, Lazy, SiteConditional, TokenRows};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};

fn schedule() -> Schedule {
    let order = SiteOrder::round_robin(4, 2).unwrap();
    Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(3).unwrap(), 1e-3, false).unwrap()
}

fn source() -> MarkovSource {
    MarkovSource::random(3, 1, 1.0).unwrap()
}

#[test]
fn rows_are_checked_against_a_length_and_a_vocabulary() {
    let check = |tokens: &[u32], len: usize| TokenRows::new(tokens, len).check(4, 3);
    assert!(check(&[0, 1, 2, 2, 0, 0, 0, 0], 4).is_ok() && check(&[], 4).is_ok());
    assert!(matches!(check(&[0; 6], 3), Err(ChainError::Mismatch { found: 3, expected: 4, .. })));
    let error = check(&[0, 0, 0, 0, 0, 3, 0, 0], 4).unwrap_err().to_string();
    assert!(error.contains("token 3 at row 1, site 1"), "{error}");
}

#[test]
fn posteriors_of_tokens_that_there_are_not_are_refused() {
    let posteriors = |noisy: &[u32], sites: &[usize]| source().denoising_posteriors(&schedule(), 3, noisy, sites);
    assert!(posteriors(&[0, 1, 2, 0], &[3]).is_ok());
    assert!(posteriors(&[0, 1, 3, 0], &[3]).is_err());
    assert!(posteriors(&[0, 1, 2], &[2]).is_err());
    assert!(posteriors(&[0, 1, 2, 0], &[4]).is_err());
    let posterior = |rates: &mut [f64], shown: u32| Lazy::posterior(&schedule(), 3, 0, shown, rates);
    assert!(posterior(&mut [0.2, 0.3, 0.5], 2).is_ok());
    assert!(posterior(&mut [0.2, 0.3, 0.5], 3).is_err());
    assert!(posterior(&mut [0.2, 0.3], 1).is_err());
    assert!(posterior(&mut [0.2, 0.3, 0.3, 0.2], 3).is_err());
}

#[test]
fn nothing_asked_is_nothing_written() {
    let (schedule, source) = (schedule(), source());
    let mixture = MarkovMixture::new(vec![1.0], vec![source.clone()]).unwrap();
    let conditionals: [&dyn SiteConditional; 2] =
        [&source.conditional(&schedule).unwrap(), &mixture.conditional(&schedule).unwrap()];
    for conditional in conditionals {
        conditional.log_conditionals(TokenRows::new(&[0; 8], 4), 1, &[], &mut []).unwrap();
    }
}
