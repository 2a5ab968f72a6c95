//! An upper bound on `−ln p_θ(X_0)` of a reverse chain, equation (N).

mod exact;
mod level;
mod posterior;
mod terms;

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token, TokenBatch};

pub use exact::ExactBound;
pub use level::level_term;
use posterior::{Noise, Posterior};
pub use terms::BoundTerms;

use crate::update::check_vocab;
use crate::{ChainError, ChainRng, Result, ReverseKernel, RowSites, SiteConditional, TokenRows, Touch, corrupt};

/// Settings for sampling a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundSampling {
    /// Steps drawn per sequence, at least 1, stratified over `0..T`.
    pub draws: usize,
    /// Noisy sequences per evaluation of the conditional, at least 1.
    pub rows: usize,
}

impl Default for BoundSampling {
    fn default() -> Self {
        Self { draws: 16, rows: 64 }
    }
}

/// The bound (N) on `−ln p_θ(X_0)` in nats per sequence:
///
/// `E Σ_t KL(P(X_t | X_{t+1}, X_0) ‖ p_θ(X_t | X_{t+1})) + KL(P(X_T | X_0) ‖ p(X_T))`.
///
/// The model is a reverse chain. It starts from independent draws of the noise law, and uses a [`ReverseKernel`] fed by
/// a [`SiteConditional`] `r_θ`. Each term of a step is a sum over tokens in closed form. With [`Lazy`](crate::Lazy) and
/// exact conditionals, the mean of the bound is the entropy of the data plus the prior term, for any number of sweeps.
/// With [`HeatBath`](crate::HeatBath) the bound is loose: every touch forgets a token at a cost, so it grows with the
/// number of sweeps.
///
/// A step that touches a block sums over its sites, each with its own `r_θ(· | X_{t+1,-i})`. The bound thus also holds
/// for a chain that redraws the block from one evaluation.
///
/// If the noise law gives a data token probability 0 (absorbing noise) and the horizon has residual signal, the bound
/// is infinite; see [`with_signal_law`](Self::with_signal_law).
///
/// ```
/// use glauber_chain::{BoundSampling, ChainRng, Lazy, LikelihoodBound, oracles::MarkovSource};
/// use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
/// use glauber_tokens::TokenBatch;
///
/// let source = MarkovSource::random(5, 1, 2.0)?;
/// let order = SiteOrder::round_robin(16, 4)?;
/// let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(5)?, 1e-3, false)?;
/// let mut rngs = ChainRng::streams(7, 20);
/// let clean = TokenBatch::from_rows(rngs.iter_mut().map(|rng| source.sample(16, rng)))?;
///
/// let bound = LikelihoodBound::new(&schedule, Lazy::default());
/// let terms = bound.estimate(&source.conditional(&schedule)?, &clean, &mut rngs, BoundSampling::default())?;
/// let bits = terms.bits_per_token();
/// assert!(bits.mean > 0.0 && bits.standard_error < bits.mean);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct LikelihoodBound<'a, K = Box<dyn ReverseKernel>> {
    schedule: &'a Schedule,
    kernel: K,
    noise: Noise<'a>,
    /// Shape `[token]`; `None` if the chain starts from the noise law.
    signal_law: Option<Vec<f64>>,
}

impl<'a, K: ReverseKernel> LikelihoodBound<'a, K> {
    /// The bound for a chain that starts from the noise law of the schedule.
    pub fn new(schedule: &'a Schedule, kernel: K) -> Self {
        Self { schedule, kernel, noise: Noise::new(schedule.law()), signal_law: None }
    }

    /// The bound for a chain that starts site `j` from `α_j(T) u + (1 − α_j(T)) q` instead of the noise law `q`. `u` is
    /// a law of tokens, shape `[token]`, for example the frequencies of the training data. To draw such a start, fill
    /// the chains with draws of `u` and noise them to the horizon ([`Chains::renoise`](crate::Chains::renoise)).
    ///
    /// # Errors
    /// When `u` has another vocabulary, is negative or does not sum to 1 within 1e-9.
    pub fn with_signal_law(self, law: &[f64]) -> Result<Self> {
        ChainError::unless_equal("tokens of the signal law", law.len(), self.noise.vocab())?;
        ChainError::unless_law("the signal law", law, 1e-9)?;
        Ok(Self { signal_law: Some(law.to_vec()), ..self })
    }

    /// The kernel.
    pub fn kernel(&self) -> &K {
        &self.kernel
    }

    /// `KL(P(X_T | X_0) ‖ p(X_T))` in nats, exactly. `clean` is `X_0`, shape `[site]`.
    ///
    /// # Errors
    /// When `clean` has another length or a token outside the vocabulary, or the start law gives one of its tokens
    /// probability 0.
    pub fn prior(&self, clean: &[Token]) -> Result<f64> {
        let batch = TokenBatch::new(clean.to_vec(), clean.len())?;
        self.check_clean(&batch)?;
        self.prior_of_row(0, clean)
    }

    /// An unbiased estimate of the bound for each row of `clean`, shape `[row, site]`. The prior term is exact. The sum
    /// over steps is `T` times the mean over `sampling.draws` steps, one from each of as many equal parts of `0..T`,
    /// with `X_{t+1}` drawn by equation (M). Row `n` uses only `rngs[n]`, so its estimate does not depend on other
    /// rows.
    ///
    /// If steps touch several sites, one evaluation requests all sites of a row: `rows · L · V` numbers.
    ///
    /// # Errors
    /// If sizes do not fit, `sampling` has a 0, the conditional fails, or the bound is infinite; the error names the
    /// first token that causes it.
    pub fn estimate<C: SiteConditional + ?Sized>(
        &self,
        conditional: &C,
        clean: &TokenBatch,
        rngs: &mut [ChainRng],
        sampling: BoundSampling,
    ) -> Result<BoundTerms> {
        self.check_clean(clean)?;
        self.check_conditional(conditional)?;
        ChainError::unless_equal("generators", rngs.len(), clean.rows())?;
        for (key, count) in [("draws", sampling.draws), ("rows", sampling.rows)] {
            ChainError::unless_in_range(count > 0, key, 0.0, "at least 1")?;
        }
        let prior = clean.iter().enumerate().map(|(row, clean)| self.prior_of_row(row, clean));
        let prior = prior.collect::<Result<Vec<_>, _>>()?;
        let horizon = self.schedule.horizon();
        let weight = horizon as f64 / sampling.draws as f64;
        let mut steps = vec![0.0; clean.rows()];
        let mut visits = rngs.iter_mut().enumerate().flat_map(|(row, rng)| {
            let mut draw = 0;
            std::iter::from_fn(move || {
                let u = (draw as f64 + rng.uniform()) / sampling.draws as f64;
                draw += 1;
                (draw <= sampling.draws).then(|| Visit::draw(self.schedule, row, clean.row(row), u, rng))
            })
        });
        loop {
            let chunk: Vec<Visit> = visits.by_ref().take(sampling.rows).collect();
            if chunk.is_empty() {
                break;
            }
            for (visit, kl) in chunk.iter().zip(self.evaluate(conditional, clean, &chunk)?) {
                steps[visit.row] += weight * kl;
            }
        }
        Ok(BoundTerms::new(clean.len(), prior, steps))
    }

    /// The term of each visit, in one evaluation of the conditional.
    fn evaluate<C: SiteConditional + ?Sized>(
        &self,
        conditional: &C,
        clean: &TokenBatch,
        visits: &[Visit],
    ) -> Result<Vec<f64>> {
        let (len, vocab) = (clean.len(), self.noise.vocab());
        let tokens: Vec<Token> = visits.iter().flat_map(|visit| visit.noisy.iter().copied()).collect();
        let steps: Vec<Step> = visits.iter().map(|visit| visit.step).collect();
        let single = self.schedule.order().is_single_site();
        let first: Vec<Site> = steps.iter().map(|&t| self.schedule.sites(t)[0]).collect();
        let mut touched = vec![false; if single { 0 } else { tokens.len() }];
        for (row, visit) in touched.chunks_exact_mut(len).zip(visits) {
            let asks = |&site: &Site| self.kernel.asks(&Touch::new(self.schedule, visit.step, site, visit.noisy[site]));
            self.schedule.sites(visit.step).iter().for_each(|site| row[*site] = asks(site));
        }
        let asked = if single { RowSites::Each(&first) } else { RowSites::Marked(&touched) };
        let size = asked.per_row(len) * vocab;
        let mut rates = vec![0.0; visits.len() * size];
        conditional.log_conditionals_at(TokenRows::new(&tokens, len), &steps, asked, &mut rates)?;
        let terms = visits.iter().zip(rates.chunks_exact_mut(size)).map(|(visit, rates)| {
            let clean = clean.row(visit.row);
            let sites = self.schedule.sites(visit.step).iter();
            let kl = |&site: &Site| {
                let at = if single { 0 } else { site };
                let rates = &mut rates[at * vocab..][..vocab];
                let touch = Touch::new(self.schedule, visit.step, site, visit.noisy[site]);
                if !single && !self.kernel.asks(&touch) {
                    rates.fill(-(vocab as f64).ln());
                }
                self.law(touch, visit.row, rates)?;
                self.site_term(touch, clean[site], visit.row, rates)
            };
            sites.map(kl).sum()
        });
        terms.collect()
    }

    /// Converts the conditional of a touched site to the kernel's law, in place, shape `[token]`.
    fn law(&self, touch: Touch<'_>, row: usize, log_rates: &mut [f64]) -> Result<()> {
        self.kernel.log_probabilities(&touch, log_rates).map_err(|refusal| refusal.at(row, &touch))
    }

    /// One site's part of a step's term, in nats; `log_model` is the kernel's law, shape `[token]`.
    fn site_term(&self, touch: Touch<'_>, clean: Token, row: usize, log_model: &[f64]) -> Result<f64> {
        let (site, step) = (touch.site, touch.step);
        let infinite = |token| ChainError::InfiniteBound { row, site, token, step };
        let moved;
        let noise = match self.schedule.law_of_levels().is_moving() {
            true => {
                moved = Noise::new(self.schedule.law_at(site, step));
                &moved
            }
            false => &self.noise,
        };
        Posterior::new(touch, clean).divergence(noise, log_model).map_err(infinite)
    }

    fn prior_of_row(&self, row: usize, clean: &[Token]) -> Result<f64> {
        let horizon = self.schedule.horizon();
        let mut sum = 0.0;
        for (site, &token) in clean.iter().enumerate() {
            let level = self.schedule.signal_level(site, horizon);
            for (b, &q) in self.noise.probabilities().iter().enumerate() {
                let signal = if b == token as usize { level } else { 0.0 };
                let end = signal + (1.0 - level) * q;
                let residue = self.signal_law.as_ref().map(|law| level * law[b] + (1.0 - level) * q);
                let start = residue.unwrap_or(q);
                if end > 0.0 && start == 0.0 {
                    return Err(ChainError::StartForbids { row, site, token, level });
                }
                if end > 0.0 {
                    sum += end * (end / start).ln();
                }
            }
        }
        Ok(sum)
    }

    fn check_clean(&self, clean: &TokenBatch) -> Result<()> {
        ChainError::unless_equal("clean sites per row", clean.len(), self.schedule.len())?;
        Ok(clean.check_vocab(self.noise.vocab())?)
    }

    fn check_conditional<C: SiteConditional + ?Sized>(&self, conditional: &C) -> Result<()> {
        check_vocab(conditional, self.schedule)?;
        let what = "sites of the conditional, against those of the schedule";
        ChainError::unless_equal(what, conditional.len(), self.schedule.len())
    }
}

/// A step drawn for a row, and the tokens after it.
struct Visit {
    row: usize,
    step: Step,
    noisy: Vec<Token>,
}

impl Visit {
    fn draw(schedule: &Schedule, row: usize, clean: &[Token], u: f64, rng: &mut ChainRng) -> Self {
        let horizon = schedule.horizon();
        let step = ((u * horizon as f64) as Step).min(horizon - 1);
        let mut noisy = vec![0; clean.len()];
        corrupt(schedule, clean, step + 1, rng, &mut noisy);
        Self { row, step, noisy }
    }
}
