//! What the noisy sites of a Markov source say about one of them, by forward–backward.

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token};

use super::MarkovSource;
use crate::{ChainError, SiteConditional, TokenRows};

impl MarkovSource {
    /// The leave-one-out posteriors `μ_i(b) = P(X_{0,i} = b | X_{t,-i} = x_{-i})` of the sites asked for, shape
    /// `[asked site, token]`.
    ///
    /// Given `X_0` each noisy site is an independent observation of its clean token with the law of equation (M), so one forward
    /// and one backward recursion give all sites in `O(L V²)`.
    ///
    /// # Errors
    /// When the schedule does not fit, a site is outside the sequence, or the noisy tokens have probability 0.
    pub fn denoising_posteriors(
        &self,
        schedule: &Schedule,
        t: Step,
        noisy: &[Token],
        sites: &[Site],
    ) -> Result<Vec<f64>, ChainError> {
        self.check_schedule(schedule)?;
        if noisy.len() != schedule.len() {
            return Err(ChainError::Mismatch {
                what: "noisy tokens, one for each site of the schedule",
                found: noisy.len(),
                expected: schedule.len(),
            });
        }
        if let Some(&site) = sites.iter().find(|&&site| site >= noisy.len()) {
            return Err(ChainError::OutsideSequence { site, len: noisy.len() });
        }
        let mut out = vec![0.0; sites.len() * self.vocab()];
        Smoother::new(self, schedule).posteriors(t, noisy, sites, &mut out)?;
        Ok(out)
    }

    /// The exact conditionals of the forward chain of a schedule.
    ///
    /// # Errors
    /// When the schedule has another vocabulary.
    pub fn conditional<'a>(&'a self, schedule: &'a Schedule) -> Result<MarkovConditional<'a>, ChainError> {
        self.check_schedule(schedule)?;
        Ok(MarkovConditional { source: self, schedule })
    }

    pub(crate) fn check_schedule(&self, schedule: &Schedule) -> Result<(), ChainError> {
        let (found, expected) = (schedule.law().vocab(), self.vocab());
        if found == expected {
            return Ok(());
        }
        Err(ChainError::Mismatch { what: "tokens of the noise law, against those of the source", found, expected })
    }
}

/// The two recursions and their buffers.
struct Smoother<'a> {
    source: &'a MarkovSource,
    schedule: &'a Schedule,
    /// `P(X_{0,i} = a | X_{t,<i})`, shape `[site, token]`.
    forward: Vec<f64>,
    /// Proportional to `P(X_{t,>i} | X_{0,i} = a)`, shape `[site, token]`.
    backward: Vec<f64>,
}

impl<'a> Smoother<'a> {
    fn new(source: &'a MarkovSource, schedule: &'a Schedule) -> Self {
        let size = schedule.len() * source.vocab();
        Self { source, schedule, forward: vec![0.0; size], backward: vec![0.0; size] }
    }

    /// Sizes have been checked.
    fn posteriors(&mut self, t: Step, noisy: &[Token], sites: &[Site], out: &mut [f64]) -> Result<(), ChainError> {
        let (Some(&first), Some(&last)) = (sites.iter().min(), sites.iter().max()) else {
            return Ok(());
        };
        let vocab = self.source.vocab();
        self.run_forward(t, noisy, last)?;
        self.run_backward(t, noisy, first)?;
        for (&site, mu) in sites.iter().zip(out.chunks_exact_mut(vocab)) {
            let forward = &self.forward[site * vocab..][..vocab];
            let backward = &self.backward[site * vocab..][..vocab];
            for ((mu, f), b) in mu.iter_mut().zip(forward).zip(backward) {
                *mu = f * b;
            }
            normalise(mu).ok_or(ChainError::Impossible { site, token: noisy[site], step: t })?;
        }
        Ok(())
    }

    fn run_forward(&mut self, t: Step, noisy: &[Token], last: Site) -> Result<(), ChainError> {
        let (source, vocab) = (self.source, self.source.vocab());
        self.forward[..vocab].copy_from_slice(source.initial());
        for site in 0..last {
            let seen = self.observation(t, site, noisy[site]);
            let (done, rest) = self.forward.split_at_mut((site + 1) * vocab);
            let (here, next) = (&done[site * vocab..], &mut rest[..vocab]);
            seen.push(here, next, |from| source.successors(from));
            normalise(next).ok_or(seen.impossible(t, site))?;
        }
        Ok(())
    }

    fn run_backward(&mut self, t: Step, noisy: &[Token], first: Site) -> Result<(), ChainError> {
        let (source, vocab) = (self.source, self.source.vocab());
        let end = noisy.len() - 1;
        self.backward[end * vocab..].fill(1.0);
        for site in (first + 1..=end).rev() {
            let seen = self.observation(t, site, noisy[site]);
            let (rest, done) = self.backward.split_at_mut(site * vocab);
            let (here, next) = (&done[..vocab], &mut rest[(site - 1) * vocab..]);
            seen.push(here, next, |to| source.predecessors(to));
            normalise(next).ok_or(seen.impossible(t, site))?;
        }
        Ok(())
    }

    fn observation(&self, t: Step, site: Site, token: Token) -> Observation {
        let level = self.schedule.signal_level(site, t);
        let floor = (1.0 - level) * self.schedule.law().probability(token);
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

    fn impossible(&self, step: Step, site: Site) -> ChainError {
        let token = self.token;
        ChainError::Impossible { site, token, step }
    }
}

/// Scales to sum 1, or gives up on a sum of 0.
fn normalise(row: &mut [f64]) -> Option<()> {
    let sum: f64 = row.iter().sum();
    (sum > 0.0).then(|| row.iter_mut().for_each(|x| *x /= sum))
}

/// The exact `r = α_i μ_i + (1 − α_i) q` of a [`MarkovSource`] under a schedule.
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

    fn log_conditionals(
        &self,
        tokens: TokenRows<'_>,
        step: Step,
        sites: &[Site],
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        self.conditionals(tokens, step, sites, out)?;
        for value in out {
            *value = value.ln();
        }
        Ok(())
    }

    fn conditionals(
        &self,
        tokens: TokenRows<'_>,
        step: Step,
        sites: &[Site],
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        let vocab = self.source.vocab();
        let q = self.schedule.law().probabilities();
        let mut smoother = Smoother::new(self.source, self.schedule);
        for (row, rates) in tokens.iter().zip(out.chunks_exact_mut(sites.len() * vocab)) {
            smoother.posteriors(step, row, sites, rates)?;
            for (&site, rate) in sites.iter().zip(rates.chunks_exact_mut(vocab)) {
                let level = self.schedule.signal_level(site, step);
                for (r, q) in rate.iter_mut().zip(q) {
                    *r = level * *r + (1.0 - level) * q;
                }
            }
        }
        Ok(())
    }
}
