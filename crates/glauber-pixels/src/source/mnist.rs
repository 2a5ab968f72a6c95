//! MNIST, and data sets in its format.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use glauber_chain::ChainRng;

use super::{Example, ImageSource, idx};
use crate::{Colours, Extent, Image, PixelError};

/// Grey images of an IDX file, mostly with the labels of another, held in memory as bytes. Copies share them.
#[derive(Debug, Clone)]
pub struct MnistSource {
    extent: Extent,
    /// Shape `[image, row, column]`.
    bytes: Arc<[u8]>,
    /// Shape `[image]`; none where the images have no classes.
    labels: Option<Arc<[u8]>>,
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
        let labels = labels.as_ref();
        let source = Self::paired(images.as_ref(), labels)?;
        let (found, classes) = (source.labels(), class_names.len());
        if let Some(item) = found.iter().position(|&label| usize::from(label) >= classes) {
            let refused = format!("label {} of item {item}, but there are {classes} classes", found[item]);
            return Err(PixelError::unusable(labels, refused));
        }
        Ok(Self { class_names, ..source })
    }

    /// Reads an IDX file of images, which then have no classes.
    ///
    /// # Errors
    /// As [`open`](Self::open), of what there is.
    pub fn open_unlabelled(images: impl AsRef<Path>) -> Result<Self, PixelError> {
        let images = images.as_ref();
        let read = idx::read::<3>(images, "images")?;
        let [count, height, width] = read.axes;
        if count == 0 {
            return Err(PixelError::unusable(images, "it holds no items"));
        }
        let (extent, bytes) = (Extent::new(height, width)?, read.bytes.into());
        Ok(Self { extent, bytes, labels: None, class_names: Vec::new() })
    }

    /// Images with their labels, the classes of which have no names yet.
    fn paired(images: &Path, labels: &Path) -> Result<Self, PixelError> {
        let source = Self::open_unlabelled(images)?;
        let label_bytes = idx::read::<1>(labels, "labels")?.bytes;
        let (image_count, label_count) = (source.len(), label_bytes.len());
        if image_count != label_count {
            let labels = format!("but {} has {label_count} labels; give files of one set", labels.display());
            return Err(PixelError::unusable(images, format!("{image_count} images, {labels}")));
        }
        Ok(Self { labels: Some(label_bytes.into()), ..source })
    }

    /// The class of every image, shape `[image]`; nothing where they have none.
    #[must_use]
    pub fn labels(&self) -> &[u8] {
        self.labels.as_deref().unwrap_or_default()
    }
}

impl ImageSource for MnistSource {
    fn len(&self) -> usize {
        self.bytes.len() / self.extent.pixels()
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
        Example { image, class: self.labels.as_ref().map(|labels| usize::from(labels[index])) }
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
    /// `t10k`, each perhaps with `.gz`, and perhaps with a dot before `idx`. Fashion-MNIST, EMNIST and others that come in this form
    /// read as well; the classes are then still named by their numbers, 0 to 9 or to the largest label.
    ///
    /// # Errors
    /// When a file is missing, the two parts have images of different extents, and as [`MnistSource::open`].
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, PixelError> {
        let folder = folder.as_ref();
        let pair = |part: &str| {
            let [images, labels] = [format!("{part}-images-idx3-ubyte"), format!("{part}-labels-idx1-ubyte")];
            MnistSource::paired(&find(folder, images)?, &find(folder, labels)?)
        };
        let (mut train, mut test) = (pair("train")?, pair("t10k")?);
        let largest = train.labels().iter().chain(test.labels()).copied().max().unwrap_or(0);
        train.class_names = (0..=largest.max(9)).map(|label| label.to_string()).collect();
        test.class_names.clone_from(&train.class_names);
        Self::of(folder, train, test)
    }

    /// Reads the two files of images of a folder, which then have no classes.
    ///
    /// # Errors
    /// As [`open`](Self::open), of what there is.
    pub fn open_unlabelled(folder: impl AsRef<Path>) -> Result<Self, PixelError> {
        let folder = folder.as_ref();
        let images = |part: &str| MnistSource::open_unlabelled(find(folder, format!("{part}-images-idx3-ubyte"))?);
        Self::of(folder, images("train")?, images("t10k")?)
    }

    fn of(folder: &Path, train: MnistSource, test: MnistSource) -> Result<Self, PixelError> {
        if train.extent != test.extent {
            let found = format!(
                "the images to train on have {} pixels (height x width), the test images {}; give files of one set",
                train.extent, test.extent
            );
            return Err(PixelError::unusable(folder, found));
        }
        Ok(Self { train, test })
    }
}

/// The file of a usual name, plain before gzip.
fn find(folder: &Path, name: String) -> Result<PathBuf, PixelError> {
    let dotted = name.replace("-idx", ".idx");
    let names = [name.clone(), format!("{name}.gz"), dotted.clone(), format!("{dotted}.gz")];
    let mut paths = names.iter().map(|name| folder.join(name));
    let missing = || PixelError::unusable(folder, format!("no {name} (or the same name with .gz)"));
    paths.find(|path| path.is_file()).ok_or_else(missing)
}
