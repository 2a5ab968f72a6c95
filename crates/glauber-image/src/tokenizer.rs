//! Images to rows of tokens and back.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use glauber_tokens::{Token, TokenBatch};

use crate::{ImageError, VqModel};

/// Images encoded or decoded at a time, to bound memory.
const IMAGES_AT_A_TIME: usize = 8;

/// An autoencoder for images of one size: every image is a grid of tokens, row by row.
#[derive(Debug, Clone)]
pub struct ImageTokenizer {
    model: VqModel,
    /// Height and width of images.
    image_size: [usize; 2],
    pub(crate) device: Device,
}

impl ImageTokenizer {
    /// A tokenizer of images of this height and width, which need not be those the model was made for.
    ///
    /// # Errors
    /// [`ImageError::Setting`] when height or width is not a multiple of the model's factor.
    pub fn new(model: VqModel, image_size: [usize; 2]) -> Result<Self, ImageError> {
        let factor = model.config().factor();
        if image_size.iter().any(|&size| size == 0 || !size.is_multiple_of(factor)) {
            let [height, width] = image_size;
            let expected = format!("multiples of {factor}, the rows of an image to a row of tokens");
            return Err(ImageError::setting("image_size", format!("{height} × {width}"), expected));
        }
        let device = model.network.devices().into_iter().next();
        let device =
            device.ok_or_else(|| ImageError::setting("levels", "no weights", "an autoencoder with weights"))?;
        Ok(Self { model, image_size, device: device.inner() })
    }

    /// Reads a tokenizer that [`VqModel::save`] wrote, for images of the size it was made for.
    ///
    /// # Errors
    /// Those of [`VqModel::load`].
    pub fn load(folder: &Path, device: &Device) -> Result<Self, ImageError> {
        let model = VqModel::load(folder, device)?;
        let size = model.config().image_size;
        Self::new(model, [size, size])
    }

    /// The autoencoder.
    pub fn model(&self) -> &VqModel {
        &self.model
    }

    /// Number of token values, `V`.
    pub fn vocab_size(&self) -> usize {
        self.model.config().vocab_size()
    }

    /// Height and width of images.
    pub fn image_size(&self) -> [usize; 2] {
        self.image_size
    }

    /// Rows and columns of tokens.
    pub fn grid(&self) -> [usize; 2] {
        self.image_size.map(|size| size / self.model.config().factor())
    }

    /// Tokens per image, `L`.
    pub fn sites(&self) -> usize {
        self.grid().iter().product()
    }

    /// Encodes images `[batch, channel, height, width]`, −1..1, as tokens `[batch, site]`; site `row · columns + column`.
    ///
    /// # Errors
    /// [`ImageError::Shape`] when the images are of another size, or there is none.
    pub fn encode(&self, images: Tensor<4>) -> Result<TokenBatch, ImageError> {
        let [batch, _, height, width] = images.dims();
        if [height, width] != self.image_size || batch == 0 {
            let [height, width] = self.image_size;
            return Err(ImageError::Shape {
                what: "images",
                found: images.dims().to_vec(),
                expected: format!(
                    "[batch, {}, {height}, {width}] with at least one image",
                    self.model.config().channels
                ),
            });
        }
        let images = images.inner().to_device(&self.device);
        let mut tokens: Vec<Token> = Vec::with_capacity(batch * self.sites());
        for start in (0..batch).step_by(IMAGES_AT_A_TIME) {
            let some = images.clone().narrow(0, start, IMAGES_AT_A_TIME.min(batch - start));
            let indices = self.model.encode(some)?.into_data();
            tokens.extend(indices.iter::<i64>().map(|index| index as Token));
        }
        Ok(TokenBatch::new(tokens, self.sites())?)
    }

    /// Decodes tokens `[batch, site]` to images `[batch, channel, height, width]`, about −1..1 and not clipped.
    ///
    /// # Errors
    /// [`ImageError::Tokens`] when a token is not below the vocabulary size, [`ImageError::Shape`] when rows are not of
    /// [`sites`](Self::sites) tokens or there is none.
    pub fn decode(&self, tokens: &TokenBatch) -> Result<Tensor<4>, ImageError> {
        if tokens.len() != self.sites() || tokens.rows() == 0 {
            return Err(ImageError::Shape {
                what: "tokens",
                found: vec![tokens.rows(), tokens.len()],
                expected: format!("[batch, {}] with at least one row", self.sites()),
            });
        }
        tokens.check_vocab(self.vocab_size())?;
        let [rows, columns] = self.grid();
        let mut images = Vec::new();
        for some in tokens.as_slice().chunks(IMAGES_AT_A_TIME * self.sites()) {
            let indices: Vec<i64> = some.iter().map(|&token| i64::from(token)).collect();
            let shape = [some.len() / self.sites(), rows, columns];
            let indices = Tensor::<3, Int>::from_data(TensorData::new(indices, shape), &self.device);
            images.push(self.model.decode(indices)?);
        }
        Ok(Tensor::cat(images, 0))
    }
}
