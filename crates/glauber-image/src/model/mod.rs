//! The autoencoder.

pub(crate) mod coders;
pub(crate) mod config;
pub(crate) mod initialise;
pub(crate) mod layers;

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Int, Tensor};

use crate::quantiser::{Quantised, Quantiser};
use crate::{ImageError, VqConfig, streams};

use coders::{Decoder, Encoder};
use layers::{convolution, convolve};

/// All weights of a [`VqModel`].
#[derive(Module, Debug)]
pub(crate) struct VqNetwork {
    encoder: Encoder,
    before_quantiser: Conv2d,
    pub quantiser: Quantiser,
    after_quantiser: Conv2d,
    decoder: Decoder,
}

impl VqNetwork {
    fn new(config: &VqConfig, device: &Device) -> Self {
        let (latent, dim) = (config.latent_channels, config.quantiser.dim());
        Self {
            encoder: Encoder::new(config, device),
            before_quantiser: convolution(1, [latent, dim], device),
            quantiser: Quantiser::new(&config.quantiser, device),
            after_quantiser: convolution(1, [dim, latent], device),
            decoder: Decoder::new(config, device),
        }
    }

    /// Images `[batch, channel, height, width]` to latents `[batch, dimension, row, column]`.
    pub fn latents(&self, images: Tensor<4>) -> Tensor<4> {
        convolve(&self.before_quantiser, self.encoder.forward(images))
    }

    /// Codes `[batch, dimension, row, column]` to images.
    pub fn images(&self, codes: Tensor<4>) -> Tensor<4> {
        self.paint(self.features(codes))
    }

    /// Codes to the input of the decoder's last layer.
    pub fn features(&self, codes: Tensor<4>) -> Tensor<4> {
        self.decoder.features(convolve(&self.after_quantiser, codes))
    }

    /// The output of the decoder's last layer.
    pub fn paint(&self, features: Tensor<4>) -> Tensor<4> {
        convolve(self.last(), features)
    }

    /// The decoder's last layer.
    pub fn last(&self) -> &Conv2d {
        self.decoder.last()
    }

    /// Latents to codes that let gradients through.
    pub fn quantise(&self, latents: Tensor<4>) -> (Tensor<4>, Quantised) {
        let [batch, _, rows, columns] = latents.dims();
        let quantised = self.quantiser.quantise(by_position(latents));
        (by_channel(quantised.codes.clone(), [batch, rows, columns]), quantised)
    }
}

/// `[batch, dimension, row, column]` to `[position, dimension]`, positions in the order batch, row, column.
fn by_position(latents: Tensor<4>) -> Tensor<2> {
    let [batch, dim, rows, columns] = latents.dims();
    latents.permute([0, 2, 3, 1]).reshape([batch * rows * columns, dim])
}

/// The reverse of [`by_position`].
fn by_channel(codes: Tensor<2>, [batch, rows, columns]: [usize; 3]) -> Tensor<4> {
    let [_, dim] = codes.dims();
    codes.reshape([batch, rows, columns, dim]).permute([0, 3, 1, 2])
}

/// A convolutional autoencoder with a quantiser in its middle: images to grids of indices and back.
///
/// Images are `[batch, channel, height, width]` with values in −1..1; height and width are multiples of
/// [`VqConfig::factor`].
#[derive(Debug, Clone)]
pub struct VqModel {
    pub(crate) config: VqConfig,
    pub(crate) network: VqNetwork,
}

impl VqModel {
    /// A model with weights drawn from a seed, the same on every device.
    ///
    /// # Errors
    /// [`ImageError::Setting`] when the configuration is inconsistent.
    pub fn new(config: &VqConfig, seed: u64, device: &Device) -> Result<Self, ImageError> {
        let mut model = Self::zeros(config, device)?;
        model.network = initialise::draw_weights(model.network, seed, streams::WEIGHTS);
        Ok(model)
    }

    /// A model before its weights are loaded.
    pub(crate) fn zeros(config: &VqConfig, device: &Device) -> Result<Self, ImageError> {
        config.validate()?;
        Ok(Self { network: VqNetwork::new(config, device), config: config.clone() })
    }

    /// The sizes.
    pub fn config(&self) -> &VqConfig {
        &self.config
    }

    /// Number of weights.
    pub fn weights(&self) -> usize {
        self.network.num_params()
    }

    /// Encodes images `[batch, channel, height, width]` as latents `[batch, dimension, row, column]`, before quantisation.
    ///
    /// # Errors
    /// [`ImageError::Shape`] when there is no image, or channels, height or width do not fit the configuration.
    pub fn latents(&self, images: Tensor<4>) -> Result<Tensor<4>, ImageError> {
        self.config.check_images(&images)?;
        Ok(self.network.latents(images))
    }

    /// The index of the code of every latent: `[batch, dimension, row, column]` to `[batch, row, column]`.
    ///
    /// # Errors
    /// [`ImageError::Shape`] when the dimension is not the quantiser's.
    pub fn quantise(&self, latents: Tensor<4>) -> Result<Tensor<3, Int>, ImageError> {
        let [batch, dim, rows, columns] = latents.dims();
        if dim != self.config.quantiser.dim() || batch * rows * columns == 0 {
            return Err(ImageError::Shape {
                what: "latents",
                found: latents.dims().to_vec(),
                expected: format!("[batch, {}, row, column], none of them 0", self.config.quantiser.dim()),
            });
        }
        Ok(self.network.quantiser.indices(by_position(latents)).reshape([batch, rows, columns]))
    }

    /// Encodes images `[batch, channel, height, width]` as indices `[batch, row, column]`, each below the vocabulary size.
    ///
    /// # Errors
    /// Those of [`latents`](Self::latents).
    pub fn encode(&self, images: Tensor<4>) -> Result<Tensor<3, Int>, ImageError> {
        self.quantise(self.latents(images)?)
    }

    /// Decodes indices `[batch, row, column]` to images `[batch, channel, height, width]`, about −1..1 and not clipped.
    ///
    /// # Errors
    /// [`ImageError::Shape`] when there is no index.
    ///
    /// # Panics
    /// When an index is not below the vocabulary size; [`ImageTokenizer`](crate::ImageTokenizer) checks that first.
    pub fn decode(&self, indices: Tensor<3, Int>) -> Result<Tensor<4>, ImageError> {
        let [batch, rows, columns] = indices.dims();
        if batch * rows * columns == 0 {
            return Err(ImageError::Shape {
                what: "indices",
                found: indices.dims().to_vec(),
                expected: "[batch, row, column], none of them 0".into(),
            });
        }
        let codes = self.network.quantiser.codes(indices.reshape([batch * rows * columns]));
        Ok(self.network.images(by_channel(codes, [batch, rows, columns])))
    }
}
