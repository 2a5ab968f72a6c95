//! Sets with too many sequences to enumerate, beside the published rows.

use glauber_chain::statistics::Estimate;
use glauber_chain::{ChainRng, TokenRows};
use glauber_energy::{LogPartition, Target};
use glauber_gflownet::{Exploration, Filling, FillingOrder, Paths, filled_tokens};
use glauber_neural::EnergyTarget;
use glauber_plane::squared_mmd;
use glauber_program::progress::say;
use glauber_tokens::Token;

use super::super::plane::published;
use super::{CHUNK, Joint, Judge, Order, PATHS, Points, REPORT, Sampler, surprises, word};

pub const COLUMNS: &str = " floor | NLL of the sampler | above the floor, same points | NLL of the energy | effective share | MMD² · 10⁴ | points beside points |";
/// Points that NLL is taken over, and own paths that `log Z` is.
const POINTS: usize = 8192;
/// Points of the bits' marginals.
const MARGINALS: usize = 100_000;
/// Comparisons of as many samples with as many points.
const REPETITIONS: usize = 10;
const WORDS: usize = 4000;

/// What the table is of.
pub fn note(order: Order) -> String {
    let sampler = match order {
        Order::LeftToRight => format!("The sampler's NLL is exact, over {POINTS} points"),
        Order::Learned => {
            format!("The sampler's NLL is a bound by {PATHS} paths back from each of {} points", POINTS / 8)
        }
    };
    format!(
        "{sampler}. That of the energy takes log Z by {POINTS} own paths, with their effective share. \
         The floor is of the points' density."
    )
}

/// A set as bits, with its density.
pub struct Sampled {
    points: Points,
    /// Of each bit, how often it is 1.
    marginals: Vec<f64>,
}

impl Sampled {
    pub fn new(points: Points) -> Self {
        let mut rng = ChainRng::new(u64::MAX, 0);
        let mut marginals = vec![0.0; points.code.len()];
        for _ in 0..MARGINALS {
            let ones = points.draw(&mut rng).into_iter().map(|bit| f64::from(bit) / MARGINALS as f64);
            marginals.iter_mut().zip(ones).for_each(|(marginal, one)| *marginal += one);
        }
        // Never 0 or 1: a bit that no point has, or all have.
        let marginals = marginals.into_iter().map(|one| one.clamp(1e-6, 1.0 - 1e-6)).collect();
        Self { points, marginals }
    }

    fn points(&self, count: usize, rng: &mut ChainRng) -> Vec<Vec<Token>> {
        (0..count).map(|_| self.points.draw(rng)).collect()
    }

    fn surprise(&self, tokens: &[Token]) -> f64 {
        -self.points.code.log_density(tokens)
    }

    /// Of sequences beside points, and of points beside points.
    fn discrepancies(&self, sequences: &[Vec<Token>], rng: &mut ChainRng) -> [Estimate; 2] {
        let words = |tokens: &[Vec<Token>]| tokens.iter().map(|tokens| word(tokens) as u32).collect::<Vec<_>>();
        let each: Vec<[f64; 2]> = sequences
            .chunks_exact(WORDS)
            .map(|sequences| {
                let [points, others] = [(); 2].map(|()| words(&self.points(WORDS, rng)));
                [squared_mmd(&words(sequences), &points), squared_mmd(&others, &points)]
            })
            .collect();
        [0, 1].map(|at| Estimate::independent(&each.iter().map(|pair| pair[at]).collect::<Vec<_>>()))
    }

    /// The cells from floor to MMD, where the energy and its share are given as text.
    fn row(&self, nats: &[f64], points: &[Vec<Token>], energy: &str, mmd: [Estimate; 2]) -> String {
        let exact: Vec<f64> = points.iter().map(|tokens| self.surprise(tokens)).collect();
        let excess: Vec<f64> = nats.iter().zip(&exact).map(|(nats, exact)| nats - exact).collect();
        let shown = |values: &[f64], digits: usize| {
            let Estimate { mean, standard_error } = Estimate::independent(values);
            format!("{mean:.digits$} ± {standard_error:.digits$}")
        };
        let [model, other] = mmd.map(|mmd| format!("{:.2} ± {:.2}", 1e4 * mmd.mean, 1e4 * mmd.standard_error));
        format!(" {} | {} | {} | {energy} | {model} | {other} |", shown(&exact, 3), shown(nats, 3), shown(&excess, 4))
    }
}

impl Judge for Sampled {
    fn null_rows(&self) -> anyhow::Result<()> {
        let mut rng = ChainRng::new(REPORT - 1, 0);
        let points = self.points(POINTS, &mut rng);
        let surprise = |tokens: &Vec<Token>| -> f64 {
            let each = tokens.iter().zip(&self.marginals).map(|(&bit, one)| if bit == 1 { *one } else { 1.0 - one });
            each.map(|p| -p.ln()).sum()
        };
        let nats: Vec<f64> = points.iter().map(surprise).collect();
        let mut draw =
            || -> Vec<Token> { self.marginals.iter().map(|one| Token::from(rng.uniform() < *one)).collect() };
        let drawn: Vec<_> = (0..REPETITIONS * WORDS).map(|_| draw()).collect();
        let row = self.row(&nats, &points, "– | –", self.discrepancies(&drawn, &mut rng));
        say(&format!("| {} | independent bits |{row} – |", self.points.set));
        // Theirs have 16 bits of a coordinate.
        if self.points.code.len() == glauber_plane::BITS {
            for (name, nats, mmd) in published(self.points.set) {
                say(&format!("| {} | {name} | – | {nats:.3} | – | – | – | {mmd} | – | – |", self.points.set));
            }
        }
        Ok(())
    }

    /// `log Z` is of own paths, one-sided: mass that the sampler never draws is missing from it.
    fn cells(
        &self,
        environment: &Filling<EnergyTarget>,
        policy: &Sampler<'_>,
        joint: &Joint<'_>,
    ) -> anyhow::Result<String> {
        let seed = REPORT + joint.energy.settings().seed;
        let mut rng = ChainRng::new(seed, u64::MAX);
        let (count, paths) = match environment.order {
            FillingOrder::LeftToRight => (POINTS, 1),
            _ => (POINTS / 8, PATHS),
        };
        let points = self.points(count, &mut rng);
        let nats = surprises(environment, policy, &points, &mut ChainRng::streams(seed, count * paths))?;
        let mut rngs = ChainRng::streams(2 * seed, REPETITIONS * WORDS);
        let (mut weights, mut drawn) = (Vec::new(), Vec::new());
        for rngs in rngs.chunks_mut(CHUNK) {
            let paths = Paths::draw(environment, policy, Exploration::NONE, rngs);
            drawn.extend(paths.ends().filter_map(|end| filled_tokens(end)));
            if weights.len() < POINTS {
                weights.extend(policy.terms(environment, &paths)?.log_weights());
            }
        }
        let log_partition = LogPartition::new(&weights, seed);
        let mut energies = vec![0.0; points.len()];
        let flat: Vec<Token> = points.concat();
        environment.target.log_densities(TokenRows::new(&flat, self.points.code.len()), &mut energies);
        let energies: Vec<f64> = energies.iter().map(|log| log_partition.estimate - log).collect();
        // The points are few, and log Z is an estimate too.
        let Estimate { mean, standard_error: of_points } = Estimate::independent(&energies);
        let standard_error = of_points.hypot(log_partition.standard_error());
        let energy = format!("{mean:.3} ± {standard_error:.3} | {:.3}", log_partition.effective_share);
        Ok(self.row(&nats, &points, &energy, self.discrepancies(&drawn, &mut rng)))
    }
}
