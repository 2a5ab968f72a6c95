//! The likelihood bound (N) with exact conditionals: what it should be, what it is, and how loose heat bath makes it.
//!
//! `cargo run --release -p glauber-chain --example bound [rows] [draws]`

#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a program")]

use std::error::Error;

use glauber_chain::oracles::{EnumeratedTable, MarkovSource};
use glauber_chain::statistics::Estimate;
use glauber_chain::{BoundSampling, BoundTerms, ChainRng, HeatBath, Lazy, LikelihoodBound, ReverseKernel};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::TokenBatch;

const SWEEPS: [usize; 5] = [1, 2, 4, 8, 16];

fn main() -> Result<(), Box<dyn Error>> {
    let argument = |at: usize, default: usize| -> Result<usize, std::num::ParseIntError> {
        std::env::args().nth(at).map_or(Ok(default), |text| text.parse())
    };
    let (rows, draws) = (argument(1, 256)?, argument(2, 32)?);
    enumerated()?;
    let data = Data::draw(rows)?;
    sweeps(&data, draws)?;
    blocks(&data, draws)
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
            let total = |kernel: &dyn ReverseKernel| -> Result<f64, Box<dyn Error>> {
                let bound = LikelihoodBound::new(&schedule, kernel).with_signal_law(&data)?;
                Ok(bound.exact_mean(&table, &conditional)?.total())
            };
            let expected = entropy + start_cost(&table, &schedule, &data);
            let (lazy, heat_bath) = (total(&Lazy::default())?, total(&HeatBath::default())?);
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

/// Sequences of a Markov source and their exact `−ln π`.
struct Data {
    source: MarkovSource,
    clean: TokenBatch,
    rngs: Vec<ChainRng>,
    surprises: Vec<f64>,
}

impl Data {
    const VOCAB: usize = 27;
    const LEN: usize = 64;

    fn draw(rows: usize) -> Result<Self, Box<dyn Error>> {
        let source = MarkovSource::random(Self::VOCAB, 1, 2.0)?;
        let mut rngs = ChainRng::streams(7, rows);
        let clean = TokenBatch::from_rows(rngs.iter_mut().map(|rng| source.sample(Self::LEN, rng)))?;
        let surprises: Vec<f64> = clean.iter().map(|row| -source.log_probability(row)).collect();
        Ok(Self { source, clean, rngs, surprises })
    }

    fn schedule(order: SiteOrder) -> Result<Schedule, Box<dyn Error>> {
        Ok(Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(Self::VOCAB)?, 1e-3, false)?)
    }

    fn bound(
        &self,
        schedule: &Schedule,
        kernel: &dyn ReverseKernel,
        draws: usize,
    ) -> Result<BoundTerms, Box<dyn Error>> {
        let conditional = self.source.conditional(schedule)?;
        let sampling = BoundSampling { draws, rows: 64 };
        Ok(LikelihoodBound::new(schedule, kernel).estimate(
            &conditional,
            &self.clean,
            &mut self.rngs.clone(),
            sampling,
        )?)
    }

    /// The bound less `−ln π` of the same sequence, nats a token.
    fn gap(&self, terms: &BoundTerms) -> Estimate {
        let totals = terms.totals();
        let gaps = totals.iter().zip(&self.surprises).map(|(bound, surprise)| (bound - surprise) / Self::LEN as f64);
        Estimate::independent(&gaps.collect::<Vec<_>>())
    }
}

/// The sampled bound against the exact `−ln π` of the same sequences.
fn sweeps(data: &Data, draws: usize) -> Result<(), Box<dyn Error>> {
    let (vocab, len, rows) = (Data::VOCAB, Data::LEN, data.clean.rows());
    let (mean, entropy) = (Estimate::independent(&data.surprises), data.source.entropy(len) / len as f64);
    println!();
    println!("Markov source, {vocab} tokens, {len} sites, uniform noise, linear, final signal 1e-3; nats a token");
    let (surprise, error) = (mean.mean / len as f64, mean.standard_error / len as f64);
    println!(
        "entropy {entropy:.4}; −ln π of {rows} sequences {surprise:.4} ± {error:.4}; {draws} steps drawn for each"
    );
    println!("gap = bound − (−ln π) of the same sequence; start = exact cost of the start, part of the bound");
    println!("round-robin");
    println!("sweeps       start      lazy (L) ± error         gap ± error       heat bath ± error");
    for sweeps in SWEEPS {
        let schedule = Data::schedule(SiteOrder::round_robin(len, sweeps)?)?;
        let lazy = data.bound(&schedule, &Lazy::default(), draws)?;
        let heat_bath = data.bound(&schedule, &HeatBath::default(), draws)?.nats_per_token();
        let start = Estimate::independent(lazy.prior()).mean / len as f64;
        let (gap, lazy) = (data.gap(&lazy), lazy.nats_per_token());
        println!(
            "{sweeps:>6}  {start:>10.6}  {:>10.4} ± {:.4}  {:>10.4} ± {:.4}  {:>10.4} ± {:.4}",
            lazy.mean, lazy.standard_error, gap.mean, gap.standard_error, heat_bath.mean, heat_bath.standard_error
        );
    }
    Ok(())
}

/// What it costs to redraw several sites far apart from one evaluation.
fn blocks(data: &Data, draws: usize) -> Result<(), Box<dyn Error>> {
    println!("strided blocks, lazy kernel");
    println!("sweeps  block  apart  steps       gap ± error");
    for sweeps in [1, 4] {
        for block in [1, 2, 4, 8, 16, 32, 64] {
            let schedule = Data::schedule(SiteOrder::strided(Data::LEN, block, sweeps)?)?;
            let gap = data.gap(&data.bound(&schedule, &Lazy::default(), draws)?);
            let (apart, steps) = (Data::LEN.div_ceil(block), schedule.horizon());
            println!("{sweeps:>6} {block:>6} {apart:>6} {steps:>6}  {:>8.4} ± {:.4}", gap.mean, gap.standard_error);
        }
    }
    Ok(())
}
