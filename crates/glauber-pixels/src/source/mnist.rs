//! MNIST and what comes in its form.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use glauber_chain::ChainRng;

use super::{Example, ImageSource, idx};
use crate::{Colours, Extent, Image, PixelError};

/// Grey images and labels of a pair of IDX files, held in memory as bytes. Copies share them.
#[derive(Debug, Clone)]
pub struct MnistSource {
    extent: Extent,
    /// Shape `[image, row, column]`.
    bytes: Arc<[u8]>,
    labels: Arc<[u8]>,
    class_names: Vec<String>,
}

impl MnistSource {
    /// Reads a pair of IDX files of unsigned bytes, each plain or gzip: images of shape `[image, row, column]`, labels of shape
    /// `[image]`. Label `c` is of the class `class_names[c]`.
    ///
    /// # Errors
    /// When a file cannot be read, has another magic number, fewer or more bytes than its header promises, or no items; when the
    /// numbers of images and labels differ; when a label has no class.
    pub fn open(
        images: impl AsRef<Path>,
        labels: impl AsRef<Path>,
        class_names: Vec<String>,
    ) -> Result<Self, PixelError> {
        let (images, labels) = (images.as_ref(), labels.as_ref());
        let read = idx::read::<3>(images, "images")?;
        let label_bytes = idx::read::<1>(labels, "labels")?.bytes;
        let [count, height, width] = read.axes;
        if count != label_bytes.len() {
            let (images, labels, label_count) = (images.to_owned(), labels.to_owned(), label_bytes.len());
            return Err(PixelError::IdxCounts { images, image_count: count, labels, label_count });
        }
        if count == 0 {
            return Err(PixelError::IdxEmpty { path: images.to_owned() });
        }
        let extent = Extent::new(height, width)?;
        let classes = class_names.len();
        if let Some(item) = label_bytes.iter().position(|&label| usize::from(label) >= classes) {
            return Err(PixelError::IdxLabel { path: labels.to_owned(), item, found: label_bytes[item], classes });
        }
        Ok(Self { extent, bytes: read.bytes.into(), labels: label_bytes.into(), class_names })
    }

    /// The class of every image, shape `[image]`.
    #[must_use]
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }
}

impl ImageSource for MnistSource {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn colours(&self) -> Colours {
        Colours::Grey
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The image as the file has it; nothing is drawn.
    fn get(&self, index: usize, _: &mut ChainRng) -> Example {
        assert!(index < self.len(), "image {index} of {}", self.len());
        let pixels = self.extent.pixels();
        let bytes = &self.bytes[index * pixels..][..pixels];
        let image = Image::from_bytes(self.extent, Colours::Grey, bytes).expect("one byte for each pixel");
        Example { image, class: Some(usize::from(self.labels[index])) }
    }
}

/// The two parts of MNIST.
#[derive(Debug, Clone)]
pub struct Mnist {
    /// The 60 000 digits to train on.
    pub train: MnistSource,
    /// The 10 000 digits held out.
    pub test: MnistSource,
}

impl Mnist {
    /// Reads the four files of a folder by their usual names: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, the same with
    /// `t10k`, each perhaps with `.gz`, and perhaps with a dot before `idx`. Fashion-MNIST and others that come in this form with
    /// ten classes read as well; the classes are then still named 0 to 9.
    ///
    /// # Errors
    /// When a file is missing, the two parts have images of different extents, and as [`MnistSource::open`].
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, PixelError> {
        let folder = folder.as_ref();
        let pair = |part: &str| {
            let [images, labels] = [format!("{part}-images-idx3-ubyte"), format!("{part}-labels-idx1-ubyte")];
            let digits = (0..10).map(|digit| digit.to_string()).collect();
            MnistSource::open(find(folder, images)?, find(folder, labels)?, digits)
        };
        let (train, test) = (pair("train")?, pair("t10k")?);
        if train.extent != test.extent {
            let (folder, train, test) = (folder.to_owned(), train.extent, test.extent);
            return Err(PixelError::MnistExtents { folder, train, test });
        }
        Ok(Self { train, test })
    }
}

/// The file of a usual name, plain before gzip.
fn find(folder: &Path, name: String) -> Result<PathBuf, PixelError> {
    let dotted = name.replace("-idx", ".idx");
    let names = [name.clone(), format!("{name}.gz"), dotted.clone(), format!("{dotted}.gz")];
    let mut paths = names.iter().map(|name| folder.join(name));
    paths.find(|path| path.is_file()).ok_or(PixelError::MnistFile { folder: folder.to_owned(), expected: name })
}
