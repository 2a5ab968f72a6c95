//! A network's inputs for rows, and its cached states between evaluations.

use burn::tensor::{Device, Int, Tensor, TensorData};
use glauber_model::{Conditions, SiteClassifier, States};
use glauber_tokens::Site;

/// Rows, and the network's cached states of them.
pub(super) struct Kept<'a> {
    pub inputs: Inputs,
    pub states: Box<dyn States + 'a>,
}

/// A network's inputs for some rows.
pub(super) struct Inputs {
    /// Shape `[row, site]`.
    pub tokens: Vec<i32>,
    /// Shape `[row]`.
    pub times: Vec<f32>,
    /// Shape `[row, site]`.
    pub levels: Vec<f32>,
    pub class: Option<usize>,
    pub len: usize,
}

impl Inputs {
    pub fn rows(&self) -> usize {
        self.times.len()
    }

    pub fn tokens(&self, device: &Device) -> Tensor<2, Int> {
        Tensor::from_data(TensorData::new(self.tokens.clone(), [self.rows(), self.len]), device)
    }

    pub fn conditions(&self, device: &Device) -> Conditions {
        let rows = self.rows();
        let class = |class: usize| Tensor::from_data(TensorData::new(vec![class as i32; rows], [rows]), device);
        Conditions {
            time: Tensor::from_data(TensorData::new(self.times.clone(), [rows]), device),
            levels: Tensor::from_data(TensorData::new(self.levels.clone(), [rows, self.len]), device),
            classes: self.class.map(class),
            parts: None,
            right: None,
        }
    }

    /// Selects rows; a row may be repeated.
    pub fn copies(&self, rows: &[usize]) -> Self {
        let sites = |row: &usize| row * self.len..(row + 1) * self.len;
        Self {
            tokens: rows.iter().flat_map(|row| &self.tokens[sites(row)]).copied().collect(),
            times: rows.iter().map(|&row| self.times[row]).collect(),
            levels: rows.iter().flat_map(|row| &self.levels[sites(row)]).copied().collect(),
            class: self.class,
            len: self.len,
        }
    }

    /// Tokens and levels at a site of every row, shape `[row]`.
    pub fn column<T: Copy>(&self, values: &[T], site: Site) -> Vec<T> {
        values.iter().skip(site).step_by(self.len).copied().collect()
    }

    /// Sites that have changed in some row.
    pub fn changes_since(&self, old: &Self) -> Vec<Site> {
        let differs = |at: usize| self.tokens[at] != old.tokens[at] || self.levels[at] != old.levels[at];
        (0..self.len).filter(|&site| (site..self.tokens.len()).step_by(self.len).any(differs)).collect()
    }
}

impl<'a> Kept<'a> {
    /// Whether the cached states can be updated for these rows.
    pub fn serves(&self, network: &dyn SiteClassifier, inputs: &Inputs) -> bool {
        let old = &self.inputs;
        let time = !network.follows_time() || old.times == inputs.times;
        time && old.class == inputs.class && old.tokens.len() == inputs.tokens.len()
    }

    /// Updates the changed sites.
    pub fn follow(&mut self, inputs: Inputs, device: &Device) {
        let shape = [inputs.rows(), 1];
        for site in inputs.changes_since(&self.inputs) {
            let tokens = TensorData::new(inputs.column(&inputs.tokens, site), shape);
            let levels = TensorData::new(inputs.column(&inputs.levels, site), shape);
            self.states.set(site, Tensor::from_data(tokens, device), Tensor::from_data(levels, device));
        }
        self.inputs = inputs;
    }
}
