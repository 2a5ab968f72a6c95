//! Folders of pictures: what is read, what is left out, what is drawn.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use glauber_chain::ChainRng;
use glauber_pixels::{
    Colours, Crop, Extent, FolderConfig, FolderSource, Image, ImageSource, PixelError, psnr, split, ssim,
};

fn extent(height: usize, width: usize) -> Extent {
    Extent::new(height, width).unwrap()
}

/// A picture whose red grows to the right and whose green grows downward, so that a pixel tells its place.
fn map(height: usize, width: usize) -> Image {
    let value = |place: usize| {
        let (row, column) = (place / 3 / width, place / 3 % width);
        [column as f32 / width as f32, row as f32 / height as f32, 0.5][place % 3]
    };
    Image::new(extent(height, width), Colours::Rgb, (0..height * width * 3).map(value).collect()).unwrap()
}

fn save(image: &Image, path: &Path, format: image::ImageFormat) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image::DynamicImage::from(image).save_with_format(path, format).unwrap();
}

#[test]
fn every_format_at_every_depth_is_read_and_broken_files_are_named() {
    use image::ImageFormat::{Jpeg, Png, WebP};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    save(&map(20, 30), &at("birds/deep/er/a.PNG"), Png);
    save(&map(50, 10), &at("birds/b.jpeg"), Jpeg);
    save(&map(9, 9), &at("apes/c.webp"), WebP);
    save(&map(40, 40), &at("apes/really_a_jpeg.png"), Jpeg);
    fs::write(at("apes/broken.png"), b"not an image").unwrap();
    let whole = fs::read(at("birds/deep/er/a.PNG")).unwrap();
    fs::write(at("birds/cut.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(at("birds/empty.jpg"), b"").unwrap();
    // A folder of which nothing can be read is no class; what is hidden is left alone.
    fs::create_dir(at("cats")).unwrap();
    fs::write(at("cats/broken.webp"), b"not an image either").unwrap();
    save(&map(9, 9), &at(".thumbnails/d.png"), Png);
    save(&map(9, 9), &at("apes/.cache/e.png"), Png);
    fs::write(at("apes/._c.png"), b"of another system").unwrap();
    fs::write(at("birds/notes.txt"), b"no picture, and no complaint").unwrap();
    let config = FolderConfig { labels: true, ..FolderConfig::new(extent(16, 16)) };
    let source = FolderSource::open(folder.path(), config.clone()).unwrap();
    assert_eq!(source.class_names(), ["apes", "birds"]);
    let found: Vec<(String, Option<usize>)> = (0..source.len())
        .map(|index| {
            let example = source.get(index, &mut ChainRng::new(0, 0));
            assert_eq!((example.image.extent(), example.image.colours()), (extent(16, 16), Colours::Rgb));
            (source.path(index).file_name().unwrap().to_string_lossy().into_owned(), example.class)
        })
        .collect();
    let expected = [("c.webp", 0), ("really_a_jpeg.png", 0), ("b.jpeg", 1), ("a.PNG", 1)];
    assert_eq!(found, expected.map(|(name, class)| (name.to_owned(), Some(class))));
    let report = source.report();
    assert_eq!((report.read, report.bytes), (4, 4 * 16 * 16 * 3));
    let broken: Vec<PathBuf> = report.broken.iter().map(|broken| broken.path.clone()).collect();
    assert_eq!(broken, ["apes/broken.png", "birds/cut.png", "birds/empty.jpg", "cats/broken.webp"].map(at));
    let text = report.to_string();
    assert!(text.starts_with("4 images read, 4 files left out\n"), "{text}");
    assert!(broken.iter().all(|path| text.contains(&*path.to_string_lossy())), "{text}");

    save(&map(9, 9), &at("stray.png"), Png);
    let message = FolderSource::open(folder.path(), config.clone()).unwrap_err().to_string();
    assert!(message.contains("1 images are in no sub-folder") && message.contains("stray.png"), "{message}");
    let plain = FolderSource::open(folder.path(), FolderConfig { labels: false, ..config }).unwrap();
    assert_eq!((plain.len(), plain.class_names().len()), (5, 0));
    assert_eq!(plain.get(4, &mut ChainRng::new(0, 0)).class, None);
}

#[test]
fn a_folder_without_pictures_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let config = FolderConfig::new(extent(8, 8));
    let open = || FolderSource::open(folder.path(), config.clone()).unwrap_err().to_string();
    assert!(open().contains("no image that can be read among 0 files"), "{}", open());
    fs::write(folder.path().join("a.png"), b"x").unwrap();
    assert!(open().contains("among 1 files") && open().contains("a.png"), "{}", open());
    let missing = FolderSource::open(folder.path().join("none"), config.clone());
    assert!(matches!(missing, Err(PixelError::Io { .. })));
    let crop = Crop::Random { margin: 32.0 };
    let margin = FolderSource::open(folder.path(), FolderConfig { crop, ..config }).unwrap_err().to_string();
    assert_eq!(margin, "a crop margin of 32, expected 0 to 31");
}

#[test]
fn crops_and_flips_are_decided_by_the_generator() {
    let folder = tempfile::tempdir().unwrap();
    save(&map(60, 90), &folder.path().join("a.png"), image::ImageFormat::Png);
    let crop = Crop::Random { margin: 0.5 };
    let config = FolderConfig { crop, flip: true, ..FolderConfig::new(extent(20, 20)) };
    let source = FolderSource::open(folder.path(), config).unwrap();
    let drawn = |stream| source.get(0, &mut ChainRng::new(1, stream)).image;
    let (mut flipped, mut lefts, mut tops) = (0, vec![], vec![]);
    for stream in 0..400 {
        let image = drawn(stream);
        assert_eq!(image, drawn(stream));
        let (red, green) = (|column| image.pixel(10, column)[0], |row: usize| image.pixel(row, 10)[1]);
        // Kept at 30 × 45: a crop of 20 shows 20/45 of the width and 20/30 of the height.
        assert!(((red(19) - red(0)).abs() - 19.0 / 45.0).abs() < 0.03);
        assert!((green(19) - green(0) - 19.0 / 30.0).abs() < 0.03);
        flipped += usize::from(red(0) > red(19));
        lefts.push((red(0).min(red(19)) * 45.0).round() as usize);
        tops.push((green(0) * 30.0).round() as usize);
    }
    assert!((150..=250).contains(&flipped), "{flipped} of 400 are flipped");
    let distinct = |mut places: Vec<usize>| {
        places.sort_unstable();
        places.dedup();
        places
    };
    // Every place from edge to edge comes up: 26 to the right and 11 down.
    let (lefts, tops) = (distinct(lefts), distinct(tops));
    assert_eq!((lefts.len(), tops.len()), (26, 11), "{lefts:?} {tops:?}");

    let still = source.still();
    let mut rng = ChainRng::new(1, 0);
    let before = rng.clone();
    let image = still.get(0, &mut rng).image;
    assert_eq!(rng, before, "nothing is drawn");
    assert!((image.pixel(10, 10)[0] - 0.5).abs() < 0.03 && (image.pixel(10, 10)[1] - 0.5).abs() < 0.03);
}

#[test]
#[ignore = "needs eight photographs in ../shared/data/images/photos"]
fn photographs_are_read_split_and_compared() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/images/photos");
    let crop = Crop::Random { margin: 0.25 };
    let config = FolderConfig { crop, flip: true, ..FolderConfig::new(extent(64, 64)) };
    let source = FolderSource::open(&folder, config).unwrap();
    assert_eq!((source.len(), source.report().broken.len()), (8, 0), "{}", source.report());
    let (train, held_out) = split(Arc::new(source), 0.25, 3).unwrap();
    assert_eq!((train.len(), held_out.len()), (6, 2));
    let planes = train.planes(&[0, 5, 2], &mut ChainRng::new(0, 0));
    assert_eq!(planes.len(), 3 * 3 * 64 * 64);
    assert!(planes.iter().all(|value| (-1.0..=1.0).contains(value)));
    let photo = Image::open(folder.join("astronaut.png")).unwrap();
    assert_eq!((photo.extent(), photo.colours()), (extent(512, 512), Colours::Rgb));
    // Blurring by shrinking costs similarity, and more of it the smaller the image was.
    let through = |side| photo.resized(extent(side, side)).resized(photo.extent());
    let [fine, coarse] = [256, 64].map(through);
    let [fine, coarse] = [&fine, &coarse].map(|image| (psnr(&photo, image).unwrap(), ssim(&photo, image).unwrap()));
    assert!(fine.0 > coarse.0 + 3.0 && fine.1 > coarse.1 + 0.1, "{fine:?} {coarse:?}");
    assert!(fine.1 < 1.0 && coarse.1 > 0.0);
}

#[test]
fn pictures_are_read_split_and_compared() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let crop = Crop::Random { margin: 0.25 };
    let config = FolderConfig { crop, flip: true, ..FolderConfig::new(extent(32, 32)) };
    let source = FolderSource::open(&folder, config).unwrap();
    assert_eq!((source.len(), source.report().broken.len()), (9, 0), "{}", source.report());
    let (train, held_out) = split(Arc::new(source), 0.25, 3).unwrap();
    assert_eq!((train.len(), held_out.len()), (7, 2));
    let planes = train.planes(&[0, 6, 2], &mut ChainRng::new(0, 0));
    assert_eq!(planes.len(), 3 * 3 * 32 * 32);
    assert!(planes.iter().all(|value| (-1.0..=1.0).contains(value)));
    let picture = Image::open(folder.join("interlaced.png")).unwrap();
    let through = |height, width| picture.resized(extent(height, width)).resized(picture.extent());
    let [fine, coarse] = [through(45, 35), through(9, 7)];
    let [fine, coarse] = [&fine, &coarse].map(|image| (psnr(&picture, image).unwrap(), ssim(&picture, image).unwrap()));
    assert!(fine.0 > coarse.0 + 3.0 && fine.1 > coarse.1 + 0.05, "{fine:?} {coarse:?}");
}
