//! The interface of sequence generators: chains, exact sources and baselines.

use std::ops::Deref;

use glauber_tokens::{Token, TokenBatch};

use crate::{BoundSampling, BoundTerms, ChainError, ChainRng, LikelihoodBound, Result, Sampler, SiteConditional};

/// Draws token sequences of one length, and may bound the likelihood of given ones: [`ChainGenerator`],
/// [`ExactGenerator`], or your own (`crates/glauber/examples/own_generator.rs`).
#[allow(clippy::len_without_is_empty)] // `len` is the number of sites of a sequence
pub trait Generator {
    /// The name in tables.
    fn name(&self) -> String;

    /// Number of tokens `V`.
    fn vocab(&self) -> usize;

    /// Sites of a sequence, `L`.
    fn len(&self) -> usize;

    /// Draws `count` independent sequences, shape `[row, site]`. Row `i` depends only on `seed` and `i`.
    ///
    /// # Errors
    /// If drawing fails; [`ChainError::Generator`] wraps a generator's own error.
    fn draw(&self, count: usize, seed: u64) -> Result<TokenBatch>;

    /// Upper bounds on `−ln p(x)` in nats for each row of `data`, shape `[row, site]`, exact or estimated with random
    /// numbers of `seed`. `None` if no bound is known.
    ///
    /// # Errors
    /// When the data have another length or a token outside the vocabulary, or the bound cannot be
    /// evaluated.
    fn bound(&self, data: &TokenBatch, seed: u64) -> Option<Result<BoundTerms>> {
        let _ = (data, seed);
        None
    }
}

/// The reverse chain of a model as a generator: a conditional, a sampler, and optionally the likelihood bound of the
/// chain.
///
/// ```
/// use glauber_chain::{
///     BoundSampling, ChainGenerator, Generator, Lazy, LikelihoodBound, ReverseKernel, ReverseSampler,
///     oracles::MarkovSource,
/// };
/// use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
///
/// let source = MarkovSource::random(5, 1, 2.0)?;
/// let order = SiteOrder::round_robin(8, 4)?;
/// let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(5)?, 1e-3, false)?;
/// let sampler = ReverseSampler::new(&schedule, Lazy::default());
/// let chain = ChainGenerator::new("lazy", Box::new(source.conditional(&schedule)?), Box::new(sampler));
/// let kernel: Box<dyn ReverseKernel> = Box::new(Lazy::default());
/// let chain = chain.bounded_by(LikelihoodBound::new(&schedule, kernel), BoundSampling::default());
///
/// let samples = chain.draw(10, 42)?; // 10 sequences, seed 42
/// let bits = chain.bound(&samples, 7).expect("it has one")?.bits_per_token();
/// assert!(bits.mean > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ChainGenerator<'a> {
    name: String,
    conditional: Box<dyn SiteConditional + 'a>,
    sampler: Box<dyn Sampler + 'a>,
    bound: Option<(LikelihoodBound<'a>, BoundSampling)>,
}

impl<'a> ChainGenerator<'a> {
    /// A generator without a bound.
    pub fn new(
        name: impl Into<String>,
        conditional: Box<dyn SiteConditional + 'a>,
        sampler: Box<dyn Sampler + 'a>,
    ) -> Self {
        Self { name: name.into(), conditional, sampler, bound: None }
    }

    /// Adds the likelihood bound of a chain on the same schedule. It is the sampler's bound if their kernels are equal.
    /// Row `i` of the data uses stream `i` of the seed.
    pub fn bounded_by(self, bound: LikelihoodBound<'a>, sampling: BoundSampling) -> Self {
        Self { bound: Some((bound, sampling)), ..self }
    }
}

impl Generator for ChainGenerator<'_> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn vocab(&self) -> usize {
        self.conditional.vocab()
    }

    fn len(&self) -> usize {
        self.sampler.schedule().len()
    }

    fn draw(&self, count: usize, seed: u64) -> Result<TokenBatch> {
        let mut chains = self.sampler.start(count, seed);
        self.sampler.sample(self.conditional.as_ref(), &mut chains)?;
        Ok(chains.into_parts().0)
    }

    fn bound(&self, data: &TokenBatch, seed: u64) -> Option<Result<BoundTerms>> {
        let (bound, sampling) = self.bound.as_ref()?;
        let mut rngs = ChainRng::streams(seed, data.rows());
        Some(bound.estimate(self.conditional.as_ref(), data, &mut rngs, *sampling))
    }
}

/// A law of sequences of any length with known probabilities: a source, or a baseline such as an n-gram.
pub trait SequenceLaw {
    /// The name in tables.
    fn name(&self) -> String;

    /// Number of tokens `V`.
    fn vocab(&self) -> usize;

    /// A sequence of `len` tokens.
    fn sample(&self, len: usize, rng: &mut ChainRng) -> Vec<Token>;

    /// `ln p(x)` in nats, `−∞` where impossible.
    ///
    /// # Panics
    /// When a token is outside the vocabulary.
    fn log_probability(&self, tokens: &[Token]) -> f64;

    /// `−ln p(x)` of each row, shape `[row, site]`: an exact bound.
    ///
    /// # Errors
    /// When a token is outside the vocabulary.
    fn surprise(&self, rows: &TokenBatch) -> Result<BoundTerms> {
        rows.check_vocab(self.vocab())?;
        Ok(BoundTerms::exact(rows.len(), rows.iter().map(|row| -self.log_probability(row)).collect()))
    }
}

impl<P: Deref<Target: SequenceLaw>> SequenceLaw for P {
    fn name(&self) -> String {
        (**self).name()
    }

    fn vocab(&self) -> usize {
        (**self).vocab()
    }

    fn sample(&self, len: usize, rng: &mut ChainRng) -> Vec<Token> {
        (**self).sample(len, rng)
    }

    fn log_probability(&self, tokens: &[Token]) -> f64 {
        (**self).log_probability(tokens)
    }

    fn surprise(&self, rows: &TokenBatch) -> Result<BoundTerms> {
        (**self).surprise(rows)
    }
}

/// The sequences of one length of a [`SequenceLaw`]. Its bound is exact.
#[derive(Debug, Clone, Copy)]
pub struct ExactGenerator<L> {
    law: L,
    len: usize,
}

impl<L: SequenceLaw> ExactGenerator<L> {
    /// Sequences of `len` tokens, at least 1.
    pub fn new(law: L, len: usize) -> Self {
        Self { law, len }
    }
}

impl<L: SequenceLaw> Generator for ExactGenerator<L> {
    fn name(&self) -> String {
        self.law.name()
    }

    fn vocab(&self) -> usize {
        self.law.vocab()
    }

    fn len(&self) -> usize {
        self.len
    }

    fn draw(&self, count: usize, seed: u64) -> Result<TokenBatch> {
        let rngs = ChainRng::streams(seed, count);
        let tokens = rngs.into_iter().flat_map(|mut rng| self.law.sample(self.len, &mut rng)).collect();
        Ok(TokenBatch::new(tokens, self.len)?)
    }

    fn bound(&self, data: &TokenBatch, _seed: u64) -> Option<Result<BoundTerms>> {
        let fits = ChainError::unless_equal("sites per row", data.len(), self.len);
        Some(fits.and_then(|()| self.law.surprise(data)))
    }
}
