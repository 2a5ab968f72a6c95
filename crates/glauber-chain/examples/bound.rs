//! The likelihood bound (N) with exact conditionals: what it should be, what it is, and how loose heat bath makes it.
//!
//! `cargo run --release -p glauber-chain --example bound [rows] [draws]`

use std::error::Error;

use glauber_chain::oracles::{EnumeratedTable, MarkovSource};
use glauber_chain::statistics::Estimate;
use glauber_chain::{BoundKernel, BoundSampling, BoundTerms, ChainRng, LikelihoodBound};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::TokenBatch;

const SWEEPS: [usize; 5] = [1, 2, 4, 8, 16];

fn main() -> Result<(), Box<dyn Error>> {
    let argument = |at: usize, default: usize| -> Result<usize, std::num::ParseIntError> {
        std::env::args().nth(at).map_or(Ok(default), |text| text.parse())
    };
    let (rows, draws) = (argument(1, 256)?, argument(2, 32)?);
    enumerated()?;
    markov(rows, draws)
}

/// A random π over 4 tokens of which the last is a mask that no data holds, 4 sites; every sum exact.
fn enumerated() -> Result<(), Box<dyn Error>> {
    let (vocab, len) = (4usize, 4usize);
    let mut rng = ChainRng::new(17, 0);
    let mut weight = |state: usize| {
        let masked = (0..len).any(|site| state / vocab.pow(site as u32) % vocab == vocab - 1);
        if masked { 0.0 } else { rng.uniform().powi(3) }
    };
    let table = EnumeratedTable::new(vocab, len, (0..vocab.pow(len as u32)).map(&mut weight).collect())?;
    let entropy: f64 = table.probabilities().iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum();
    let absorbing = NoiseLaw::absorbing(vocab, 3)?;
    let mixture = NoiseLaw::mixture(&[(0.9, absorbing.clone()), (0.1, NoiseLaw::uniform(vocab)?)])?;
    let data = [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0];
    println!(
        "{vocab}^{len} sequences, entropy {entropy:.12} nats, round-robin, linear, final signal 1e-3; bounds in nats"
    );
    println!("sweeps  noise       entropy + start       lazy (L)      difference   heat bath    looser by");
    for (name, law) in [
        ("uniform", NoiseLaw::uniform(vocab)?),
        ("unigram", NoiseLaw::unigram(&[5, 3, 1, 0], 0.5)?),
        ("absorbing", absorbing),
        ("mixture", mixture),
    ] {
        for sweeps in SWEEPS {
            let order = SiteOrder::round_robin(len, sweeps)?;
            let schedule = Schedule::new(SignalShape::Linear, order, law.clone(), 1e-3, false)?;
            let conditional = table.conditional(&schedule)?;
            let total = |kernel| -> Result<f64, Box<dyn Error>> {
                let bound = LikelihoodBound::new(&schedule, kernel).with_signal_law(&data)?;
                Ok(bound.exact_mean(&table, &conditional)?.total())
            };
            let expected = entropy + start_cost(&table, &schedule, &data);
            let (lazy, heat_bath) = (total(BoundKernel::Lazy)?, total(BoundKernel::HeatBath)?);
            let (difference, looser) = (lazy - expected, heat_bath - lazy);
            println!(
                "{sweeps:>6}  {name:<10} {expected:>16.12} {lazy:>16.12} {difference:>12.1e} {heat_bath:>12.6} {looser:>12.6}"
            );
        }
    }
    Ok(())
}

/// `KL(law of X_T ‖ p(X_T))` for a start with the signal left drawn from `signal`.
fn start_cost(table: &EnumeratedTable, schedule: &Schedule, signal: &[f64]) -> f64 {
    let horizon = schedule.horizon();
    let law = table.law_at(schedule, horizon);
    let start = |state: usize| -> f64 {
        let site_law = |site: usize, a: u32| {
            let level = schedule.signal_level(site, horizon);
            level * signal[a as usize] + (1.0 - level) * schedule.law().probability(a)
        };
        table.sequence(state).iter().enumerate().map(|(site, &a)| site_law(site, a)).product()
    };
    law.iter().enumerate().filter(|(_, p)| **p > 0.0).map(|(state, p)| p * (p / start(state)).ln()).sum()
}

/// A Markov source of 27 tokens and 64 sites: the sampled bound against the exact `−ln π` of the same sequences.
fn markov(rows: usize, draws: usize) -> Result<(), Box<dyn Error>> {
    let (vocab, len) = (27, 64);
    let source = MarkovSource::random(vocab, 1, 2.0)?;
    let mut rngs = ChainRng::streams(7, rows);
    let clean = TokenBatch::from_rows(rngs.iter_mut().map(|rng| source.sample(len, rng)))?;
    let surprises: Vec<f64> = clean.iter().map(|row| -source.log_probability(row)).collect();
    let mean = Estimate::independent(&surprises);
    println!();
    println!(
        "Markov source, {vocab} tokens, {len} sites: entropy {:.4} nats a token; −ln π of {rows} sequences {:.4} ± {:.4}; {draws} draws each",
        source.entropy(len) / len as f64,
        mean.mean / len as f64,
        mean.standard_error / len as f64,
    );
    println!(
        "uniform noise, round-robin, linear, final signal 1e-3; nats a token; ± over sequences; gap = bound − (−ln π), paired"
    );
    println!("sweeps  start cost      lazy (L) ± error         gap ± error       heat bath ± error");
    for sweeps in SWEEPS {
        let order = SiteOrder::round_robin(len, sweeps)?;
        let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(vocab)?, 1e-3, false)?;
        let conditional = source.conditional(&schedule)?;
        let estimate = |kernel| -> Result<BoundTerms, Box<dyn Error>> {
            let bound = LikelihoodBound::new(&schedule, kernel);
            Ok(bound.estimate(&conditional, &clean, &mut rngs.clone(), BoundSampling { draws, rows: 64 })?)
        };
        let (lazy, heat_bath) = (estimate(BoundKernel::Lazy)?, estimate(BoundKernel::HeatBath)?);
        let per_token = 1.0 / len as f64;
        let gaps: Vec<f64> = lazy.totals().iter().zip(&surprises).map(|(b, s)| (b - s) * per_token).collect();
        let gap = Estimate::independent(&gaps);
        let prior = Estimate::independent(lazy.prior()).mean * per_token;
        let (lazy, heat_bath) = (lazy.nats_per_token(), heat_bath.nats_per_token());
        println!(
            "{sweeps:>6}  {prior:>10.6}  {:>10.4} ± {:.4}  {:>10.4} ± {:.4}  {:>10.4} ± {:.4}",
            lazy.mean, lazy.standard_error, gap.mean, gap.standard_error, heat_bath.mean, heat_bath.standard_error
        );
    }
    Ok(())
}
