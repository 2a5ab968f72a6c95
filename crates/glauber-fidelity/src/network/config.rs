//! Description of a feature network.

use glauber_pixels::{Colours, Extent};
use serde::{Deserialize, Serialize};

use crate::FidelityError;

/// Sides, channels and numbers above this are a mistake.
const LARGEST: usize = 1 << 20;
/// Weights of a layer at most.
const MOST_WEIGHTS: usize = 1 << 28;
/// Feature maps of a classifier of this crate get no smaller than this a side by halving.
const SMALLEST_HALVED: usize = 4;
/// The channels of its first convolution, and of the later ones.
const WIDTHS: [usize; 5] = [16, 32, 64, 64, 64];
/// Its features.
const FEATURES: usize = 128;

/// A sequential network, its input and its feature layer: the content of `network.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// The index in `layers`, from 0, of the layer whose flattened output is the feature vector.
    pub features: usize,
    /// The classes of the last layer's logits; empty for a network with features only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// The network's input.
    pub input: InputConfig,
    /// The layers, first to last.
    pub layers: Vec<LayerConfig>,
}

/// Input normalisation: a value `v` in `0..=1` of channel `c` becomes `(v − mean[c]) / deviation[c]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputConfig {
    /// Height and width; images of another extent are resized.
    pub extent: Extent,
    /// Channels; other images are turned grey or repeated.
    pub colours: Colours,
    /// Shape `[channel]`; by default ½ each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mean: Vec<f32>,
    /// Shape `[channel]`; by default ½ each, so that values are −1..1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deviation: Vec<f32>,
}

/// A layer. Maps are `[batch, channel, row, column]`, vectors `[batch, number]`.
///
/// Each is what the PyTorch module named with it computes at evaluation, and layer `N` has that module's tensors under its names:
/// `N.weight`, `N.bias`, …
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LayerConfig {
    /// `Conv2d` with a square kernel, zeros around the map. `weight` `[channel, channel before, row, column]`, `bias` `[channel]`.
    Convolution {
        /// Channels it makes.
        channels: usize,
        /// Side of the kernel.
        kernel: usize,
        /// Rows and columns from one place of the kernel to the next.
        #[serde(default = "one")]
        stride: usize,
        /// Zeros on each side.
        #[serde(default)]
        padding: usize,
        /// Whether there is a bias.
        #[serde(default = "yes")]
        bias: bool,
    },
    /// `Linear`. `weight` `[output, input]`, `bias` `[output]`.
    Linear {
        /// Numbers it makes.
        outputs: usize,
        /// Whether there is a bias.
        #[serde(default = "yes")]
        bias: bool,
    },
    /// `BatchNorm2d` or `BatchNorm1d` with its running statistics: `weight`, `bias`, `running_mean`, `running_var`, each `[channel]`.
    BatchNorm {
        /// Added to the variance.
        #[serde(default = "epsilon")]
        epsilon: f64,
    },
    /// The non-linearity, number by number.
    Activation {
        /// Which.
        function: Function,
    },
    /// `MaxPool2d`.
    MaxPool {
        /// Side of the window.
        size: usize,
        /// Rows and columns from one window to the next; by default `size`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stride: Option<usize>,
        /// Rows and columns around the map that never win.
        #[serde(default)]
        padding: usize,
    },
    /// `AvgPool2d` without padding.
    AveragePool {
        /// Side of the window.
        size: usize,
        /// Rows and columns from one window to the next; by default `size`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stride: Option<usize>,
    },
    /// `AdaptiveAvgPool2d(1)`: the mean of each channel, shape `[batch, channel, 1, 1]`.
    GlobalAveragePool {},
    /// `Flatten`: a map as a vector, channel by channel.
    Flatten {},
    /// Nothing: stands for a `Dropout`, so that the layers after it keep their numbers.
    Identity {},
}

/// A non-linearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    /// `ReLU`.
    Relu,
    /// `LeakyReLU` of slope 0.01.
    LeakyRelu,
    /// `SiLU`.
    Silu,
    /// `GELU`, exact.
    Gelu,
    /// `Tanh`.
    Tanh,
    /// `Sigmoid`.
    Sigmoid,
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

fn epsilon() -> f64 {
    1e-5
}

/// The shape of what a layer gives for one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Channels, rows, columns.
    Map([usize; 3]),
    /// Numbers.
    Vector(usize),
}

impl Shape {
    /// How many numbers it has.
    pub fn numbers(self) -> usize {
        match self {
            Self::Map([channels, rows, columns]) => channels * rows * columns,
            Self::Vector(numbers) => numbers,
        }
    }

    /// Channels of a map, numbers of a vector.
    pub fn channels(self) -> usize {
        match self {
            Self::Map([channels, ..]) => channels,
            Self::Vector(numbers) => numbers,
        }
    }
}

impl NetworkConfig {
    /// The classifier that this crate trains: convolutions of 3 × 3 with ReLU, each but on the smallest maps followed by halving, then a hidden
    /// layer of 128 numbers, the features, and the logits.
    #[must_use]
    pub fn classifier(extent: Extent, colours: Colours, classes: Vec<String>) -> Self {
        let mut layers = Vec::new();
        let mut side = extent.height().min(extent.width());
        let relu = || LayerConfig::Activation { function: Function::Relu };
        for channels in WIDTHS {
            layers.push(LayerConfig::Convolution { channels, kernel: 3, stride: 1, padding: 1, bias: true });
            layers.push(relu());
            if side < SMALLEST_HALVED {
                break;
            }
            layers.push(LayerConfig::MaxPool { size: 2, stride: None, padding: 0 });
            side /= 2;
        }
        layers.extend([LayerConfig::Flatten {}, LayerConfig::Linear { outputs: FEATURES, bias: true }, relu()]);
        let features = layers.len() - 1;
        layers.push(LayerConfig::Linear { outputs: classes.len(), bias: true });
        let input = InputConfig { extent, colours, mean: Vec::new(), deviation: Vec::new() };
        Self { features, classes, input, layers }
    }

    /// Checks that the layers fit together.
    ///
    /// # Errors
    /// [`FidelityError::Setting`] names the key.
    pub fn validate(&self) -> Result<(), FidelityError> {
        self.shapes().map(|_| ())
    }

    /// The output shape of each layer, shape `[layer]`.
    pub(crate) fn shapes(&self) -> Result<Vec<Shape>, FidelityError> {
        self.input.validate()?;
        let expected = format!("the place of one of the {} layers, from 0", self.layers.len());
        FidelityError::require(self.features < self.layers.len(), "features", self.features, expected)?;
        let mut shapes = Vec::new();
        let mut shape = self.input.shape();
        for (at, layer) in self.layers.iter().enumerate() {
            shape = layer.output(at, shape)?;
            shapes.push(shape);
        }
        let fits = self.classes.is_empty() || shape == Shape::Vector(self.classes.len());
        let expected = format!("a name for each number that the last layer gives, {}", shape.numbers());
        FidelityError::require(fits, "classes", format!("{} names", self.classes.len()), expected)?;
        Ok(shapes)
    }
}

impl InputConfig {
    fn validate(&self) -> Result<(), FidelityError> {
        let channels = self.colours.channels();
        for (key, values) in [("input.mean", &self.mean), ("input.deviation", &self.deviation)] {
            let expected = format!("one number for each channel, {channels}, or no such key");
            let fits = values.is_empty() || values.len() == channels;
            FidelityError::require(fits, key, format!("{values:?}"), expected)?;
        }
        let finite = self.mean.iter().all(|mean| mean.is_finite());
        FidelityError::require(finite, "input.mean", format!("{:?}", self.mean), "finite numbers")?;
        let positive = self.deviation.iter().all(|deviation| deviation.is_normal() && *deviation > 0.0);
        FidelityError::require(positive, "input.deviation", format!("{:?}", self.deviation), "numbers above 0")
    }

    /// The input shape of the first layer.
    pub(crate) fn shape(&self) -> Shape {
        Shape::Map([self.colours.channels(), self.extent.height(), self.extent.width()])
    }
}

impl LayerConfig {
    /// The output shape of layer `at` for an input shape.
    fn output(&self, at: usize, input: Shape) -> Result<Shape, FidelityError> {
        let within = |key: &str, number: usize, least: usize, most: usize| {
            let (key, expected) = (format!("layers[{at}].{key}"), format!("a number in {least}..={most}"));
            FidelityError::require((least..=most).contains(&number), key, number, expected)
        };
        let map = || match input {
            Shape::Map(sides) => Ok(sides),
            Shape::Vector(_) => Err(FidelityError::setting(
                format!("layers[{at}].kind"),
                "a layer on feature maps",
                "a layer on vectors, after a layer of kind \"flatten\"",
            )),
        };
        let slid = |key: &str, size: usize, stride: usize, padding: usize| {
            let [channels, rows, columns] = map()?;
            within(key, size, 1, rows.min(columns) + 2 * padding)?;
            within("stride", stride, 1, LARGEST)?;
            let places = |side: usize| (side + 2 * padding - size) / stride + 1;
            Ok::<_, FidelityError>([channels, places(rows), places(columns)])
        };
        match *self {
            Self::Convolution { channels, kernel, stride, padding, .. } => {
                within("padding", padding, 0, LARGEST)?;
                let [before, rows, columns] = slid("kernel", kernel, stride, padding)?;
                within("channels", channels, 1, (MOST_WEIGHTS / (before * kernel * kernel)).min(LARGEST))?;
                Ok(Shape::Map([channels, rows, columns]))
            }
            Self::Linear { outputs, .. } => match input {
                Shape::Vector(numbers) => {
                    within("outputs", outputs, 1, (MOST_WEIGHTS / numbers).min(LARGEST))?;
                    Ok(Shape::Vector(outputs))
                }
                Shape::Map(_) => Err(FidelityError::setting(
                    format!("layers[{at}].kind"),
                    "\"linear\" on a feature map",
                    "a layer of kind \"flatten\" before it",
                )),
            },
            Self::BatchNorm { epsilon } => {
                let (key, good) = (format!("layers[{at}].epsilon"), epsilon >= 0.0 && epsilon.is_finite());
                FidelityError::require(good, key, epsilon, "a number of at least 0").map(|()| input)
            }
            Self::Activation { .. } | Self::Identity {} => Ok(input),
            Self::MaxPool { size, stride, padding } => {
                within("padding", padding, 0, size / 2)?;
                Ok(Shape::Map(slid("size", size, stride.unwrap_or(size), padding)?))
            }
            Self::AveragePool { size, stride } => Ok(Shape::Map(slid("size", size, stride.unwrap_or(size), 0)?)),
            Self::GlobalAveragePool {} => Ok(Shape::Map([map()?[0], 1, 1])),
            Self::Flatten {} => Ok(Shape::Vector(input.numbers())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classifier(height: usize, width: usize) -> NetworkConfig {
        let classes = ["one", "two", "three"].map(String::from).to_vec();
        NetworkConfig::classifier(Extent::new(height, width).unwrap(), Colours::Grey, classes)
    }

    #[test]
    fn classifiers_of_every_size_fit_together() {
        for height in 1..70 {
            for width in [1, 2, 5, 16, 28, 100] {
                let config = classifier(height, width);
                let shapes = config.shapes().unwrap();
                assert_eq!(shapes[config.features], Shape::Vector(128), "{height}x{width}");
                assert_eq!(shapes.last(), Some(&Shape::Vector(3)));
                assert!(shapes[config.features - 2].numbers() <= 64 * 4 * 4 * 100);
            }
        }
        let maps: Vec<Shape> = classifier(28, 28).shapes().unwrap();
        assert_eq!(maps[8], Shape::Map([64, 3, 3]));
    }

    #[test]
    fn descriptions_are_read_as_they_are_written() {
        let config = classifier(28, 28);
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<NetworkConfig>(&text).unwrap(), config);
        let short = "features = 1\n[input]\nextent = { height = 8, width = 9 }\ncolours = \"rgb\"\n\
            [[layers]]\nkind = \"convolution\"\nchannels = 4\nkernel = 3\n[[layers]]\nkind = \"global-average-pool\"";
        let config: NetworkConfig = toml::from_str(short).unwrap();
        assert_eq!(config.shapes().unwrap(), [Shape::Map([4, 6, 7]), Shape::Map([4, 1, 1])]);
        assert!(toml::from_str::<NetworkConfig>(&short.replace("kernel", "kernle")).is_err());
    }

    type Change<'a> = dyn Fn(&mut NetworkConfig) + 'a;

    #[test]
    fn what_does_not_fit_is_named() {
        let message = |change: &Change<'_>| {
            let mut config = classifier(8, 8);
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        let convolution =
            |kernel, stride, padding| LayerConfig::Convolution { channels: 4, kernel, stride, padding, bias: true };
        let cases: [(&str, &Change<'_>); 9] = [
            ("`features` is 99", &|c| c.features = 99),
            ("`classes` is 2 names, expected a name for each number that the last layer gives, 3", &|c| {
                c.classes.pop();
            }),
            ("`layers[0].kernel` is 11, expected a number in 1..=10", &|c| c.layers[0] = convolution(11, 1, 1)),
            ("`layers[0].stride` is 0", &|c| c.layers[0] = convolution(3, 0, 1)),
            ("`layers[0].kind` is \"linear\" on a feature map", &|c| {
                c.layers[0] = LayerConfig::Linear { outputs: 3, bias: true }
            }),
            ("`layers[1].kind` is a layer on feature maps", &|c| c.layers[0] = LayerConfig::Flatten {}),
            ("`layers[2].padding` is 2", &|c| c.layers[2] = LayerConfig::MaxPool { size: 2, stride: None, padding: 2 }),
            ("`input.mean` is [0.1, 0.2]", &|c| c.input.mean = vec![0.1, 0.2]),
            ("`input.deviation` is [0.0]", &|c| c.input.deviation = vec![0.0]),
        ];
        for (expected, change) in cases {
            let found = if expected.starts_with("`layers[1].kind`") {
                message(&|c| {
                    change(c);
                    c.layers[1] = convolution(3, 1, 1);
                })
            } else {
                message(change)
            };
            assert!(found.starts_with(expected), "{expected}: {found}");
        }
    }
}
