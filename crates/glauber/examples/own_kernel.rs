//! A reverse kernel of one's own: it keeps the token as often as the law of the data allows. The library has it as `MaximalCoupling`.
//!
//! `cargo run --release -p glauber --example own_kernel`

use glauber::chain::oracles::EnumeratedTable;
use glauber::chain::{DrawControls, Lazy, Refusal, ReverseKernel, ReverseSampler, Sampler, Touch};
use glauber::schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};

/// A maximal coupling. After the step the site has the law `s = Π(φ) r + Π`, before it `r`. The
/// token shown stays with probability `min(1, r / s)`; else another is drawn from what `r` has more
/// than `s`.
#[derive(Debug)]
pub(crate) struct Coupling;

impl ReverseKernel for Coupling {
    fn log_probabilities(&self, touch: &Touch<'_>, rates: &mut [f64]) -> Result<(), Refusal> {
        DrawControls::default().log_law(rates)?; // normalised
        let after = |token: usize, r: f64| touch.keep * r + touch.noise(token as u32);
        let shown = touch.shown as usize;
        let r = rates[shown].exp();
        let stay = (r / after(shown, r)).min(1.0);
        for (token, rate) in rates.iter_mut().enumerate() {
            *rate = (rate.exp() - after(token, rate.exp())).max(0.0);
        }
        let missing: f64 = rates.iter().sum();
        for (token, rate) in rates.iter_mut().enumerate() {
            let moves = if stay < 1.0 { (1.0 - stay) * *rate / missing } else { 0.0 };
            *rate = (moves + if token == shown { stay } else { 0.0 }).ln();
        }
        Ok(())
    }
}

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Three sites with three tokens; neighbours like to agree.
    let agree = |state: usize| if state / 9 == state / 3 % 3 { 4.0 } else { 1.0 } + (state % 3) as f64;
    let table = EnumeratedTable::new(3, 3, (0..27).map(agree).collect())?;
    let order = SiteOrder::round_robin(3, 8)?;
    let schedule = Schedule::new(SignalShape::Cosine, order, NoiseLaw::uniform(3)?, 1e-3, false)?;
    let conditional = table.conditional(&schedule)?;

    let (rows, mut changes) = (100_000, Vec::new());
    let kernels: [Box<dyn ReverseKernel>; 2] = [Box::new(Coupling), Box::new(Lazy::default())];
    for kernel in kernels {
        let sampler = ReverseSampler::new(&schedule, kernel);
        let mut chains = sampler.start(rows, 1); // chains of noise, seed 1
        let done = sampler.sample_parallel(&conditional, &mut chains)?;
        changes.push(done.changes as f64 / rows as f64);
        let mut law = [0.0; 27];
        chains.tokens().iter().for_each(|row| law[table.state(row)] += 1.0 / rows as f64);
        let distance = law.iter().zip(table.probabilities()).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0;
        println!("{}: total variation to the data {distance:.4}", sampler.kernel().name());
        assert!(distance < 0.02);
    }
    println!("changes a chain: {:.2} by the coupling, {:.2} by the lazy kernel", changes[0], changes[1]);
    assert!(changes[0] < changes[1], "no kernel with these laws changes fewer tokens");
    Ok(())
}
