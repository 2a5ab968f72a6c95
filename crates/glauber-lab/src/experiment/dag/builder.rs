//! GFlowNets of graphs.

use burn::tensor::Device;
use glauber_chain::ChainRng;
use glauber_descent::{LearningRateSchedule, ParamGroups, Settings, Trainer, UpdateRule};
use glauber_energy::dag::{DagTarget, LocalScores};
use glauber_gflownet::{
    Criterion, DagBuilding, DagState, DetailedBalance, Distance, Environment, Exploration, Flows, Likelihood,
    StateSpace,
};
use glauber_neural::{NetworkPolicy, PathTask, Perceptron, PerceptronConfig};
use glauber_program::progress::bar;
use glauber_tokens::TokenBatch;

/// A network that adds edges and stops, by modified detailed balance (E35; Deleu et al. 2022).
pub struct Builder {
    trainer: Trainer<Perceptron>,
    steps: usize,
    heated: bool,
    device: Device,
}

/// Scores times an inverse temperature.
struct Heated<'a, S>(&'a S, f64);

impl<S: LocalScores> LocalScores for Heated<'_, S> {
    fn nodes(&self) -> usize {
        self.0.nodes()
    }

    fn score(&self, node: usize, parents: u64) -> f64 {
        self.1 * self.0.score(node, parents)
    }
}

/// The least inverse temperature of heated scores.
const HOTTEST: f64 = 0.02;

/// The exact law of a network.
pub struct Law {
    /// From the posterior of its reward.
    pub distance: Distance,
    /// `Σ q (log R − log q)` less the logarithm of the number of graphs, in nats: VBG's lower bound of the evidence.
    pub bound: f64,
    /// Mass on graphs whose probability is below [`RARE`], and what those graphs take from the bound, in nats.
    pub rare: [f64; 2],
}

/// What is hardly ever drawn from the posterior.
const RARE: f64 = 1e-9;

impl Builder {
    /// A network to be trained for so many steps.
    pub fn new<S: LocalScores>(target: &DagTarget<S>, seed: u64, steps: usize) -> Self {
        let device = Device::flex();
        let config = PerceptronConfig { width: 128, ..PerceptronConfig::default() };
        let network = Perceptron::new(&DagBuilding::new(target), &config, seed, &device);
        let groups = ParamGroups::all(&network, UpdateRule::AdamW).with(network.hidden(), UpdateRule::Muon);
        let learning_rate = LearningRateSchedule { peak: 1e-2, warmup_steps: 0, steps, minimum: 0.01 };
        let trainer = Trainer::new(network, groups, Settings::new(learning_rate, seed), &device, 1);
        Self { trainer, steps, heated: false, device }
    }

    /// Heats the scores in the first half of the steps, from an inverse temperature of .02 to 1 in geometric steps. A network
    /// that starts with differences of hundreds of nats keeps stopping too soon.
    pub fn heated(self) -> Self {
        Self { heated: true, ..self }
    }

    /// Trains until so many steps are done.
    pub fn train<S: LocalScores>(&mut self, target: &DagTarget<S>, until: usize) -> anyhow::Result<()> {
        let bar = bar(until - self.trainer.steps());
        while self.trainer.steps() < until {
            let done = self.trainer.steps() as f64 / self.steps as f64;
            let heat = if self.heated { HOTTEST.powf((1.0 - 2.0 * done).max(0.0)) } else { 1.0 };
            let target = DagTarget::new(Heated(target.scores(), heat))?;
            let building = DagBuilding::new(&target);
            // Uniform actions at first, a tenth of them in the second half.
            let uniform = (1.0 - 1.8 * self.trainer.steps() as f64 / self.steps as f64).max(0.1);
            let task = PathTask::new(&building, &DetailedBalance(Criterion::Huber), 32, &self.device)
                .with_flows(Flows::OfStop)
                .with_exploration(Exploration::uniform(uniform));
            self.trainer.step(&task)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Trains by the likelihood of given graphs, shape `[row, site]`, until so many steps are done: what the network can represent.
    pub fn fit<S: LocalScores>(
        &mut self,
        target: &DagTarget<S>,
        graphs: &TokenBatch,
        until: usize,
    ) -> anyhow::Result<()> {
        let building = DagBuilding::new(target);
        let draw = |rng: &mut ChainRng| building.complete(graphs.row(rng.below(graphs.rows())));
        let task = PathTask::new(&building, &Likelihood, 0, &self.device).with_flows(Flows::OfStop).with_ends(32, draw);
        let bar = bar(until - self.trainer.steps());
        while self.trainer.steps() < until {
            self.trainer.step(&task)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn policy(&self) -> NetworkPolicy<'_, Perceptron> {
        NetworkPolicy { network: self.trainer.average(), device: &self.device, flows: Flows::OfStop }
    }

    /// Draws graphs, shape `[row, site]`.
    pub fn draw<S: LocalScores>(&self, target: &DagTarget<S>, rows: usize) -> anyhow::Result<TokenBatch> {
        let mut rngs = ChainRng::streams(5, rows);
        let paths = self.policy().draw(&DagBuilding::new(target), Exploration::NONE, &mut rngs);
        Ok(TokenBatch::from_rows(paths.ends().map(DagState::edges))?)
    }

    /// Draws graphs, shape `[row, site]`, and the mean log-weight of their paths: at most `log Σ_G exp score(G)`.
    pub fn draw_weighed<S: LocalScores>(
        &self,
        target: &DagTarget<S>,
        rows: usize,
    ) -> anyhow::Result<(TokenBatch, f64)> {
        let (building, policy) = (DagBuilding::new(target), self.policy());
        let paths = policy.draw(&building, Exploration::NONE, &mut ChainRng::streams(5, rows));
        let weights = paths.terms(&building, &policy)?.log_weights();
        let tokens = TokenBatch::from_rows(paths.ends().map(DagState::edges))?;
        Ok((tokens, weights.iter().sum::<f64>() / rows as f64))
    }

    /// What it draws, exactly.
    pub fn law<S: LocalScores>(&self, target: &DagTarget<S>) -> anyhow::Result<Law> {
        let building = DagBuilding::new(target);
        let space = StateSpace::list(&building)?;
        let law = space.terminal_law(&building, &self.policy());
        let exact = space.target();
        let distance = Distance::between(&law, &exact)?;
        let below = law.iter().zip(&exact).filter(|(q, p)| **q > 0.0 && **p < RARE);
        let rare = below
            .fold([0.0; 2], |[mass, lost], (q, p)| [mass + q, lost + q * (q.ln() - p.max(f64::MIN_POSITIVE).ln())]);
        let rewards = space.ends().filter_map(|end| building.log_reward(end));
        let each = law.iter().zip(rewards).filter(|(q, _)| **q > 0.0);
        let bound = each.map(|(q, reward)| q * (reward - q.ln())).sum::<f64>() - (law.len() as f64).ln();
        Ok(Law { distance, bound, rare })
    }
}
