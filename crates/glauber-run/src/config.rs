//! The configuration of a run.

use glauber_model::{Conditioning, ModelConfig, Positions, Preset};
use glauber_schedule::ScheduleConfig;
use glauber_train::{TrainConfig, TrainError, require, within};
use serde::{Deserialize, Serialize};

use crate::DataConfig;

/// A run's configuration: the content of `config.toml` in a run folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Random seed of weights, data, noise and samples.
    #[serde(default)]
    pub seed: u64,
    /// The sequences.
    pub data: DataConfig,
    /// The network.
    #[serde(default = "default_model")]
    pub model: ModelConfig,
    /// The forward chain.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// The loop.
    #[serde(default)]
    pub train: TrainConfig,
}

fn default_model() -> ModelConfig {
    Preset::Tiny.config()
}

impl RunConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`TrainError`] names the first key out of range.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.data.validate()?;
        let shape = self.data.shape();
        within("data.length", shape.length, 1..=1 << 13)?;
        let (found, classes) = (self.model.classes, shape.classes);
        require(found == classes, "model.classes", found, &format!("{classes}: so many classes does the data tell"))?;
        within("schedule.sweeps", self.schedule.sweeps.count(), 1..=1 << 16)?;
        if let (Some([height, width]), Some([rows, columns])) = (self.schedule.order.lattice(), shape.grid) {
            let found = format!("a lattice of {height} rows and {width} columns");
            let expected = format!("`height` = {rows} and `width` = {columns}, as the sites of the data lie");
            require([height, width] == [rows, columns], "schedule.order", found, &expected)?;
        }
        if let (Positions::Grid { columns }, Some([_, across])) = (self.model.positions, shape.grid) {
            let expected = format!("{across}, the columns of tokens of the data (of images, by `data.width`)");
            require(columns == across, "model.positions.grid.columns", columns, &expected)?;
        }
        self.model.validate()?;
        if let Some(prior) = &self.model.prior {
            within("model.prior.order", prior.order, 1..=32)?;
        }
        // Its logits hold log Π_t(φ), which signal levels do not tell.
        let untold = self.train.objective.reads_step() && self.model.conditioning == Conditioning::SignalLevelOnly;
        let name = self.train.objective.name();
        let expected = format!("signal-level or step: the objective `{name}` needs the step");
        require(!untold, "model.conditioning", "signal-level-only", &expected)?;
        self.train.validate()
    }
}

#[cfg(test)]
mod tests {
    use glauber_train::{Binary, Objective};

    use super::*;

    #[test]
    fn an_order_of_a_lattice_is_of_the_lattice_of_the_data() {
        let images = "[data]\nkind = 'image'\nheight = 8\nwidth = 12\nimages = { kind = 'shapes', count = 9 }\n";
        let check = |order: &str| {
            let text = format!("{images}[schedule]\norder = {{ {order} }}\n");
            let config: RunConfig = toml::from_str(&text).unwrap();
            config.validate().map_err(|error| error.to_string())
        };
        for kind in ["kind = 'chromatic'", "kind = 'spaced', spacing = 3"] {
            assert_eq!(check(&format!("{kind}, height = 8, width = 12")), Ok(()));
            // As many sites, but the rows are columns.
            let turned = check(&format!("{kind}, height = 12, width = 8")).unwrap_err();
            let parts = ["`schedule.order`", "12 rows and 8 columns", "`height` = 8 and `width` = 12"];
            assert!(parts.iter().all(|part| turned.contains(part)), "{turned}");
        }
        assert_eq!(check("kind = 'strided', block = 8"), Ok(()));
    }

    #[test]
    fn the_binary_objective_must_be_told_the_step() {
        let text = "[data]\nkind = 'sudoku'\nside = 4\n";
        let mut config: RunConfig = toml::from_str(text).unwrap();
        config.model.conditioning = Conditioning::SignalLevelOnly;
        for objective in glauber_train::objectives() {
            config.train.objective = objective;
            let refused = config.validate().map_err(|error| error.to_string()).err();
            assert_eq!(refused.is_some(), objective == &Binary as &dyn Objective, "{objective:?}: {refused:?}");
            assert!(refused.is_none_or(|error| error.contains("model.conditioning")));
        }
    }
}
