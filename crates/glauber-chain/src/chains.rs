//! The state of a batch of chains.

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token, TokenBatch};

use crate::{ChainError, ChainRng, Result, TokenRows, corrupt};

/// Independent chains: one row of tokens and one generator each, and which sites are clamped.
///
/// A clamped site never changes and uses no random numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chains {
    tokens: TokenBatch,
    rngs: Vec<ChainRng>,
    /// Shape `[row, site]`; absent when nothing is clamped.
    clamped: Option<Vec<bool>>,
}

impl Chains {
    /// Chains at given tokens, one generator for each row, nothing clamped.
    ///
    /// # Errors
    /// When rows and generators differ in number.
    pub fn new(tokens: TokenBatch, rngs: Vec<ChainRng>) -> Result<Self> {
        ChainError::unless_equal("generators, one for each row", rngs.len(), tokens.rows())?;
        Ok(Self { tokens, rngs, clamped: None })
    }

    /// Chains at given tokens, row `i` with stream `i` of `seed`, nothing clamped.
    pub fn seeded(tokens: TokenBatch, seed: u64) -> Self {
        let rngs = ChainRng::streams(seed, tokens.rows());
        Self { tokens, rngs, clamped: None }
    }

    /// Chains at independent draws of the noise law, one row for each generator: the start of a reverse chain.
    pub fn from_noise(schedule: &Schedule, mut rngs: Vec<ChainRng>) -> Self {
        let mut tokens = TokenBatch::filled(rngs.len(), schedule.len(), 0);
        for (row, rng) in rngs.iter_mut().enumerate() {
            for token in tokens.row_mut(row) {
                *token = schedule.law().draw(rng.uniform());
            }
        }
        Self { tokens, rngs, clamped: None }
    }

    /// Clamps the sites marked true, shape `[row · site]`, at the tokens they show now. Replaces an earlier mask.
    ///
    /// # Errors
    /// When the mask does not have one entry for each site of each row.
    pub fn set_clamped(&mut self, clamped: Vec<bool>) -> Result<()> {
        ChainError::unless_equal("entries of the clamp mask", clamped.len(), self.tokens.as_slice().len())?;
        self.clamped = clamped.contains(&true).then_some(clamped);
        Ok(())
    }

    /// Clamps one site of one row at a token.
    ///
    /// # Errors
    /// When there is no such row or site.
    pub fn clamp(&mut self, row: usize, site: Site, token: Token) -> Result<()> {
        let (rows, len) = (self.rows(), self.len());
        if row >= rows {
            return Err(ChainError::Mismatch {
                what: "row to clamp, below the number of rows",
                found: row,
                expected: rows,
            });
        }
        if site >= len {
            return Err(ChainError::OutsideSequence { site, len });
        }
        self.tokens.row_mut(row)[site] = token;
        self.clamped.get_or_insert_with(|| vec![false; rows * len])[row * len + site] = true;
        Ok(())
    }

    /// Frees every site.
    pub fn release(&mut self) {
        self.clamped = None;
    }

    /// Whether a site of a row is clamped.
    ///
    /// # Panics
    /// When there is no such row or site.
    pub fn is_clamped(&self, row: usize, site: Site) -> bool {
        assert!(row < self.rows() && site < self.len(), "row {row}, site {site}");
        self.clamped.as_ref().is_some_and(|mask| mask[row * self.len() + site])
    }

    /// The tokens, shape `[row, site]`.
    pub fn tokens(&self) -> &TokenBatch {
        &self.tokens
    }

    /// The generators, shape `[row]`.
    pub fn rngs(&self) -> &[ChainRng] {
        &self.rngs
    }

    /// Number of chains.
    pub fn rows(&self) -> usize {
        self.rngs.len()
    }

    /// Sites per chain, `L`.
    #[allow(clippy::len_without_is_empty)] // `len ≥ 1` always
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The tokens and the generators.
    pub fn into_parts(self) -> (TokenBatch, Vec<ChainRng>) {
        (self.tokens, self.rngs)
    }

    /// Takes every free site from time 0 to time `t` of the forward chain by equation (M), to be denoised again.
    ///
    /// # Errors
    /// When the schedule has another number of sites.
    pub fn renoise(&mut self, schedule: &Schedule, t: Step) -> Result<()> {
        let len = self.len();
        ChainError::unless_equal("sites of the schedule", schedule.len(), len)?;
        let mut noisy = vec![0; len];
        for (row, rng) in self.rngs.iter_mut().enumerate() {
            corrupt(schedule, self.tokens.row(row), t, rng, &mut noisy);
            let clamped = self.clamped.as_ref().map(|mask| &mask[row * len..][..len]);
            for (site, token) in self.tokens.row_mut(row).iter_mut().enumerate() {
                if !clamped.is_some_and(|mask| mask[site]) {
                    *token = noisy[site];
                }
            }
        }
        Ok(())
    }

    /// The rows in stretches, to be shared out over threads.
    pub(crate) fn shares(&mut self) -> Vec<ChainsView<'_>> {
        let size = self.rows().div_ceil(4 * rayon::current_num_threads()).max(1);
        self.view().split(size)
    }

    pub(crate) fn view(&mut self) -> ChainsView<'_> {
        ChainsView {
            len: self.tokens.len(),
            first_row: 0,
            tokens: self.tokens.as_mut_slice(),
            rngs: &mut self.rngs,
            clamped: self.clamped.as_deref(),
        }
    }
}

/// A stretch of rows of some [`Chains`].
pub(crate) struct ChainsView<'a> {
    pub len: usize,
    pub first_row: usize,
    pub tokens: &'a mut [Token],
    pub rngs: &'a mut [ChainRng],
    pub clamped: Option<&'a [bool]>,
}

impl<'a> ChainsView<'a> {
    pub fn rows(&self) -> TokenRows<'_> {
        TokenRows::new(self.tokens, self.len).with_clamped(self.clamped)
    }

    pub fn is_clamped(&self, row: usize, site: Site) -> bool {
        self.clamped.is_some_and(|mask| mask[row * self.len + site])
    }

    /// Stretches of at most `size` rows.
    fn split(self, size: usize) -> Vec<ChainsView<'a>> {
        let (len, clamped) = (self.len, self.clamped);
        self.tokens
            .chunks_mut(size * len)
            .zip(self.rngs.chunks_mut(size))
            .enumerate()
            .map(|(chunk, (tokens, rngs))| ChainsView {
                len,
                first_row: self.first_row + chunk * size,
                clamped: clamped.map(|mask| &mask[chunk * size * len..][..tokens.len()]),
                tokens,
                rngs,
            })
            .collect()
    }
}
