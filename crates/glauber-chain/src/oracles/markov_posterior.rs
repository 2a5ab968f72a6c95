//! Leave-one-out posteriors of a Markov source, by forward–backward.

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token};

use super::MarkovSource;
use crate::{ChainError, Result, SiteConditional, TokenRows};

impl MarkovSource {
    /// The leave-one-out posteriors `μ_i(b) = P(X_{0,i} = b | X_{t,-i} = x_{-i})` of the requested sites, shape
    /// `[requested site, token]`.
    ///
    /// Given `X_0` each noisy site is an independent observation of its clean token with the law of equation (M), so
    /// two recursions (forward and backward) give all sites in `O(L V²)`.
    ///
    /// # Errors
    /// When the schedule does not fit, a site is outside the sequence or a token outside the vocabulary, or the noisy tokens have
    /// probability 0.
    pub fn denoising_posteriors(
        &self,
        schedule: &Schedule,
        t: Step,
        noisy: &[Token],
        sites: &[Site],
    ) -> Result<Vec<f64>> {
        self.check_schedule(schedule)?;
        let what = "noisy tokens, one for each site of the schedule";
        ChainError::unless_equal(what, noisy.len(), schedule.len())?;
        TokenRows::new(noisy, noisy.len()).check(schedule.len(), self.vocab())?;
        if let Some(&site) = sites.iter().find(|&&site| site >= noisy.len()) {
            return Err(ChainError::OutsideSequence { site, len: noisy.len() });
        }
        let mut out = vec![0.0; sites.len() * self.vocab()];
        let mut smoother = Smoother::new(self, schedule);
        smoother.run(t, noisy, None, sites);
        for (&site, mu) in sites.iter().zip(out.chunks_exact_mut(self.vocab())) {
            smoother.known_posterior(t, noisy, site, mu)?;
        }
        Ok(out)
    }

    /// The exact conditionals of the forward chain of a schedule.
    ///
    /// # Errors
    /// When the schedule has another vocabulary.
    pub fn conditional<'a>(&'a self, schedule: &'a Schedule) -> Result<MarkovConditional<'a>> {
        self.check_schedule(schedule)?;
        Ok(MarkovConditional { source: self, schedule })
    }

    pub(crate) fn check_schedule(&self, schedule: &Schedule) -> Result<()> {
        let what = "tokens of the noise law, against those of the source";
        ChainError::unless_equal(what, schedule.law().vocab(), self.vocab())
    }
}

/// The two recursions and their buffers.
pub(super) struct Smoother<'a> {
    source: &'a MarkovSource,
    schedule: &'a Schedule,
    /// `α_j`, 1 where clamped, shape `[site]`.
    levels: Vec<f64>,
    /// `P(X_{0,i} = a | X_{t,<i})`, shape `[site, token]`; zero where those tokens are impossible.
    forward: Vec<f64>,
    /// Proportional to `P(X_{t,>i} | X_{0,i} = a)`, shape `[site, token]`; zero where those tokens are impossible.
    backward: Vec<f64>,
    /// `ln P(X_{t,<i})`, shape `[site]`.
    forward_log: Vec<f64>,
    /// The logarithm of the scale of `backward`, shape `[site]`.
    backward_log: Vec<f64>,
}

impl<'a> Smoother<'a> {
    pub fn new(source: &'a MarkovSource, schedule: &'a Schedule) -> Self {
        let (len, size) = (schedule.len(), schedule.len() * source.vocab());
        Self {
            source,
            schedule,
            levels: vec![1.0; len],
            forward: vec![0.0; size],
            backward: vec![0.0; size],
            forward_log: vec![0.0; len],
            backward_log: vec![0.0; len],
        }
    }

    /// Both recursions, as far as the requested sites need them. Sizes have been checked.
    pub fn run(&mut self, t: Step, noisy: &[Token], clamped: Option<&[bool]>, sites: &[Site]) {
        let (Some(&first), Some(&last)) = (sites.iter().min(), sites.iter().max()) else {
            return;
        };
        for (site, level) in self.levels.iter_mut().enumerate() {
            let clean = clamped.is_some_and(|mask| mask[site]);
            *level = if clean { 1.0 } else { self.schedule.signal_level(site, t) };
        }
        self.run_forward(noisy, last);
        self.run_backward(noisy, first);
    }

    /// The signal level of a site in the last run.
    pub fn level(&self, site: Site) -> f64 {
        self.levels[site]
    }

    /// Writes `μ` of a site and returns `ln P(X_{t,-i})`. Where that is `−∞`, `μ` is zero.
    pub fn posterior(&self, site: Site, mu: &mut [f64]) -> f64 {
        let vocab = self.source.vocab();
        let forward = &self.forward[site * vocab..][..vocab];
        let backward = &self.backward[site * vocab..][..vocab];
        for ((mu, f), b) in mu.iter_mut().zip(forward).zip(backward) {
            *mu = f * b;
        }
        self.forward_log[site] + self.backward_log[site] + normalise(mu)
    }

    /// [`posterior`](Self::posterior) if the other tokens are possible, otherwise an error with the impossible site.
    pub fn known_posterior(&self, t: Step, noisy: &[Token], site: Site, mu: &mut [f64]) -> Result<()> {
        if self.posterior(site, mu) > f64::NEG_INFINITY {
            return Ok(());
        }
        let impossible = |log: &f64| *log == f64::NEG_INFINITY;
        let before = self.forward_log[..=site].iter().position(impossible).map(|next| next - 1);
        let after = || self.backward_log[site..].iter().rposition(impossible).map(|previous| site + previous + 1);
        let site = before.or_else(after).unwrap_or(site);
        Err(ChainError::Impossible { site, token: noisy[site], step: t })
    }

    fn run_forward(&mut self, noisy: &[Token], last: Site) {
        let (source, vocab) = (self.source, self.source.vocab());
        self.forward[..vocab].copy_from_slice(source.initial());
        for site in 0..last {
            let seen = self.observation(site, noisy[site]);
            let (done, rest) = self.forward.split_at_mut((site + 1) * vocab);
            let (here, next) = (&done[site * vocab..], &mut rest[..vocab]);
            seen.push(here, next, |from| source.successors(from));
            self.forward_log[site + 1] = self.forward_log[site] + normalise(next);
        }
    }

    fn run_backward(&mut self, noisy: &[Token], first: Site) {
        let (source, vocab) = (self.source, self.source.vocab());
        let end = noisy.len() - 1;
        self.backward[end * vocab..].fill(1.0);
        for site in (first + 1..=end).rev() {
            let seen = self.observation(site, noisy[site]);
            let (rest, done) = self.backward.split_at_mut(site * vocab);
            let (here, next) = (&done[..vocab], &mut rest[(site - 1) * vocab..]);
            seen.push(here, next, |to| source.predecessors(to));
            self.backward_log[site - 1] = self.backward_log[site] + normalise(next);
        }
    }

    fn observation(&self, site: Site, token: Token) -> Observation {
        let level = self.levels[site];
        let floor = (1.0 - level) * self.schedule.law_of_levels().probability_at(level, token);
        Observation { token, level, floor }
    }
}

/// The likelihood of a noisy token: `floor + level · 1{a = token}` for the clean token `a`.
struct Observation {
    token: Token,
    level: f64,
    floor: f64,
}

impl Observation {
    /// `next = Σ_a here(a) P(token | a) row(a)`, a matrix product and one extra row.
    fn push<'a>(&self, here: &[f64], next: &mut [f64], row: impl Fn(Token) -> &'a [f64]) {
        next.fill(0.0);
        let mut add = |factor: f64, a: Token| {
            next.iter_mut().zip(row(a)).for_each(|(sum, p)| *sum += factor * p);
        };
        add(self.level * here[self.token as usize], self.token);
        if self.floor > 0.0 {
            for (a, mass) in here.iter().enumerate() {
                add(self.floor * mass, a as Token);
            }
        }
    }
}

/// Scales to sum 1 and returns the logarithm of the sum; leaves a sum of 0.
fn normalise(row: &mut [f64]) -> f64 {
    let sum: f64 = row.iter().sum();
    if sum > 0.0 {
        row.iter_mut().for_each(|x| *x /= sum);
    }
    sum.ln()
}

/// The exact `r = α_i μ_i + (1 − α_i) q` of a [`MarkovSource`] under a schedule.
///
/// Clamped sites count as clean, `α = 1`: `r` is that of the forward chain that starts from π given their tokens and never touches them.
#[derive(Debug, Clone, Copy)]
pub struct MarkovConditional<'a> {
    source: &'a MarkovSource,
    schedule: &'a Schedule,
}

impl SiteConditional for MarkovConditional<'_> {
    fn vocab(&self) -> usize {
        self.source.vocab()
    }

    fn len(&self) -> usize {
        self.schedule.len()
    }

    fn log_conditionals(&self, tokens: TokenRows<'_>, step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        self.conditionals(tokens, step, sites, out)?;
        for value in out {
            *value = value.ln();
        }
        Ok(())
    }

    fn conditionals(&self, tokens: TokenRows<'_>, step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        if sites.is_empty() {
            return Ok(());
        }
        let vocab = self.source.vocab();
        let mut smoother = Smoother::new(self.source, self.schedule);
        for (row, rates) in out.chunks_exact_mut(sites.len() * vocab).enumerate() {
            let noisy = tokens.row(row);
            smoother.run(step, noisy, tokens.clamped(row), sites);
            for (&site, rate) in sites.iter().zip(rates.chunks_exact_mut(vocab)) {
                smoother.known_posterior(step, noisy, site, rate)?;
                let (level, noise) = (smoother.level(site), self.schedule.law_at(site, step));
                for (r, q) in rate.iter_mut().zip(noise.probabilities()) {
                    *r = level * *r + (1.0 - level) * q;
                }
            }
        }
        Ok(())
    }
}
