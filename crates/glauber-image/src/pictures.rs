//! Pictures to rows of tokens and back, without tensors in the interface.

use burn::tensor::{Tensor, TensorData};

use glauber_pixels::{Colours, Extent, Image};
use glauber_tokens::{Codec, Token, TokenBatch};

use crate::{ImageError, ImageTokenizer};

/// Images turned into tensors at a time, to bound memory.
const IMAGES_AT_A_TIME: usize = 32;

impl ImageTokenizer {
    /// The channels of images that are encoded, as [`Image`]s.
    ///
    /// # Errors
    /// [`ImageError::Setting`] when the model is for images of neither one nor three channels.
    pub fn colours(&self) -> Result<Colours, ImageError> {
        colours("channels", self.model().config().channels)
    }

    fn planes(&self, items: &[&Image]) -> Result<Tensor<4>, ImageError> {
        let (colours, [height, width]) = (self.colours()?, self.image_size());
        let mut planes = Vec::with_capacity(items.len() * colours.channels() * height * width);
        for image in items {
            let extent = image.extent();
            if [extent.height(), extent.width()] != [height, width] {
                return Err(ImageError::Shape {
                    what: "an image",
                    found: vec![extent.height(), extent.width()],
                    expected: format!("[{height}, {width}]: resize or crop it first"),
                });
            }
            planes.extend(image.to_colours(colours).to_planes());
        }
        let shape = [items.len(), colours.channels(), height, width];
        Ok(Tensor::from_data(TensorData::new(planes, shape), &self.device))
    }

    fn images(&self, tokens: &TokenBatch) -> Result<Vec<Image>, ImageError> {
        let colours = colours("out_channels", self.model().config().out_channels)?;
        let [height, width] = self.image_size();
        let extent = Extent::new(height, width)?;
        let planes: Vec<f32> = self.decode(tokens)?.into_data().iter::<f32>().collect();
        let size = extent.pixels() * colours.channels();
        Ok(planes
            .chunks_exact(size)
            .map(|planes| Image::from_planes(extent, colours, planes))
            .collect::<Result<_, _>>()?)
    }
}

/// Images of the tokenizer's size; other channels than its own are converted first.
impl Codec for ImageTokenizer {
    type Item = Image;
    type Decoded = Image;
    type Error = ImageError;

    /// The tokens of an image, site `row · columns + column`.
    ///
    /// # Errors
    /// [`ImageError::Shape`] when it is of another size, [`ImageError::Setting`] as [`colours`](Self::colours).
    fn encode(&self, item: &Image) -> Result<Vec<Token>, ImageError> {
        Ok(ImageTokenizer::encode(self, self.planes(&[item])?)?.into_vec())
    }

    /// Decodes an image; values beyond white and black are clipped.
    ///
    /// # Errors
    /// Those of [`ImageTokenizer::decode`], and [`ImageError::Setting`] when the model decodes to neither one nor three channels.
    fn decode(&self, tokens: &[Token]) -> Result<Image, ImageError> {
        let mut images = self.images(&TokenBatch::new(tokens.to_vec(), tokens.len())?)?;
        Ok(images.remove(0))
    }

    fn encode_all(&self, items: &[&Image]) -> Result<Vec<Vec<Token>>, ImageError> {
        let mut tokens = Vec::with_capacity(items.len());
        for some in items.chunks(IMAGES_AT_A_TIME) {
            tokens.extend(ImageTokenizer::encode(self, self.planes(some)?)?.iter().map(<[Token]>::to_vec));
        }
        Ok(tokens)
    }

    fn decode_all(&self, batch: &TokenBatch) -> Result<Vec<Image>, ImageError> {
        let mut images = Vec::with_capacity(batch.rows());
        for some in batch.as_slice().chunks(IMAGES_AT_A_TIME * batch.len()) {
            images.extend(self.images(&TokenBatch::new(some.to_vec(), batch.len())?)?);
        }
        Ok(images)
    }

    fn vocab_size(&self) -> usize {
        ImageTokenizer::vocab_size(self)
    }

    fn special(&self) -> &[Token] {
        &[]
    }
}

fn colours(key: &str, channels: usize) -> Result<Colours, ImageError> {
    match channels {
        1 => Ok(Colours::Grey),
        3 => Ok(Colours::Rgb),
        other => Err(ImageError::setting(key, other, "1 (grey) or 3 (red, green, blue)")),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::{LevelConfig, QuantiserConfig, VqConfig, VqModel};

    fn model(channels: usize) -> VqModel {
        let level = |width| LevelConfig { width, encoder_attention: false, decoder_attention: false };
        let config = VqConfig {
            channels,
            out_channels: channels,
            image_size: 8,
            stem_width: 8,
            blocks: 1,
            middle_attention: true,
            norm_groups: 4,
            latent_channels: 4,
            quantiser: QuantiserConfig::Fsq { levels: vec![5, 5, 5] },
            levels: vec![level(8), level(8)],
        };
        VqModel::new(&config, 3, &Device::flex()).unwrap()
    }

    fn images(count: usize, colours: Colours) -> Vec<Image> {
        let extent = Extent::new(8, 12).unwrap();
        let value = |image: usize, place: usize| ((image * 37 + place * place * 11) % 256) as u8;
        let bytes = |image| (0..96 * colours.channels()).map(|place| value(image, place)).collect::<Vec<u8>>();
        (0..count).map(|image| Image::from_bytes(extent, colours, &bytes(image)).unwrap()).collect()
    }

    #[test]
    fn pictures_take_the_way_of_their_planes() {
        for (channels, colours) in [(1, Colours::Grey), (3, Colours::Rgb)] {
            let tokenizer = ImageTokenizer::new(model(channels), [8, 12]).unwrap();
            let images = images(35, colours);
            let tokens = tokenizer.encode_all(&images.iter().collect::<Vec<_>>()).unwrap();
            assert_eq!((tokens.len(), tokens[0].len()), (35, 4 * 6));
            assert!(tokens.iter().any(|row| row != &tokens[0]), "a constant grid would prove little");
            let batch = TokenBatch::from_rows(&tokens).unwrap();
            let decoded = tokenizer.decode_all(&batch).unwrap();
            for at in [0, 31, 32, 34] {
                let data = TensorData::new(images[at].to_planes(), [1, channels, 8, 12]);
                let by_tensor = tokenizer.encode(Tensor::from_data(data, &Device::flex())).unwrap();
                assert_eq!(by_tensor.as_slice(), tokens[at]);
                assert_eq!(Codec::encode(&tokenizer, &images[at]).unwrap(), tokens[at]);
                let planes: Vec<f32> = tokenizer.decode(&by_tensor).unwrap().into_data().iter().collect();
                let expected = Image::from_planes(images[at].extent(), colours, &planes).unwrap();
                // A batch of another size may be rounded otherwise.
                let same = |found: &Image| {
                    found.colours() == colours
                        && found.values().iter().zip(expected.values()).all(|(a, b)| (a - b).abs() < 1e-5)
                };
                assert!(same(&decoded[at]) && same(&Codec::decode(&tokenizer, &tokens[at]).unwrap()));
            }
        }
    }

    #[test]
    fn what_is_no_picture_of_the_tokenizer_is_refused() {
        let tokenizer = ImageTokenizer::new(model(1), [8, 8]).unwrap();
        let error = Codec::encode(&tokenizer, &images(1, Colours::Grey)[0]).unwrap_err().to_string();
        assert!(error.contains("[8, 12]") && error.contains("[8, 8]"), "{error}");
        assert!(Codec::decode(&tokenizer, &[]).is_err());
        assert!(Codec::decode(&tokenizer, &[125; 16]).unwrap_err().to_string().contains("125"));
        let error = ImageTokenizer::new(model(2), [8, 8]).unwrap().colours().unwrap_err().to_string();
        assert!(error.contains("`channels` is 2"), "{error}");
    }

    #[test]
    fn weights_and_sizes_decide_the_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let one = model(1);
        one.save(&folder.path().join("one")).unwrap();
        let again = VqModel::load(&folder.path().join("one"), &Device::flex()).unwrap();
        assert_eq!(one.fingerprint().unwrap(), again.fingerprint().unwrap());
        assert_eq!(one.fingerprint().unwrap().len(), 64);
        let other = VqModel::new(one.config(), 4, &Device::flex()).unwrap();
        assert_ne!(one.fingerprint().unwrap(), other.fingerprint().unwrap());
        let larger = VqConfig { image_size: 16, ..one.config().clone() };
        let larger = VqModel::new(&larger, 3, &Device::flex()).unwrap();
        assert_ne!(one.fingerprint().unwrap(), larger.fingerprint().unwrap());
    }
}
