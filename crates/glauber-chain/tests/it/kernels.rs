//! The law that a kernel reports is the law of its draws.

use glauber_chain::oracles::EnumeratedTable;
use glauber_chain::{
    Blend, BoundSampling, ChainRng, Chains, DrawControls, Flow, HeatBath, Lazy, LikelihoodBound, MaximalCoupling,
    Refusal, ReverseKernel, ReverseSampler, Sampler, Touch,
};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::{Token, TokenBatch};
use proptest::prelude::*;

/// Stays with probability a half of what it might, and else draws from the conditional: a kernel
/// that has nothing but its law.
#[derive(Debug)]
struct Sticky;

impl ReverseKernel for Sticky {
    fn log_probabilities(&self, touch: &Touch<'_>, rates: &mut [f64]) -> Result<(), Refusal> {
        DrawControls::default().log_law(rates)?;
        let stay = 0.5 * touch.signal_level() * touch.keep;
        rates.iter_mut().for_each(|log| *log += (1.0 - stay).ln());
        let shown = &mut rates[touch.shown as usize];
        *shown = (shown.exp() + stay).ln();
        Ok(())
    }
}

/// Every kernel there is, under every kind of controls.
fn kernels() -> Vec<Box<dyn ReverseKernel>> {
    let mut kernels: Vec<Box<dyn ReverseKernel>> = vec![Box::new(Sticky)];
    for controls in [
        DrawControls::default(),
        DrawControls { temperature: 0.0, ..Default::default() },
        DrawControls { temperature: 2.5, ..Default::default() },
        DrawControls { top_k: Some(2), ..Default::default() },
        DrawControls { temperature: 0.7, top_k: Some(3), top_p: Some(0.8) },
    ] {
        kernels.push(Box::new(HeatBath::new(controls).unwrap()));
        kernels.push(Box::new(Lazy::new(controls).unwrap()));
        kernels.push(Box::new(MaximalCoupling::new(controls).unwrap()));
        kernels.push(Box::new(Flow::new(controls).unwrap()));
        let blend = Blend::new(0.3, Lazy::new(controls).unwrap(), HeatBath::new(controls).unwrap());
        kernels.push(Box::new(blend.unwrap()));
    }
    kernels
}

fn schedules(vocab: usize) -> Vec<Schedule> {
    let uniform = NoiseLaw::uniform(vocab).unwrap();
    let absorbing = NoiseLaw::absorbing(vocab, 0).unwrap();
    let mixture = NoiseLaw::mixture(&[(0.7, absorbing.clone()), (0.3, uniform.clone())]).unwrap();
    let order = SiteOrder::round_robin(2, 4).unwrap();
    let of = |law| Schedule::new(SignalShape::Linear, order.clone(), law, 1e-3, true).unwrap();
    [uniform, absorbing, mixture].into_iter().map(of).collect()
}

/// Uniform numbers in all, evenly spaced.
const GRID: usize = 1 << 12;

/// The share of the unit interval that gives each token, shape `[token]`; none where a draw is
/// refused.
fn swept(kernel: &dyn ReverseKernel, touch: &Touch<'_>, rates: &[f64]) -> Result<Vec<f64>, Refusal> {
    let mut shares = vec![0.0; rates.len()];
    for k in 0..GRID {
        let mut row: Vec<f64> = rates.iter().map(|r| if kernel.reads_logs() { r.ln() } else { *r }).collect();
        let token = kernel.draw(touch, &mut row, (k as f64 + 0.5) / GRID as f64)?;
        shares[token as usize] += 1.0 / GRID as f64;
    }
    Ok(shares)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A token has one stretch of the unit interval, so that the grid measures its probability to
    /// less than two of its spacings.
    #[test]
    fn the_law_reported_is_the_law_of_the_draws(
        weights in prop::collection::vec(0u8..5, 2..6), mass in 0.5..2.0f64, shown in 0usize..6, step in 0usize..8,
    ) {
        let sum: f64 = weights.iter().map(|&w| f64::from(w)).sum();
        prop_assume!(sum > 0.0);
        let rates: Vec<f64> = weights.iter().map(|&w| f64::from(w) / sum * mass).collect();
        let shown = (shown % rates.len()) as Token;
        for (schedule, kernel) in schedules(rates.len()).iter().flat_map(|s| kernels().into_iter().map(move |k| (s, k))) {
            let touch = Touch::new(schedule, step, step % 2, shown);
            let mut law: Vec<f64> = rates.iter().map(|r| r.ln()).collect();
            prop_assert!(kernel.log_probabilities(&touch, &mut law).is_ok());
            let law: Vec<f64> = law.iter().map(|log| log.exp()).collect();
            prop_assert!((law.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{kernel:?}: {law:?}");
            let Ok(shares) = swept(&kernel, &touch, &rates) else {
                // The one context that has a law but no draws: a token that neither data nor noise can have put there.
                prop_assert!(rates[shown as usize] == 0.0 && touch.noise(shown) == 0.0, "{kernel:?}");
                continue;
            };
            for (share, p) in shares.iter().zip(&law) {
                prop_assert!((share - p).abs() < 2.0 / GRID as f64, "{kernel:?}: {shares:?} for {law:?}");
            }
        }
    }
}

#[test]
fn what_has_no_mass_is_refused_in_words_and_in_draws() {
    let schedule = &schedules(3)[0];
    let touch = Touch::new(schedule, 5, 1, 2);
    for kernel in kernels() {
        for rates in [[0.0; 3], [f64::NAN, 0.5, 0.5]] {
            let mut law = rates.map(f64::ln);
            assert!(kernel.log_probabilities(&touch, &mut law).is_err(), "{kernel:?}");
            assert!(swept(&kernel, &touch, &rates).is_err(), "{kernel:?}");
        }
    }
}

#[test]
fn kernels_have_names_and_touches_tell_of_their_step() {
    let names = |kernel: &dyn ReverseKernel| kernel.name();
    assert_eq!([names(&HeatBath::default()), names(&Lazy::default()), names(&Sticky)], ["heat bath", "lazy", "Sticky"]);
    assert_eq!((&HeatBath::default() as &dyn ReverseKernel).is_plain(), Box::new(HeatBath::default()).is_plain());
    let schedule = &schedules(3)[2];
    let touch = Touch::new(schedule, 5, 1, 2);
    assert_eq!((touch.step, touch.site, touch.shown), (5, 1, 2));
    assert_eq!(touch.signal_level(), schedule.signal_level(1, 5));
    assert_eq!((touch.keep, touch.noise(0)), (schedule.keep_probability(5), schedule.noise_probability(5, 0)));
}

/// A kernel from outside goes through the sampler, draw by draw as its law says, and through the
/// bound.
#[test]
fn a_kernel_of_ones_own_is_sampled_and_bounded() {
    let table = EnumeratedTable::new(3, 2, vec![4.0, 0.5, 0.5, 0.5, 3.0, 0.5, 0.5, 0.5, 2.0]).unwrap();
    let schedule = &schedules(3)[0];
    let conditional = table.conditional(schedule).unwrap();
    let sampler = ReverseSampler::new(schedule, Sticky);
    let mut chains = sampler.start(20, 3);
    let (mut tokens, mut rngs) = chains.clone().into_parts();
    let done = sampler.sample(&conditional, &mut chains).unwrap();
    assert_eq!((done.updates, done.rounds), (20 * 8, 8));
    for (row, rng) in rngs.iter_mut().enumerate() {
        for t in (0..schedule.horizon()).rev() {
            let site = schedule.sites(t)[0];
            let state = table.state(tokens.row(row));
            let rates = &table.conditionals(&table.law_at(schedule, t), site)[state * 3..][..3];
            let mut law: Vec<f64> = rates.iter().map(|r| r.ln()).collect();
            let shown = tokens.row(row)[site];
            Sticky.log_probabilities(&Touch::new(schedule, t, site, shown), &mut law).unwrap();
            let mut rest = rng.uniform();
            let token = law.iter().position(|log| {
                rest -= log.exp();
                rest < 0.0
            });
            tokens.row_mut(row)[site] = token.unwrap() as Token;
        }
    }
    assert_eq!(chains.tokens(), &tokens);

    // The exact law of X_0 under this kernel: no state is likelier than its bound says.
    let bound = LikelihoodBound::new(schedule, Sticky);
    let clean = TokenBatch::from_rows([[0, 0], [1, 1]]).unwrap();
    let own = bound.estimate(&conditional, &clean, &mut ChainRng::streams(1, 2), BoundSampling::default()).unwrap();
    let best = bound.exact_mean(&table, &conditional).unwrap().total();
    let lazy = LikelihoodBound::new(schedule, Lazy::default()).exact_mean(&table, &conditional).unwrap().total();
    assert!(best > lazy + 1e-3 && own.totals().iter().all(|nats| nats.is_finite()), "{best} {lazy}");
}

/// Where no schedule says what a step drew, the lazy kernel has nothing to be lazy about.
#[test]
fn over_an_order_alone_every_kernel_draws_from_the_conditional() {
    let table = EnumeratedTable::new(2, 2, vec![6.0, 1.0, 2.0, 3.0]).unwrap();
    let order = SiteOrder::round_robin(2, 40).unwrap();
    let target = table.conditional(&schedules(2)[0]).unwrap();
    for kernel in [Box::new(HeatBath::default()) as Box<dyn ReverseKernel>, Box::new(Lazy::default())] {
        let mut chains = Chains::seeded(TokenBatch::filled(20_000, 2, 1), 6);
        // Step 0 is that of clean data: a target that stays.
        for step in 0..order.horizon() {
            kernel.update(&target, &mut chains, 0, order.sites(step)).unwrap();
        }
        let mut counts = [0.0; 4];
        chains.tokens().iter().for_each(|row| counts[table.state(row)] += 1.0 / 20_000.0);
        for (found, p) in counts.iter().zip(table.probabilities()) {
            assert!((found - p).abs() < 0.015, "{}: {counts:?}", kernel.name());
        }
    }
}
