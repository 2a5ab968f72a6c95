//! Chains on a device.

use std::ops::Range;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use glauber_chain::{ChainRng, Chains, StepDiagnostics};
use glauber_tokens::{Site, Token, TokenBatch};

use crate::TrainError;

/// Chains with tokens on a device; their generators stay on the host.
pub struct DeviceChains {
    /// `[row, site]`.
    pub(super) tokens: Tensor<2, Int>,
    rngs: Vec<ChainRng>,
    /// The mask of known sites, `[row, site]`, on the host and on the device.
    pub(super) clamped: Option<(Vec<bool>, Tensor<2, Bool>)>,
    /// The highest token, with its row and site.
    pub(super) highest: (Token, usize, Site),
    /// Redraws that changed a token in the current sweep, `[1]`.
    changes: Tensor<1, Int>,
    /// Redraws in the current sweep whose law had no mass, `[1]`.
    lawless: Tensor<1, Int>,
}

impl DeviceChains {
    /// Copies chains to a device.
    pub fn upload(chains: &Chains, device: &Device) -> Self {
        Self::upload_rows(chains, 0..chains.rows(), device)
    }

    pub(super) fn upload_rows(chains: &Chains, of: Range<usize>, device: &Device) -> Self {
        let (rows, len) = (of.len(), chains.len());
        let places = || of.clone().flat_map(|row| (0..len).map(move |site| (row, site)));
        let token = |(row, site): (usize, Site)| chains.tokens().row(row)[site];
        let tokens: Vec<i32> = places().map(|place| token(place) as i32).collect();
        let known: Vec<bool> = places().map(|(row, site)| chains.is_clamped(row, site)).collect();
        let highest = places().map(|(row, site)| (token((row, site)), row, site)).max_by_key(|(token, ..)| *token);
        let on_device = |known: Vec<bool>| {
            let mask = Tensor::from_data(TensorData::new(known.clone(), [rows, len]), device);
            (known, mask)
        };
        Self {
            tokens: Tensor::from_data(TensorData::new(tokens, [rows, len]), device),
            rngs: chains.rngs()[of].to_vec(),
            clamped: known.contains(&true).then(|| on_device(known)),
            highest: highest.unwrap_or_default(),
            changes: Tensor::zeros([1], device),
            lawless: Tensor::zeros([1], device),
        }
    }

    /// Copies the chains to the host.
    ///
    /// # Errors
    /// If the device returns values that are not tokens.
    pub fn download(self) -> Result<Chains, TrainError> {
        let len = self.tokens.dims()[1];
        let tokens: Vec<Token> = self.tokens.into_data().iter::<i64>().map(|token| token as Token).collect();
        let batch = TokenBatch::new(tokens, len).map_err(|error| TrainError::Sampling(error.to_string()))?;
        let mut chains = Chains::new(batch, self.rngs)?;
        if let Some((known, _)) = self.clamped {
            chains.set_clamped(known)?;
        }
        Ok(chains)
    }

    /// Redraws and evaluations of a step.
    pub(super) fn count(&self, sites: &[Site]) -> StepDiagnostics {
        let [rows, len] = self.tokens.dims();
        let free = |row: usize| match &self.clamped {
            None => sites.len(),
            Some((known, _)) => sites.iter().filter(|&&site| !known[row * len + site]).count(),
        };
        let of_row = |row: usize| {
            let updates = free(row) as u64;
            StepDiagnostics { updates, changes: 0, evaluations: updates.min(1), rounds: updates.min(1) }
        };
        (0..rows).map(of_row).sum()
    }

    /// Changes since the last call; an error if a redraw had no law.
    pub(super) fn settle(&mut self, sweep: usize) -> Result<u64, TrainError> {
        let device = self.tokens.device();
        let [changes, lawless] = [&mut self.changes, &mut self.lawless].map(|count| {
            let count = std::mem::replace(count, Tensor::zeros([1], &device));
            count.into_data().iter::<i64>().sum::<i64>()
        });
        match lawless {
            0 => Ok(changes as u64),
            _ => Err(TrainError::Sampling(format!(
                "{lawless} conditionals of sweep {sweep} contain a NaN or allow no token; draw on the host to see their sites"
            ))),
        }
    }

    /// One uniform number for every free site of the block, 0 at known ones: `[row, site of the block]`.
    pub(super) fn uniforms(&mut self, sites: &[Site]) -> Tensor<3> {
        let [rows, len] = self.tokens.dims();
        let mut values = Vec::with_capacity(rows * sites.len());
        for (row, rng) in self.rngs.iter_mut().enumerate() {
            for &site in sites {
                let known = self.clamped.as_ref().is_some_and(|(known, _)| known[row * len + site]);
                values.push(if known { 0.0 } else { rng.uniform() as f32 });
            }
        }
        Tensor::from_data(TensorData::new(values, [rows, sites.len(), 1]), &self.tokens.device())
    }

    /// Writes drawn tokens, `[row, site of the block]`, to free sites. Counts changes and draws without a law.
    pub(super) fn write(&mut self, sites: &[Site], drawn: Tensor<2, Int>, lawful: Tensor<2, Bool>) {
        let rows = drawn.dims()[0];
        for (at, &site) in sites.iter().enumerate() {
            let column = [0..rows, site..site + 1];
            let (drawn, lawful) = (drawn.clone().narrow(1, at, 1), lawful.clone().narrow(1, at, 1));
            let old = self.tokens.clone().slice(column.clone());
            let (drawn, lawful) = match &self.clamped {
                None => (drawn, lawful),
                Some((_, known)) => {
                    let known = known.clone().slice(column.clone());
                    (drawn.mask_where(known.clone(), old.clone()), lawful.bool_or(known))
                }
            };
            self.lawless = self.lawless.clone() + lawful.bool_not().int().sum();
            self.changes = self.changes.clone() + drawn.clone().not_equal(old).int().sum();
            self.tokens = self.tokens.clone().slice_assign(column, drawn);
        }
    }
}
