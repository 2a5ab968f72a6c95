//! Sizes of a network, and presets of them.

use serde::{Deserialize, Deserializer, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::{ModelError, NetworkKind, PriorConfig};

/// Sizes above this are rejected as typing errors.
const LARGEST: usize = 1 << 15;

/// The conditioning of a network on the noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conditioning {
    /// Only the step, as in the paper.
    #[default]
    Step,
    /// The step, and the log signal-to-noise ratio of every site; a clamped site is marked clean.
    SignalLevel,
    /// Only the log signal-to-noise ratio of every site. Between steps, then, only touched sites change, and a hollow
    /// network can cache its states ([`Incremental`](crate::Incremental)).
    SignalLevelOnly,
    /// None. Sufficient under absorbing noise, where tokens show which sites are noise.
    None,
}

impl Conditioning {
    /// Whether the network is conditioned on the step.
    pub(crate) fn has_step(self) -> bool {
        matches!(self, Self::Step | Self::SignalLevel)
    }

    /// Whether the network is conditioned on the signal level of every site.
    pub(crate) fn has_levels(self) -> bool {
        matches!(self, Self::SignalLevel | Self::SignalLevelOnly)
    }
}

/// Geometry of the sites, for rotary positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Positions {
    /// A line.
    #[default]
    Line,
    /// A grid in row-major order, like the pixels of an image: half of each head rotates with the row, half with the
    /// column.
    Grid {
        /// Sites of a row.
        columns: usize,
    },
}

/// The architecture of a network, without vocabulary and sequence length, which depend on the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The architecture.
    pub network: NetworkKind,
    /// Width of the residual streams, `d`.
    pub width: usize,
    /// Transformer blocks: per stream in the hollow network, in total in the others.
    pub layers: usize,
    /// Merging blocks of the hollow network's read-out; 0 joins both streams' states at the site without attention.
    /// Ignored by other networks.
    pub merge_layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of the conditioning vector that modulates every block.
    pub condition_width: usize,
    /// Geometry of the sites; default: a line.
    #[serde(default)]
    pub positions: Positions,
    /// Whether to add a learned embedding per site. For sequences whose sites have different meanings, such as the bits
    /// of numbers; rotary positions encode only distances.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub site_vectors: bool,
    /// Conditioning on the noise; default: only the step.
    #[serde(default)]
    pub conditioning: Conditioning,
    /// Number of classes for class conditioning; 0 for none.
    #[serde(default)]
    pub classes: usize,
    /// Whether the read-out is tied to the embedding table.
    pub tied: bool,
    /// Sites per block of the network `block-causal`, as in the order `block-by-block`. Ignored by other networks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub block: usize,
    /// Prior under the network: n-grams of the training text, whose terms the network weights and adds to its logits.
    /// `"none"` disables the prior of an underlying configuration.
    #[serde(default, deserialize_with = "prior_or_none", skip_serializing_if = "Option::is_none")]
    pub prior: Option<PriorConfig>,
}

fn prior_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PriorConfig>, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Word {
        None,
    }
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected \"none\", or a prior: `{ order = N }`")]
    enum Written {
        Word(Word),
        Prior(PriorConfig),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::Word(Word::None) => None,
        Written::Prior(prior) => Some(prior),
    })
}

fn is_zero(block: &usize) -> bool {
    *block == 0
}

/// Named sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", parse_err_ty = ModelError, parse_err_fn = unknown)]
pub enum Preset {
    /// Trains on two CPU cores in minutes.
    Tiny,
    /// A few times larger; hours on a CPU, minutes on a GPU.
    Small,
    /// The size of the text model of the paper, which gives the total (387 M parameters); the division into layers is
    /// our choice.
    #[serde(rename = "ggm-387m")]
    #[strum(serialize = "ggm-387m")]
    Ggm387m,
}

impl Preset {
    /// All presets.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name in files and flags.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The sizes.
    pub fn config(self) -> ModelConfig {
        let tiny = ModelConfig {
            network: NetworkKind::Hollow,
            width: 128,
            layers: 3,
            merge_layers: 1,
            heads: 4,
            condition_width: 64,
            positions: Positions::Line,
            site_vectors: false,
            conditioning: Conditioning::SignalLevelOnly,
            classes: 0,
            tied: false,
            block: 0,
            prior: None,
        };
        match self {
            Self::Tiny => tiny,
            Self::Small => {
                ModelConfig { width: 256, layers: 5, merge_layers: 2, heads: 8, condition_width: 128, ..tiny }
            }
            Self::Ggm387m => ModelConfig {
                network: NetworkKind::MaskedQuery,
                width: 1024,
                layers: 24,
                merge_layers: 0,
                heads: 16,
                condition_width: 224,
                conditioning: Conditioning::Step,
                tied: true,
                ..tiny
            },
        }
    }
}

fn unknown(found: &str) -> ModelError {
    let names: Vec<&str> = Preset::ALL.iter().map(|preset| preset.name()).collect();
    ModelError::UnknownPreset { found: found.into(), expected: names.join(", ") }
}

impl ModelConfig {
    /// Width of the feed-forward layers: four times the streams'.
    pub(crate) fn hidden(&self) -> usize {
        4 * self.width
    }

    /// Checks that the sizes fit each other.
    ///
    /// # Errors
    /// [`ModelError`] names the invalid key.
    pub fn validate(&self) -> Result<(), ModelError> {
        let sizes = [
            ("model.width", self.width),
            ("model.layers", self.layers),
            ("model.heads", self.heads),
            ("model.condition_width", self.condition_width),
        ];
        sizes.into_iter().try_for_each(ModelError::unless_zero)?;
        let sizes = sizes.into_iter().chain([
            ("model.merge_layers", self.merge_layers),
            ("model.classes", self.classes),
            ("model.block", self.block),
        ]);
        if let Some((key, found)) = sizes.into_iter().find(|(_, size)| *size > LARGEST) {
            return Err(ModelError::setting(key, found, format!("at most {LARGEST}")));
        }
        let multiple = match self.positions {
            Positions::Line => 2,
            Positions::Grid { columns } => {
                ModelError::unless_zero(("model.positions.grid.columns", columns))?;
                4
            }
        };
        let times = format!("{} (`model.heads`) times a multiple of {multiple}", self.heads);
        if !self.width.is_multiple_of(multiple * self.heads) {
            let expected = format!("{times}: change `model.width` or `model.heads`");
            return Err(ModelError::setting("model.width", self.width, expected));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_found_by_name() {
        for &preset in Preset::ALL {
            assert_eq!(preset.name().parse(), Ok(preset));
            assert_eq!(preset.config().validate(), Ok(()));
        }
        let error = "huge".parse::<Preset>().unwrap_err().to_string();
        assert!(error.contains("huge") && error.contains("ggm-387m"), "{error}");
    }

    #[test]
    fn sizes_that_do_not_fit_name_their_key() {
        let config = ModelConfig { heads: 3, ..Preset::Tiny.config() };
        assert!(config.validate().unwrap_err().to_string().contains("model.heads"));
        let grid = Positions::Grid { columns: 8 };
        let config = ModelConfig { positions: grid, width: 24, heads: 4, ..Preset::Tiny.config() };
        assert!(config.validate().unwrap_err().to_string().contains("multiple of 4"));
        let config = ModelConfig { positions: Positions::Grid { columns: 0 }, ..Preset::Tiny.config() };
        assert!(config.validate().unwrap_err().to_string().contains("model.positions"));
        let config = ModelConfig { layers: 0, ..Preset::Tiny.config() };
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains("model.layers"), "{error}");
    }
}
