//! Training of site classifiers as a task.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use glauber_chain::{ChainRng, HeatBath, ReverseSampler, Sampler};
use glauber_descent::{Stream, Task, scalar};
use glauber_model::{Asked, Network, SiteClassifier};
use glauber_schedule::Schedule;
use glauber_tokens::Token;

use crate::{
    Drawing, Examples, NetworkConditional, Objective, OwnToken, Precision, SequenceSource, TrainConfig, TrainError, fit,
};

/// Trains a network on the conditionals of noised sequences: the token of a site, given the others.
///
/// Accepts any network that is a [`Module`] and a [`SiteClassifier`], any [`Objective`], and any source of sequences.
pub struct SiteTask<'a, N> {
    source: &'a dyn SequenceSource,
    schedule: &'a Schedule,
    objective: &'a dyn Objective,
    drawing: Drawing,
    rows: usize,
    own_share: f64,
    prepare: Box<dyn Fn(N) -> N + Sync + 'a>,
    network: PhantomData<fn(N)>,
}

impl<'a, N: SiteClassifier> SiteTask<'a, N> {
    /// A task with batches of `rows` sequences.
    ///
    /// # Errors
    /// When network, objective and schedule do not fit each other.
    pub fn new(
        network: &N,
        source: &'a dyn SequenceSource,
        schedule: &'a Schedule,
        objective: &'a dyn Objective,
        rows: usize,
    ) -> Result<Self, TrainError> {
        fit::check(network, objective, schedule)?;
        let drawing = Drawing::held_out(network).of(objective);
        Ok(Self {
            source,
            schedule,
            objective,
            drawing,
            rows,
            own_share: 0.0,
            prepare: Box::new(|network| network),
            network: PhantomData,
        })
    }

    /// Sets how examples are drawn.
    #[must_use]
    pub fn with_drawing(self, drawing: Drawing) -> Self {
        Self { drawing, ..self }
    }

    /// Lets the network draw this share of the sequences itself, by heat bath down the schedule.
    #[must_use]
    pub fn with_own_share(self, own_share: f64) -> Self {
        Self { own_share, ..self }
    }
}

impl<'a> SiteTask<'a, Network> {
    /// The task of a configuration. [`TrainConfig::check`] checks that it fits the network.
    pub fn configured(
        network: &Network,
        source: &'a dyn SequenceSource,
        schedule: &'a Schedule,
        train: &'a TrainConfig,
    ) -> Self {
        let (precision, recomputes) = (train.precision, train.checkpoint_activations);
        Self {
            source,
            schedule,
            objective: train.objective,
            drawing: Drawing::training(network, schedule, train),
            rows: train.batch / train.micro_batches,
            own_share: train.own_share,
            prepare: Box::new(move |network| precision.of(network.recomputing(recomputes))),
            network: PhantomData,
        }
    }
}

impl<N: Module + SiteClassifier + Sync> Task for SiteTask<'_, N> {
    type Model = N;
    type Batch = Examples;
    type Error = TrainError;

    fn batch(&self, network: &N, stream: Stream) -> Result<Examples, TrainError> {
        let mut rng = ChainRng::new(stream.seed, stream.number);
        let own = (self.own_share * self.rows as f64).round() as usize;
        if own == 0 {
            return Examples::draw(self.source, self.schedule, self.rows, &self.drawing, &mut rng);
        }
        let source = OwnFirst::draw(self, network, own, &mut rng)?;
        Examples::draw(&source, self.schedule, self.rows, &self.drawing, &mut rng)
    }

    fn loss(&self, network: &N, examples: &Examples, device: &Device) -> Tensor<1> {
        mean_loss(&(self.prepare)(network.clone()), self.objective, self.schedule, examples, device)
    }
}

/// A source whose first sequences are given, and those after them another source's.
struct OwnFirst<'a> {
    source: &'a dyn SequenceSource,
    own: Vec<Vec<Token>>,
    drawn: AtomicUsize,
}

impl<'a> OwnFirst<'a> {
    /// So many sequences of a network, without those that the target excludes.
    fn draw<N: Module + SiteClassifier>(
        task: &SiteTask<'a, N>,
        network: &N,
        count: usize,
        rng: &mut ChainRng,
    ) -> Result<Self, TrainError> {
        let device = network.devices().into_iter().next().expect("a network has weights");
        let conditional = NetworkConditional::new(network, task.objective, task.schedule, &device)?;
        let sampler = ReverseSampler::new(task.schedule.clone(), HeatBath::default());
        let mut chains = sampler.start(count, rng.below(1 << 52) as u64);
        sampler.sample(&conditional, &mut chains)?;
        let allowed = |tokens: &&[Token]| task.source.log_density(tokens) != Some(f64::NEG_INFINITY);
        let own = chains.tokens().iter().filter(allowed).map(<[Token]>::to_vec).collect();
        Ok(Self { source: task.source, own, drawn: AtomicUsize::new(0) })
    }
}

impl SequenceSource for OwnFirst<'_> {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        match self.own.get(self.drawn.fetch_add(1, Ordering::Relaxed)) {
            Some(own) => out.copy_from_slice(own),
            None => return self.source.draw(rng, out),
        }
        Ok(None)
    }

    fn log_density(&self, tokens: &[Token]) -> Option<f64> {
        self.source.log_density(tokens)
    }
}

/// The mean loss of a batch of examples, a scalar `[1]`, in nats per requested site.
fn mean_loss(
    network: &dyn SiteClassifier,
    objective: &dyn Objective,
    schedule: &Schedule,
    examples: &Examples,
    device: &Device,
) -> Tensor<1> {
    let (context, conditions) = examples.inputs(device);
    let targets = examples.targets(objective, schedule, device);
    let evidence = weighs_own_token(network, objective).then(|| examples.evidence(schedule, device));
    let loss = |logits: Tensor<3>| {
        let logits = evidence.iter().fold(logits, |logits, says| logits + says.clone());
        targets.mean(objective.loss(logits, &targets))
    };
    let trained = network.trained_logits(context, &conditions, examples.query());
    let losses: Vec<_> = trained.into_iter().map(loss).collect();
    let count = losses.len() as f64;
    losses.into_iter().reduce(|sum, loss| sum + loss).expect("one at least") / count
}

/// Whether the evidence of the visible token is added to logits in training.
pub(crate) fn weighs_own_token(network: &dyn SiteClassifier, objective: &dyn Objective) -> bool {
    network.answers() == Asked::InView && objective.own_token() == OwnToken::Weighed
}

/// Loss of a batch of examples, in nats per requested site, and its gradient by every weight, keyed by parameter id. A
/// training step computes this for each micro-batch, before clipping.
///
/// `device` is the plain device that holds the network; gradients are taken on its autodiff counterpart.
///
/// # Panics
/// When the examples' sequences are longer than the network's, or of another vocabulary.
pub fn loss_and_gradients(
    network: &Network,
    objective: &dyn Objective,
    schedule: &Schedule,
    examples: &Examples,
    precision: Precision,
    device: &Device,
) -> (f64, GradientsParams) {
    let network = network.clone().train();
    let rounded = precision.of(network.clone());
    let loss = mean_loss(&rounded, objective, schedule, examples, &device.clone().autodiff());
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    (scalar(loss.inner()), gradients)
}
