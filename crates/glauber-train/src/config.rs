//! Everything that decides a run.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use glauber_model::{Conditioning, ModelConfig, Positions, Preset};
use glauber_schedule::ScheduleConfig;
use glauber_text::{CorpusConfig, PrepareConfig, TokenizerConfig};

use crate::{Denoising, ImageConfig, ImageTokens, Objective, OptimiserKind, Precision, TrainError};

/// A run's configuration: what `config.toml` of a run folder holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Seed of everything random: weights, data, noise, samples.
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

/// Where sequences come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DataConfig {
    /// A text corpus.
    Text {
        /// Sites per sequence, `L`.
        length: usize,
        /// Files and folders.
        corpus: CorpusConfig,
        /// The vocabulary.
        tokenizer: TokenizerConfig,
        /// The split.
        #[serde(default)]
        prepare: PrepareConfig,
    },
    /// Draws of a random first-order Markov chain, whose Bayes loss is known, or of one of several.
    Markov {
        /// Sites per sequence, `L`.
        length: usize,
        /// Symbols, `V`.
        vocab: usize,
        /// Seed of the chain's transition matrix; class `c` has the seed `source_seed + c`.
        source_seed: u64,
        /// Classes, equally probable, each a chain of its own. By default 1: sequences have no class.
        #[serde(default = "one")]
        classes: usize,
    },
    /// Images as grids of tokens, row by row.
    Image(ImageConfig),
    /// Complete Sudoku grids, row by row.
    Sudoku {
        /// Side of the grid, 4 or 9: `L = side²`, `V = side`.
        side: usize,
    },
}

fn one() -> usize {
    1
}

impl RunConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`TrainError`] names the first key that is out of range.
    pub fn validate(&self) -> Result<(), TrainError> {
        match &self.data {
            &DataConfig::Markov { vocab, classes, .. } => {
                within("data.vocab", vocab, 2..=4096)?;
                within("data.classes", classes, 1..=1 << 10)?;
            }
            &DataConfig::Sudoku { side } => require([4, 9].contains(&side), "data.side", side, "4 or 9")?,
            DataConfig::Image(image) => self.validate_image(image)?,
            DataConfig::Text { .. } => {}
        }
        within("data.length", self.data.length(), 1..=1 << 13)?;
        let (found, classes) = (self.model.classes, self.data.classes());
        require(found == classes, "model.classes", found, &format!("{classes}: so many classes does the data tell"))?;
        within("schedule.sweeps", self.schedule.sweeps, 1..=1 << 16)?;
        if let (Some([height, width]), Some([rows, columns])) = (self.schedule.order.lattice(), self.data.grid()) {
            let found = format!("a lattice of {height} rows and {width} columns");
            let expected = format!("`height` = {rows} and `width` = {columns}, as the sites of the data lie");
            require([height, width] == [rows, columns], "schedule.order", found, &expected)?;
        }
        if let (Positions::Grid { columns }, Some([_, across])) = (self.model.positions, self.data.grid()) {
            let expected = format!("{across}, the columns of tokens of the data (of images, by `data.width`)");
            require(columns == across, "model.positions.grid.columns", columns, &expected)?;
        }
        self.model.validate()?;
        // Its logits hold log Π_t(φ), which signal levels do not tell.
        let untold = self.train.objective.reads_step() && self.model.conditioning == Conditioning::SignalLevelOnly;
        let name = self.train.objective.name();
        let expected = format!("signal-level or step: the objective `{name}` must be told the step");
        require(!untold, "model.conditioning", "signal-level-only", &expected)?;
        self.train.validate()
    }

    fn validate_image(&self, image: &ImageConfig) -> Result<(), TrainError> {
        let ImageConfig { height, width, held_out, .. } = *image;
        let most = match &image.tokens {
            ImageTokens::Pixels { levels } => {
                within("data.levels", *levels, 2..=256)?;
                1 << 7
            }
            ImageTokens::Tokenizer(tokenizer) => {
                let factor = tokenizer.factor;
                within("data.tokenizer.factor", factor, 1..=1 << 12)?;
                within("data.tokenizer.passes", tokenizer.passes.unwrap_or(1), 1..=1 << 16)?;
                let expected =
                    format!("a multiple of {factor}, the rows (columns) of a patch of the tokenizer (`--size`)");
                require(height.is_multiple_of(factor), "data.height", height, &expected)?;
                require(width.is_multiple_of(factor), "data.width", width, &expected)?;
                1 << 12
            }
        };
        within("data.height", height, 1..=most)?;
        within("data.width", width, 1..=most)?;
        require(held_out > 0.0 && held_out < 1.0, "data.held_out", held_out, "a share between 0 and 1")
    }
}

impl DataConfig {
    /// Sites per sequence, `L`.
    pub fn length(&self) -> usize {
        match self {
            Self::Text { length, .. } | Self::Markov { length, .. } => *length,
            Self::Image(image) => image.grid().iter().fold(1, |sites: usize, &side| sites.saturating_mul(side)),
            // Saturating: a side that is out of range is refused by `validate`, not here.
            Self::Sudoku { side } => side.saturating_mul(*side),
        }
    }

    /// Rows and columns, where sequences are grids.
    pub fn grid(&self) -> Option<[usize; 2]> {
        match self {
            Self::Image(image) => Some(image.grid()),
            Self::Sudoku { side } => Some([*side, *side]),
            Self::Text { .. } | Self::Markov { .. } => None,
        }
    }

    /// Classes that the data tells of its sequences; 0 where it tells none.
    pub fn classes(&self) -> usize {
        match self {
            Self::Markov { classes, .. } if *classes > 1 => *classes,
            Self::Image(image) => image.classes,
            _ => 0,
        }
    }
}

/// The loop, in optimiser steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// The loss.
    pub objective: &'static dyn Objective,
    /// The optimiser.
    pub optimiser: OptimiserKind,
    /// Optimiser steps in all.
    pub steps: usize,
    /// Sequences per optimiser step.
    pub batch: usize,
    /// Parts that a step's sequences are cut into. Their gradients are averaged (accumulation), and run side by side where there
    /// are threads for it. The result depends on this number, not on the threads.
    pub micro_batches: usize,
    /// Whether the network's blocks keep their inputs alone for the backward pass, and compute the rest again in it: less memory, more time,
    /// the same loss and gradients ([`Network::recomputing`](glauber_model::Network::recomputing)).
    pub checkpoint_activations: bool,
    /// In which numbers the network's large layers compute.
    pub precision: Precision,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Learning rate at the last step, as a share of the peak.
    pub minimum_rate: f64,
    /// Steps of linear warm-up.
    pub warmup_steps: usize,
    /// Decoupled weight decay of linear layers' matrices, those that modulate blocks included.
    pub weight_decay: f64,
    /// Decay of the gradient's moving average.
    pub beta_1: f64,
    /// Decay of the squared gradient's moving average.
    pub beta_2: f64,
    /// Global norm to which gradients are clipped.
    pub clip_norm: f64,
    /// Decay of the weights' moving average, which validation and sampling use.
    pub average_decay: f64,
    /// Share of training sequences in which a random part of the sites is clamped to the data: a network conditioned on signal levels
    /// learns what it means that a site is known.
    pub clamped_share: f64,
    /// Share of training sequences whose class is not told, so that the network also learns the law of all classes together.
    pub class_dropout: f64,
    /// Steps between evaluations on held-out sequences.
    pub validate_every: usize,
    /// Held-out sequences per evaluation.
    pub validation_sequences: usize,
    /// Steps between samples; 0 for none.
    pub sample_every: usize,
    /// Sequences per sample.
    pub samples: usize,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
    /// Checkpoints kept.
    pub keep_checkpoints: usize,
    /// When the run was one of another number of steps, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extended: Vec<Extension>,
}

/// A change of a run's number of steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// The step up to which the run was one of `of` steps.
    pub step: usize,
    /// The number of steps until then.
    pub of: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            objective: &Denoising,
            optimiser: OptimiserKind::Muon,
            steps: 2000,
            batch: 32,
            micro_batches: 2,
            checkpoint_activations: false,
            precision: Precision::F32,
            learning_rate: 1e-2,
            minimum_rate: 0.01,
            warmup_steps: 100,
            weight_decay: 0.1,
            beta_1: 0.9,
            beta_2: 0.98,
            clip_norm: 1.0,
            average_decay: 0.995,
            clamped_share: 0.0,
            class_dropout: 0.1,
            validate_every: 100,
            validation_sequences: 64,
            sample_every: 500,
            samples: 2,
            checkpoint_every: 250,
            keep_checkpoints: 2,
            extended: Vec::new(),
        }
    }
}

impl TrainConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first key that is out of range.
    pub fn validate(&self) -> Result<(), TrainError> {
        let counts = [
            ("train.steps", self.steps, 1 << 40),
            ("train.batch", self.batch, 1 << 16),
            ("train.micro_batches", self.micro_batches, 1 << 16),
            ("train.validate_every", self.validate_every, usize::MAX),
            ("train.validation_sequences", self.validation_sequences, 1 << 20),
            ("train.checkpoint_every", self.checkpoint_every, usize::MAX),
            ("train.keep_checkpoints", self.keep_checkpoints, usize::MAX),
        ];
        for (key, found, most) in counts {
            within(key, found, 1..=most)?;
        }
        within("train.samples", self.samples, 0..=1 << 12)?;
        let divides = self.batch.is_multiple_of(self.micro_batches);
        require(divides, "train.micro_batches", self.micro_batches, "a divisor of `train.batch`")?;
        let positive = [("train.learning_rate", self.learning_rate), ("train.clip_norm", self.clip_norm)];
        for (key, found) in positive {
            require(found > 0.0 && found.is_finite(), key, found, "a positive number")?;
        }
        let shares = [
            ("train.minimum_rate", self.minimum_rate),
            ("train.beta_1", self.beta_1),
            ("train.beta_2", self.beta_2),
            ("train.average_decay", self.average_decay),
            ("train.clamped_share", self.clamped_share),
            ("train.class_dropout", self.class_dropout),
        ];
        for (key, found) in shares {
            require((0.0..1.0).contains(&found), key, found, "a number in 0..1")?;
        }
        let recomputed = self.checkpoint_activations && self.precision != Precision::F32;
        require(!recomputed, "train.precision", "bf16", "f32, which `train.checkpoint_activations` is made for")?;
        let decay = self.weight_decay;
        require(decay >= 0.0 && decay.is_finite(), "train.weight_decay", decay, "a number of 0 or more")
    }
}

fn within(key: &'static str, found: usize, range: RangeInclusive<usize>) -> Result<(), TrainError> {
    let expected = match *range.end() {
        usize::MAX => format!("at least {}", range.start()),
        end => format!("a number in {}..={end}", range.start()),
    };
    require(range.contains(&found), key, found, &expected)
}

fn require(holds: bool, key: &'static str, found: impl ToString, expected: &str) -> Result<(), TrainError> {
    match holds {
        true => Ok(()),
        false => Err(TrainError::Config { key, found: found.to_string(), expected: expected.into() }),
    }
}

#[cfg(test)]
mod tests {
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
        for objective in crate::objectives() {
            config.train.objective = objective;
            let refused = config.validate().map_err(|error| error.to_string()).err();
            assert_eq!(refused.is_some(), objective == &crate::Binary as &dyn Objective, "{objective:?}: {refused:?}");
            assert!(refused.is_none_or(|error| error.contains("model.conditioning")));
        }
    }
}
