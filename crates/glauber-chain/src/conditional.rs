//! The interface between a chain and its target.

use std::ops::Deref;

use glauber_tokens::{Site, Step, Token, TokenBatch, TokenError};

use crate::{ChainError, LawTable, Result};

/// Borrowed rows, shape `[row, site]`, and a mask of the sites known to be clean.
#[derive(Debug, Clone, Copy)]
pub struct TokenRows<'a> {
    tokens: &'a [Token],
    clamped: Option<&'a [bool]>,
    len: usize,
}

/// The sites requested from a batch whose rows have different steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowSites<'a> {
    /// Every site of every row.
    All,
    /// Every site of every row, of which only the marked ones are read, shape `[row, site]`. The numbers of the others
    /// may be anything but NaN, so a conditional with a cost per site can skip them.
    Marked(&'a [bool]),
    /// One site per row, shape `[row]`.
    Each(&'a [Site]),
}

impl RowSites<'_> {
    /// The number of sites requested per row, for a sequence length.
    pub fn per_row(&self, len: usize) -> usize {
        match self {
            Self::All | Self::Marked(_) => len,
            Self::Each(_) => 1,
        }
    }

    /// The row and the site of a request, by its place in the order of `[row, requested site]`.
    pub(crate) fn place(&self, index: usize, len: usize) -> (usize, Site) {
        match self {
            Self::All | Self::Marked(_) => (index / len, index % len),
            Self::Each(each) => (index, each[index]),
        }
    }
}

impl<'a> TokenRows<'a> {
    /// A view of a flat row-major buffer, shape `[row · site]`.
    ///
    /// # Panics
    /// When `len` is 0 or does not divide the buffer.
    pub fn new(tokens: &'a [Token], len: usize) -> Self {
        assert!(len > 0 && tokens.len().is_multiple_of(len), "{} tokens in rows of {len}", tokens.len());
        Self { tokens, clamped: None, len }
    }

    /// Marks the sites whose tokens are known, shape `[row · site]`: they are clean (`α = 1`) at every step. A
    /// conditional may use this.
    ///
    /// # Panics
    /// When the mask does not have one entry for each token.
    pub fn with_clamped(self, clamped: Option<&'a [bool]>) -> Self {
        assert!(
            clamped.is_none_or(|mask| mask.len() == self.tokens.len()),
            "one entry of the clamp mask for each token"
        );
        Self { clamped, ..self }
    }

    /// The mask of clean sites of a row, shape `[site]`; `None` if there are none.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn clamped(&self, row: usize) -> Option<&'a [bool]> {
        self.clamped.map(|mask| &mask[row * self.len..][..self.len])
    }

    /// Some consecutive rows.
    ///
    /// # Panics
    /// If the range exceeds the rows.
    pub fn slice(&self, rows: std::ops::Range<usize>) -> Self {
        let tokens = rows.start * self.len..rows.end * self.len;
        Self { tokens: &self.tokens[tokens.clone()], clamped: self.clamped.map(|mask| &mask[tokens]), len: self.len }
    }

    /// Checks that rows have `len` sites, and tokens below `vocab`.
    ///
    /// # Errors
    /// [`ChainError::Mismatch`], or [`ChainError::Tokens`] with the first token outside the vocabulary.
    pub fn check(&self, len: usize, vocab: usize) -> Result<()> {
        ChainError::unless_equal("sites of a row", self.len, len)?;
        match self.tokens.iter().position(|&token| token as usize >= vocab) {
            None => Ok(()),
            Some(at) => {
                let (token, row, site) = (self.tokens[at], at / len, at % len);
                Err(TokenError::OutsideVocabulary { token, row, site, vocab }.into())
            }
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.tokens.len() / self.len
    }

    /// Sites per row, `L`.
    #[allow(clippy::len_without_is_empty)] // `len ≥ 1` always
    pub fn len(&self) -> usize {
        self.len
    }

    /// The sequence of a row, shape `[site]`.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> &'a [Token] {
        &self.tokens[row * self.len..][..self.len]
    }

    /// All sequences in order.
    pub fn iter(&self) -> std::slice::ChunksExact<'a, Token> {
        self.tokens.chunks_exact(self.len)
    }

    /// The flat buffer, shape `[row · site]`.
    pub fn as_slice(&self) -> &'a [Token] {
        self.tokens
    }
}

impl<'a> From<&'a TokenBatch> for TokenRows<'a> {
    fn from(batch: &'a TokenBatch) -> Self {
        Self::new(batch.as_slice(), batch.len())
    }
}

/// The conditional law of one site given all others: exact in the oracles, or given by a network.
///
/// The law of a site depends only on the other sites of its row: not on other rows, the other requested sites, or the
/// site's own token.
#[allow(clippy::len_without_is_empty)] // `len` is the number of sites of a sequence
pub trait SiteConditional {
    /// Number of tokens `V`.
    fn vocab(&self) -> usize;

    /// Sites per sequence, `L`.
    fn len(&self) -> usize;

    /// Writes `log P(X_{t,i} = · | x_{-i})` in nats for every row and every site `i` of `sites`, with `t = step`. `out` has shape
    /// `[row, requested site, token]`; each of its rows is normalised, and `−∞` is allowed.
    ///
    /// # Errors
    /// When the conditional cannot be evaluated.
    ///
    /// # Panics
    /// An implementation may panic when rows do not have [`len`](Self::len) sites, a token is outside the vocabulary, or `out` has
    /// another size than stated. The kernels of this crate check before they call.
    fn log_conditionals(&self, tokens: TokenRows<'_>, step: Step, sites: &[Site], out: &mut [f64]) -> Result<()>;

    /// [`log_conditionals`](Self::log_conditionals) as probabilities. Override it if they are cheaper than their
    /// logarithms.
    ///
    /// # Errors
    /// As [`log_conditionals`](Self::log_conditionals).
    ///
    /// # Panics
    /// As [`log_conditionals`](Self::log_conditionals).
    fn conditionals(&self, tokens: TokenRows<'_>, step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        self.log_conditionals(tokens, step, sites, out)?;
        for value in out {
            *value = value.exp();
        }
        Ok(())
    }

    /// [`log_conditionals`](Self::log_conditionals) with a step for each row, `steps` of shape `[row]`. Override it if
    /// one evaluation of many rows is cheaper than many of one row.
    ///
    /// # Errors
    /// As [`log_conditionals`](Self::log_conditionals).
    ///
    /// # Panics
    /// As [`log_conditionals`](Self::log_conditionals), and when there is not one step (or site) for each row.
    fn log_conditionals_at(
        &self,
        tokens: TokenRows<'_>,
        steps: &[Step],
        sites: RowSites<'_>,
        out: &mut [f64],
    ) -> Result<()> {
        let (len, vocab) = (tokens.len(), self.vocab());
        assert_eq!(steps.len(), tokens.rows(), "one step for each row");
        let every: Vec<Site> = (0..len).collect();
        let size = sites.per_row(len) * vocab;
        for (row, (&step, part)) in steps.iter().zip(out.chunks_exact_mut(size)).enumerate() {
            let asked = match sites {
                RowSites::All | RowSites::Marked(_) => &every[..],
                RowSites::Each(each) => &each[row..=row],
            };
            self.log_conditionals(tokens.slice(row..row + 1), step, asked, part)?;
        }
        Ok(())
    }

    /// Network passes per row and evaluation; more than one if several conditionals are combined.
    fn passes(&self) -> u64 {
        1
    }

    /// A precomputed table of the laws, if they take few values and do not depend on the step.
    /// [`HeatBath`](crate::HeatBath) then draws from the table: the same tokens from the same uniform numbers, faster.
    fn law_table(&self) -> Option<&LawTable> {
        None
    }
}

/// Conditionals behind pointers: `&C`, `Box<dyn SiteConditional>`.
impl<P: Deref<Target: SiteConditional>> SiteConditional for P {
    fn vocab(&self) -> usize {
        (**self).vocab()
    }

    fn len(&self) -> usize {
        (**self).len()
    }

    fn log_conditionals(&self, tokens: TokenRows<'_>, step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        (**self).log_conditionals(tokens, step, sites, out)
    }

    fn conditionals(&self, tokens: TokenRows<'_>, step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        (**self).conditionals(tokens, step, sites, out)
    }

    fn log_conditionals_at(
        &self,
        tokens: TokenRows<'_>,
        steps: &[Step],
        sites: RowSites<'_>,
        out: &mut [f64],
    ) -> Result<()> {
        (**self).log_conditionals_at(tokens, steps, sites, out)
    }

    fn passes(&self) -> u64 {
        (**self).passes()
    }

    fn law_table(&self) -> Option<&LawTable> {
        (**self).law_table()
    }
}
