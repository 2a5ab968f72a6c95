//! The real digits, and what becomes of damaged ones.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use glauber_chain::ChainRng;
use glauber_pixels::{Colours, Extent, Fitted, ImageSource, Mnist, MnistSource, PixelCodec, PixelError};
use glauber_tokens::Codec;

fn counts(labels: &[u8]) -> [usize; 10] {
    let mut counts = [0; 10];
    labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    counts
}

#[test]
#[ignore = "needs MNIST in ../shared/data/images/mnist"]
fn the_digits_are_all_there() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/images/mnist");
    let Mnist { train, test } = Mnist::open(folder).unwrap();
    assert_eq!((train.len(), test.len()), (60_000, 10_000));
    // The published numbers of each digit.
    assert_eq!(counts(train.labels()), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    assert_eq!(counts(test.labels()), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    assert_eq!((train.extent(), train.colours()), (Extent::new(28, 28).unwrap(), Colours::Grey));
    assert_eq!(train.class_names(), ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    let mut rng = ChainRng::new(0, 0);
    let first: Vec<Option<usize>> = (0..10).map(|index| train.get(index, &mut rng).class).collect();
    assert_eq!(first, [5, 0, 4, 1, 9, 2, 1, 3, 1, 4].map(Some));
    // The published mean of the training pixels is 0.1307.
    let mean = |index| train.get(index, &mut ChainRng::new(0, 0)).image.values().iter().sum::<f32>() / 784.0;
    let whole = (0..60_000).map(mean).map(f64::from).sum::<f64>() / 60_000.0;
    assert!((whole - 0.1307).abs() < 1e-4, "{whole}");
    let codec = PixelCodec::new(train.extent(), 256).unwrap();
    for index in 0..100 {
        let image = train.get(index, &mut rng).image;
        assert_eq!(codec.decode(&codec.encode(&image).unwrap()).unwrap().to_bytes(), image.to_bytes());
    }
    let small = Fitted::new(test, Extent::new(14, 14).unwrap(), Colours::Grey);
    assert_eq!(small.planes(&[0, 9_999], &mut rng).len(), 2 * 14 * 14);
}

/// A set of `count` images of 2 × 3 bytes.
fn images(count: u32) -> Vec<u8> {
    let mut file = vec![0, 0, 8, 3];
    [count, 2, 3].iter().for_each(|axis| file.extend(axis.to_be_bytes()));
    file.extend((0..count * 6).map(|byte| byte as u8));
    file
}

fn labels(labels: &[u8]) -> Vec<u8> {
    [&[0, 0, 8, 1][..], &(labels.len() as u32).to_be_bytes(), labels].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn open(folder: &Path, images: &[u8], labels: &[u8]) -> Result<MnistSource, PixelError> {
    let [image_path, label_path] = ["i", "l"].map(|name| folder.join(name));
    fs::write(&image_path, images).unwrap();
    fs::write(&label_path, labels).unwrap();
    MnistSource::open(image_path, label_path, vec!["no".to_owned(), "yes".to_owned()])
}

#[test]
fn plain_and_gzip_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (images, labels) = (images(3), labels(&[1, 0, 1]));
    let mut rng = ChainRng::new(0, 0);
    for (images, labels) in [(images.clone(), labels.clone()), (gzip(&images), gzip(&labels))] {
        let source = open(folder.path(), &images, &labels).unwrap();
        assert_eq!((source.len(), source.labels()), (3, &[1, 0, 1][..]));
        let example = source.get(2, &mut rng);
        assert_eq!(example.image.to_bytes(), [12, 13, 14, 15, 16, 17]);
        assert_eq!(example.class, Some(1));
    }
}

#[test]
fn the_usual_names_are_found_and_a_missing_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
    write("train-images-idx3-ubyte", images(2));
    write("train-labels.idx1-ubyte", labels(&[9, 0]));
    write("t10k-images.idx3-ubyte.gz", gzip(&images(1)));
    let message = Mnist::open(folder.path()).unwrap_err().to_string();
    assert!(message.ends_with("no t10k-labels-idx1-ubyte (or the same name with .gz)"), "{message}");
    write("t10k-labels-idx1-ubyte.gz", gzip(&labels(&[7])));
    let mnist = Mnist::open(folder.path()).unwrap();
    assert_eq!((mnist.train.labels(), mnist.test.labels()), (&[9, 0][..], &[7][..]));
    let mut turned = images(1);
    (turned[11], turned[15]) = (3, 2);
    write("t10k-images.idx3-ubyte.gz", gzip(&turned));
    let message = Mnist::open(folder.path()).unwrap_err().to_string();
    assert!(message.contains("have 2x3 pixels") && message.contains("test images 3x2"), "{message}");
}

#[test]
fn classes_go_up_to_the_largest_label() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
    write("train-images-idx3-ubyte", images(2));
    write("train-labels-idx1-ubyte", labels(&[1, 26]));
    write("t10k-images-idx3-ubyte", images(1));
    write("t10k-labels-idx1-ubyte", labels(&[7]));
    let Mnist { train, test } = Mnist::open(folder.path()).unwrap();
    assert_eq!((train.class_names().len(), train.class_names()), (27, test.class_names()));
    assert_eq!(train.get(1, &mut ChainRng::new(0, 0)).class, Some(26));
    write("train-labels-idx1-ubyte", labels(&[3, 5]));
    assert_eq!(Mnist::open(folder.path()).unwrap().train.class_names().len(), 10);
}

#[test]
fn images_are_read_without_labels() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
    write("train-images-idx3-ubyte", images(2));
    write("t10k-images-idx3-ubyte", images(1));
    let message = Mnist::open(folder.path()).unwrap_err().to_string();
    assert!(message.ends_with(": no train-labels-idx1-ubyte (or the same name with .gz)"), "{message}");
    let Mnist { train, test } = Mnist::open_unlabelled(folder.path()).unwrap();
    assert_eq!((train.len(), test.len(), train.class_names().len(), train.labels().len()), (2, 1, 0, 0));
    assert_eq!(train.get(1, &mut ChainRng::new(0, 0)).class, None);
}

#[test]
fn damaged_pairs_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let open = |images: &[u8], labels: &[u8]| open(folder.path(), images, labels).unwrap_err();
    let (good_images, good_labels) = (images(3), labels(&[1, 0, 1]));
    for (images, labels, part) in [
        (&good_labels, &good_images, "magic number 0x00000801, expected 0x00000803"),
        (&good_images, &labels(&[1, 0]), "3 images, but "),
        (&good_images, &labels(&[1, 0]), " has 2 labels; give files of one set"),
        (&good_images, &labels(&[1, 2, 0]), "label 2 of item 1, but there are 2 classes"),
        (&images(0), &labels(&[]), "it holds no items"),
    ] {
        let message = open(images, labels).to_string();
        assert!(message.contains(part), "{part}: {message}");
    }
    let mut flat = images(3);
    flat[8..12].fill(0);
    flat.truncate(16);
    assert!(matches!(open(&flat, &good_labels), PixelError::Extent { height: 0, width: 3 }));
    for length in 0..good_images.len() {
        let message = open(&good_images[..length], &good_labels).to_string();
        assert!(message.ends_with("; fetch the file again"), "{message}");
    }
    let packed = gzip(&good_images);
    for length in 2..packed.len() {
        let error = open(&packed[..length], &good_labels);
        let short = error.to_string().ends_with("; fetch the file again");
        assert!(short || matches!(error, PixelError::Io { .. }), "{length}: {error}");
    }
    let missing = MnistSource::open(folder.path().join("none"), folder.path().join("l"), vec![]).unwrap_err();
    assert!(missing.to_string().starts_with("cannot read") && missing.to_string().contains("none"));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        noise in proptest::collection::vec(proptest::num::u8::ANY, 0..60),
        starts_well: bool,
        packed: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let whole = if starts_well { [&[0, 0, 8, 3][..], &noise].concat() } else { noise };
        let whole = if packed { gzip(&whole) } else { whole };
        // Noise may be a valid set by chance; what matters is that it returns.
        let _ = open(folder.path(), &whole, &labels(&[1]));
    }
}
