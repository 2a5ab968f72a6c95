//! Sets of which all sequences are enumerated: the likelihood and `log Z` are exact.

use glauber_chain::ChainRng;
use glauber_chain::statistics::Estimate;
use glauber_energy::{ProductLaw, Target, exact};
use glauber_gflownet::{BackAndForth, Filling, FillingOrder, Policy, StateSpace, filled, filled_tokens};
use glauber_neural::EnergyTarget;
use glauber_program::progress::say;

use super::{Joint, Judge, PATHS, Points, REPORT, Sampler, surprises, word};

pub const COLUMNS: &str =
    " floor | NLL of the energy | above the floor | sampler above the energy | error of log Z | accepted |";
/// Points that moves start at, and that a bound of the sampler's NLL is taken over.
const POINTS: usize = 1000;

/// What the table is of.
pub fn note(draws: usize) -> String {
    format!("The floor is the entropy of {draws} points (Miller and Madow).")
}

/// A set as bits, and how often each sequence was drawn.
pub struct Listed {
    points: Points,
    /// Shape `[word]`; sums to 1.
    law: Vec<f64>,
    /// The entropy of the law that is drawn, by Miller and Madow.
    floor: f64,
}

impl Listed {
    pub fn new(points: Points, draws: usize) -> Self {
        let mut counts = vec![0u32; 1 << points.code.len()];
        // Not the numbers of the training.
        let mut rng = ChainRng::new(u64::MAX, 0);
        (0..draws).for_each(|_| counts[word(&points.draw(&mut rng))] += 1);
        let law: Vec<f64> = counts.into_iter().map(|count| f64::from(count) / draws as f64).collect();
        let seen: Vec<f64> = law.iter().copied().filter(|&p| p > 0.0).collect();
        let entropy: f64 = seen.iter().map(|p| -p * p.ln()).sum();
        Self { points, law, floor: entropy + (seen.len() - 1) as f64 / (2.0 * draws as f64) }
    }

    /// `E[−log π]` over the points drawn, of a law of shape `[word]`.
    fn surprise(&self, law: &[f64]) -> f64 {
        self.law.iter().zip(law).filter(|(p, _)| **p > 0.0).map(|(p, q)| -p * q.ln()).sum()
    }

    /// What the sampler loses beside the energy, `Σ p log (π_φ / P_T)` over the points drawn.
    fn lost(
        &self,
        environment: &Filling<EnergyTarget>,
        policy: &Sampler<'_>,
        model: &[f64],
        seed: u64,
    ) -> anyhow::Result<Estimate> {
        if environment.order == FillingOrder::LeftToRight {
            let space = StateSpace::list(environment)?;
            let mut law = vec![0.0; model.len()];
            let places = space.ends().filter_map(|end| filled_tokens(end)).map(|tokens| word(&tokens));
            places.zip(space.terminal_law(environment, policy)).for_each(|(place, p)| law[place] = p);
            return Ok(Estimate { mean: self.surprise(&law) - self.surprise(model), standard_error: 0.0 });
        }
        let mut rngs = ChainRng::streams(REPORT + seed, POINTS * PATHS);
        let points: Vec<_> = rngs.iter_mut().step_by(PATHS).map(|rng| self.points.draw(rng)).collect();
        let surprises = surprises(environment, policy, &points, &mut rngs)?;
        let each = surprises.iter().zip(&points).map(|(surprise, point)| surprise + model[word(point)].ln());
        Ok(Estimate::independent(&each.collect::<Vec<_>>()))
    }
}

impl Judge for Listed {
    fn null_rows(&self) -> anyhow::Result<()> {
        let sites = self.points.code.len();
        let one = |site: usize| {
            let set = self.law.iter().enumerate().filter(|(word, _)| word >> (sites - 1 - site) & 1 == 1);
            set.map(|(_, p)| p).sum::<f64>()
        };
        // Never 0: a bit that no point has.
        let weights = (0..sites).map(one).map(|one| vec![1.0 - one + 1e-9, one + 1e-9]).collect::<Vec<_>>();
        for (name, law) in [("uniform", ProductLaw::uniform(2, sites)), ("independent bits", ProductLaw::new(&weights))]
        {
            let nll = self.surprise(exact::enumerate(&law)?.probabilities());
            say(&format!(
                "| {} | {name} | {:.4} | {nll:.4} | {:+.4} | – | – | – | – |",
                self.points.set,
                self.floor,
                nll - self.floor
            ));
        }
        Ok(())
    }

    fn cells(
        &self,
        environment: &Filling<EnergyTarget>,
        policy: &Sampler<'_>,
        joint: &Joint<'_>,
    ) -> anyhow::Result<String> {
        let listed = exact::enumerate(&environment.target)?;
        let nll = self.surprise(listed.probabilities());
        let seed = joint.energy.settings().seed;
        let lost = self.lost(environment, policy, listed.probabilities(), seed)?;
        let mut rngs = ChainRng::streams(2 * REPORT + seed, POINTS);
        let mut ends: Vec<_> = rngs.iter_mut().map(|rng| filled(&self.points.draw(rng))).collect();
        let anew = BackAndForth { actions: self.points.code.len(), acceptance: joint.settings.acceptance };
        let accepted = anew.step(environment, policy, &mut ends, &mut rngs)? as f64 / POINTS as f64;
        let log_partition = Policy::<Filling<EnergyTarget>>::log_partition(policy);
        let error = match lost.standard_error {
            0.0 => String::new(),
            error => format!(" ± {error:.4}"),
        };
        Ok(format!(
            " {:.4} | {nll:.4} | {:+.4} | {:+.4}{error} | {:+.4} | {accepted:.2} |",
            self.floor,
            nll - self.floor,
            lost.mean,
            log_partition - listed.log_partition(),
        ))
    }
}
