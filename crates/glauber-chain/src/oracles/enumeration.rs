//! A data distribution small enough to list every sequence.

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token};

use crate::{ChainError, Result};

/// The most sequences an [`EnumeratedTable`] holds.
pub const MAX_STATES: usize = 4096;

/// A distribution π over all `V^L` sequences. Laws over sequences are vectors of shape `[state]`, site 0 varying slowest.
#[derive(Debug, Clone, PartialEq)]
pub struct EnumeratedTable {
    vocab: usize,
    len: usize,
    probabilities: Vec<f64>,
}

impl EnumeratedTable {
    /// π from weights of shape `[state]`, which need not sum to one.
    ///
    /// # Errors
    /// When there are more than [`MAX_STATES`] sequences, or the weights are too few, negative, not finite or all zero.
    pub fn new(vocab: usize, len: usize, weights: Vec<f64>) -> Result<Self> {
        let states = u32::try_from(len)
            .ok()
            .and_then(|len| vocab.checked_pow(len))
            .filter(|&states| (1..=MAX_STATES).contains(&states) && len > 0);
        let Some(states) = states else {
            return Err(ChainError::TooManyStates { vocab, len, limit: MAX_STATES });
        };
        ChainError::unless_equal("weights, one for each sequence", weights.len(), states)?;
        let sum: f64 = weights.iter().sum();
        if !(sum > 0.0 && sum.is_finite() && weights.iter().all(|&w| w >= 0.0)) {
            return Err(ChainError::NotADistribution { what: "a table of weights".into(), sum });
        }
        Ok(Self { vocab, len, probabilities: weights.into_iter().map(|w| w / sum).collect() })
    }

    /// π, shape `[state]`.
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// Number of tokens `V`.
    pub fn vocab(&self) -> usize {
        self.vocab
    }

    /// Sites per sequence, `L`.
    #[allow(clippy::len_without_is_empty)] // `L ≥ 1` always
    pub fn len(&self) -> usize {
        self.len
    }

    /// Number of sequences, `V^L`.
    pub fn states(&self) -> usize {
        self.probabilities.len()
    }

    /// The state of a sequence, shape `[site]`.
    ///
    /// # Panics
    /// When the sequence has another length, or a token outside the vocabulary.
    pub fn state(&self, tokens: &[Token]) -> usize {
        assert!(
            tokens.len() == self.len && tokens.iter().all(|&token| (token as usize) < self.vocab),
            "another table's sequence"
        );
        tokens.iter().fold(0, |state, &token| state * self.vocab + token as usize)
    }

    /// The token of a state at a site.
    ///
    /// # Panics
    /// When there is no such site.
    pub fn token(&self, state: usize, site: Site) -> Token {
        ((state / self.stride(site)) % self.vocab) as Token
    }

    /// The sequence of a state, shape `[site]`.
    pub fn sequence(&self, state: usize) -> Vec<Token> {
        (0..self.len).map(|site| self.token(state, site)).collect()
    }

    fn stride(&self, site: Site) -> usize {
        assert!(site < self.len, "site {site} of {}", self.len);
        self.vocab.pow((self.len - 1 - site) as u32)
    }

    /// The state that shows `token` at `site` and agrees with `state` elsewhere.
    pub(super) fn with(&self, state: usize, site: Site, token: usize) -> usize {
        let stride = self.stride(site);
        state - ((state / stride) % self.vocab) * stride + token * stride
    }

    /// The law of `X_t` by the closed form (M), shape `[state]`.
    ///
    /// # Panics
    /// When the schedule has another vocabulary or number of sites.
    pub fn law_at(&self, schedule: &Schedule, t: Step) -> Vec<f64> {
        assert!(self.check_schedule(schedule).is_ok(), "a schedule of other sequences");
        self.noised(self.probabilities.clone(), schedule, |site| schedule.signal_level(site, t))
    }

    /// A law of clean sequences after noising: site `j` keeps its token with probability `level(j)`, and otherwise
    /// draws noise.
    pub(crate) fn noised(&self, mut law: Vec<f64>, schedule: &Schedule, level: impl Fn(Site) -> f64) -> Vec<f64> {
        for site in 0..self.len {
            let level = level(site);
            if level == 1.0 {
                continue;
            }
            let noise = schedule.law_of_levels().at(level);
            let q = noise.probabilities();
            law = (0..law.len())
                .map(|state| {
                    let context: f64 = (0..self.vocab).map(|a| law[self.with(state, site, a)]).sum();
                    let shown = self.token(state, site) as usize;
                    level * law[state] + (1.0 - level) * q[shown] * context
                })
                .collect();
        }
        law
    }

    /// A law pushed through forward step `t`: every value of every `Z_t` of every sequence, shape `[state]`.
    ///
    /// # Panics
    /// When `t` is not below the horizon or `law` has another number of states.
    pub fn step_law(&self, schedule: &Schedule, t: Step, law: &[f64]) -> Vec<f64> {
        let mut law = law.to_vec();
        for &site in schedule.sites(t) {
            let mut next = vec![0.0; law.len()];
            for (state, mass) in law.iter().enumerate() {
                next[state] += mass * schedule.keep_probability(t);
                for noise in 0..self.vocab {
                    let probability = schedule.noise_probability(t, noise as Token);
                    next[self.with(state, site, noise)] += mass * probability;
                }
            }
            law = next;
        }
        law
    }

    /// `r(a) = P(X_i = a | x_{-i})` under a law, shape `[state, token]`. The rows of contexts of mass 0 are zero.
    ///
    /// # Panics
    /// When there is no such site or `law` has another number of states.
    pub fn conditionals(&self, law: &[f64], site: Site) -> Vec<f64> {
        let mut rows = vec![0.0; law.len() * self.vocab];
        for (state, row) in rows.chunks_exact_mut(self.vocab).enumerate() {
            for (a, r) in row.iter_mut().enumerate() {
                *r = law[self.with(state, site, a)];
            }
            let context: f64 = row.iter().sum();
            if context > 0.0 {
                row.iter_mut().for_each(|r| *r /= context);
            }
        }
        rows
    }

    /// A law pushed through one heat-bath update of a block: every site of it is redrawn from its own conditional table of
    /// [`conditionals`](Self::conditionals), all read at the state before the update. Shape `[state]`.
    ///
    /// # Panics
    /// When there is not one table for each site, or sizes differ.
    pub fn heat_bath_law(&self, law: &[f64], tables: &[Vec<f64>], sites: &[Site]) -> Vec<f64> {
        assert_eq!(tables.len(), sites.len(), "one conditional table for each site");
        let mut next = vec![0.0; law.len()];
        for (state, &mass) in law.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
            let mut moved = vec![(state, mass)];
            for (&site, table) in sites.iter().zip(tables) {
                let row = &table[state * self.vocab..][..self.vocab];
                moved = moved
                    .iter()
                    .flat_map(|&(to, mass)| {
                        row.iter().enumerate().map(move |(a, r)| (self.with(to, site, a), mass * r))
                    })
                    .collect();
            }
            for (to, mass) in moved {
                next[to] += mass;
            }
        }
        next
    }

    /// `p_t(a | x_{-i})`, the probability that token `a`, shown at `site` right after step `t`, is noise. Summed over the joint law
    /// of `(X_t, Z_t)`, without equation (R). `state` gives the context; `None` when the context cannot show `a` there.
    ///
    /// # Panics
    /// When step `t` does not touch `site`, or sizes differ.
    pub fn binary_posterior(
        &self,
        schedule: &Schedule,
        t: Step,
        law: &[f64],
        state: usize,
        site: Site,
        a: Token,
    ) -> Option<f64> {
        assert!(schedule.sites(t).contains(&site), "step {t} leaves site {site} alone");
        let (mut noise, mut signal) = (0.0, 0.0);
        for before in 0..self.vocab {
            let mass = law[self.with(state, site, before)];
            for z in (0..self.vocab as Token).map(Some).chain([None]) {
                let (probability, after) = match z {
                    Some(z) => (schedule.noise_probability(t, z), z),
                    None => (schedule.keep_probability(t), before as Token),
                };
                if after == a {
                    *(if z.is_some() { &mut noise } else { &mut signal }) += mass * probability;
                }
            }
        }
        (noise + signal > 0.0).then(|| noise / (noise + signal))
    }

    pub(crate) fn check_schedule(&self, schedule: &Schedule) -> Result<()> {
        ChainError::unless_equal("sites of the schedule", schedule.len(), self.len)?;
        ChainError::unless_equal("tokens of the noise law", schedule.law().vocab(), self.vocab)
    }
}
