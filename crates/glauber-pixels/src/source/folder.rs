//! Pictures of a folder.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use glauber_chain::ChainRng;
use image::{DynamicImage, imageops};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use super::placement::Crop;
use super::{Example, ImageSource};
use crate::picture::{opaque, read};
use crate::{Colours, Extent, Image, PixelError};

/// Endings of the names of pictures.
const ENDINGS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];
/// How pictures of a folder become images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderConfig {
    /// The extent of the images; pictures of any size are scaled to cover it.
    pub extent: Extent,
    /// Their channels.
    #[serde(default)]
    pub colours: Colours,
    /// The crop of a picture.
    #[serde(default)]
    pub crop: Crop,
    /// Whether an image is turned left to right with probability one half, drawn anew each time.
    #[serde(default)]
    pub flip: bool,
    /// Whether the sub-folders right under the folder are classes.
    #[serde(default)]
    pub labels: bool,
}

impl FolderConfig {
    /// RGB, the middle of each picture, no flips, no classes.
    #[must_use]
    pub fn new(extent: Extent) -> Self {
        Self { extent, colours: Colours::Rgb, crop: Crop::Centre, flip: false, labels: false }
    }
}

/// The PNG, JPEG and WebP files under a folder, decoded once, scaled down and held in memory as bytes. Copies share them.
///
/// They are in the order of their paths; files and folders whose names begin with a dot are left alone. With
/// [`labels`](FolderConfig::labels), the names of the sub-folders that hold pictures which can be read, sorted, are the classes.
#[derive(Debug, Clone)]
pub struct FolderSource {
    config: FolderConfig,
    kept: Arc<[Kept]>,
    class_names: Vec<String>,
    report: Arc<FolderReport>,
}

/// A picture scaled down.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    extent: Extent,
    /// Shape `[row, column, channel]`.
    bytes: Box<[u8]>,
    class: Option<usize>,
}

/// A file that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenFile {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub reason: String,
}

/// Report of reading a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderReport {
    /// Pictures read.
    pub read: usize,
    /// Files that could not be read, in the order of their paths.
    pub broken: Vec<BrokenFile>,
    /// Bytes of memory that the pictures take.
    pub bytes: usize,
    /// Files skipped because of their names, counted by ending (in lower case, empty for none), the most frequent
    /// first.
    pub others: Vec<(String, usize)>,
}

impl FolderReport {
    /// As many broken files are named by the report's text.
    pub const NAMED: usize = 5;
    /// As many endings of files that were passed over.
    const ENDINGS: usize = 8;
}

impl fmt::Display for FolderReport {
    /// Numbers of read, rejected and skipped files, with the reasons of the first [`NAMED`](Self::NAMED) rejections.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} images read", self.read)?;
        if !self.broken.is_empty() {
            write!(f, ", {} files left out", self.broken.len())?;
        }
        for broken in self.broken.iter().take(Self::NAMED) {
            write!(f, "\n  {}", broken.reason)?;
        }
        match self.broken.len().saturating_sub(Self::NAMED) {
            0 => {}
            more => write!(f, "\n  and {more} more")?,
        }
        let passed_over = passed_over(&self.others);
        if passed_over.is_empty() { Ok(()) } else { write!(f, "\n  {passed_over}") }
    }
}

/// Other files in words; nothing of none.
fn passed_over(others: &[(String, usize)]) -> String {
    let named = others.iter().take(FolderReport::ENDINGS).map(|(ending, count)| match ending.as_str() {
        "" => format!("{count} without an ending"),
        ending => format!("{count} .{ending}"),
    });
    let mut named: Vec<String> = named.collect();
    match others.iter().skip(FolderReport::ENDINGS).map(|(_, count)| count).sum() {
        0 => {}
        more => named.push(format!("{more} of other endings")),
    }
    match others.iter().map(|(_, count)| count).sum() {
        0 => String::new(),
        count => format!("{count} other files passed over, not named .png, .jpg, .jpeg or .webp: {}", named.join(", ")),
    }
}

impl FolderSource {
    /// Reads a folder and all folders in it, in parallel. A file that cannot be read is left out and named in the
    /// [`report`](Self::report).
    ///
    /// # Errors
    /// If the folder cannot be searched, has no readable picture, or the crop margin is not 0 to 31. If sub-folders are
    /// the classes, and a picture is in none.
    pub fn open(folder: impl AsRef<Path>, config: FolderConfig) -> Result<Self, PixelError> {
        let folder = folder.as_ref();
        config.crop.check()?;
        let Found { pictures: paths, others, broken: unsearched } = search(folder)?;
        if config.labels {
            check_labelled(folder, &paths)?;
        }
        let load = |path: &PathBuf| {
            Kept::load(path, &config).map_err(|e| BrokenFile { path: path.clone(), reason: e.to_string() })
        };
        let loaded: Vec<Result<Kept, BrokenFile>> = paths.par_iter().map(load).collect();
        let (mut kept, mut broken) = (Vec::new(), unsearched);
        for result in loaded {
            match result {
                Ok(picture) => kept.push(picture),
                Err(file) => broken.push(file),
            }
        }
        broken.sort_by(|one, other| one.path.cmp(&other.path));
        if kept.is_empty() {
            let first = broken.first().map(|broken| format!("; the first: {}", broken.reason)).unwrap_or_default();
            let others = passed_over(&others);
            let others = if others.is_empty() { others } else { format!("; {others}") };
            let named = "files named .png, .jpg, .jpeg or .webp";
            let found = format!("no image that can be read among {} {named}{first}{others}", paths.len());
            return Err(PixelError::unusable(folder, found));
        }
        let bytes = kept.iter().map(|picture| picture.bytes.len()).sum();
        let report = Arc::new(FolderReport { read: kept.len(), broken, bytes, others });
        let class_names = if config.labels { classify(folder, &mut kept) } else { Vec::new() };
        Ok(Self { config, kept: kept.into(), class_names, report })
    }

    /// The report of reading.
    #[must_use]
    pub fn report(&self) -> &FolderReport {
        &self.report
    }

    /// The file of an image.
    ///
    /// # Panics
    /// When there is no such image.
    #[must_use]
    pub fn path(&self, index: usize) -> &Path {
        &self.kept[index].path
    }

    /// The same pictures without chance, for evaluation: the middle of what is kept, never flipped.
    #[must_use]
    pub fn still(&self) -> Self {
        let config = FolderConfig { crop: Crop::Centre, flip: false, ..self.config.clone() };
        Self { config, ..self.clone() }
    }
}

impl ImageSource for FolderSource {
    fn len(&self) -> usize {
        self.kept.len()
    }

    fn extent(&self) -> Extent {
        self.config.extent
    }

    fn colours(&self) -> Colours {
        self.config.colours
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// Draws the place of a random crop (row, column), then whether to flip; what the configuration does not ask for is not drawn.
    fn get(&self, index: usize, rng: &mut ChainRng) -> Example {
        let FolderConfig { extent, colours, crop, flip, .. } = self.config;
        let kept = &self.kept[index];
        let (top, left) = crop.corner(kept.extent, extent, rng);
        let picture = Image::from_bytes(kept.extent, colours, &kept.bytes).expect("kept with its extent");
        let image = picture.crop(top, left, extent).expect("what is kept covers the image");
        let flipped = flip && rng.uniform() < 0.5;
        Example { image: if flipped { image.flipped() } else { image }, class: kept.class }
    }
}

impl Kept {
    fn load(path: &Path, config: &FolderConfig) -> Result<Self, PixelError> {
        let decoded = opaque(read(path)?);
        let picture = Extent::new(decoded.height() as usize, decoded.width() as usize)?;
        let placed = config.crop.placement(picture, config.extent);
        let [left, top, width, height] =
            [placed.left, placed.top, placed.cut.width(), placed.cut.height()].map(|n| n as u32);
        let cut = decoded.crop_imm(left, top, width, height);
        let [width, height] = [placed.kept.width(), placed.kept.height()].map(|side| side as u32);
        let scaled: DynamicImage = cut.resize_exact(width, height, imageops::FilterType::CatmullRom);
        let bytes = Image::try_from(scaled)?.to_colours(config.colours).to_bytes();
        Ok(Self { path: path.to_owned(), extent: placed.kept, bytes: bytes.into(), class: None })
    }
}

/// The files of a folder.
struct Found {
    /// Pictures by their names, sorted.
    pictures: Vec<PathBuf>,
    /// How many other files there are of each ending.
    others: Vec<(String, usize)>,
    /// What could not be searched.
    broken: Vec<BrokenFile>,
}

fn search(folder: &Path) -> Result<Found, PixelError> {
    std::fs::read_dir(folder).map_err(PixelError::io("search", folder))?;
    let (mut pictures, mut broken, mut others) = (Vec::new(), Vec::new(), BTreeMap::new());
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    for entry in walk.into_iter().filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.file_name())) {
        match entry {
            Ok(entry) if entry.file_type().is_file() => match ending(entry.path()) {
                ending if ENDINGS.contains(&ending.as_str()) => pictures.push(entry.into_path()),
                ending => *others.entry(ending).or_default() += 1,
            },
            Ok(_) => {}
            Err(e) => {
                let path = e.path().unwrap_or(folder).to_owned();
                broken.push(BrokenFile { path, reason: e.to_string() });
            }
        }
    }
    let mut others: Vec<(String, usize)> = others.into_iter().collect();
    others.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Ok(Found { pictures, others, broken })
}

/// Such names are of what systems and programs keep for themselves, thumbnails for instance.
fn is_hidden(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with('.')
}

/// The ending of a file's name in small letters; empty where it has none.
fn ending(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Where sub-folders are classes, every picture lies in one.
fn check_labelled(folder: &Path, paths: &[PathBuf]) -> Result<(), PixelError> {
    let unlabelled: Vec<&PathBuf> = paths.iter().filter(|path| sub_folder(folder, path).is_none()).collect();
    match unlabelled.first() {
        Some(&first) => {
            let (folder, first) = (folder.to_owned(), first.clone());
            Err(PixelError::Unlabelled { folder, count: unlabelled.len(), first })
        }
        None => Ok(()),
    }
}

/// Gives every picture the class of its sub-folder; the names of those that have pictures, sorted.
fn classify(folder: &Path, kept: &mut [Kept]) -> Vec<String> {
    let mut names: Vec<String> = kept.iter().filter_map(|picture| sub_folder(folder, &picture.path)).collect();
    names.sort_unstable();
    names.dedup();
    for picture in kept {
        picture.class = sub_folder(folder, &picture.path).and_then(|name| names.binary_search(&name).ok());
    }
    names
}

/// The name of the sub-folder right under `folder` that a file lies in.
fn sub_folder(folder: &Path, path: &Path) -> Option<String> {
    let mut parts = path.strip_prefix(folder).ok()?.iter();
    let first = parts.next()?;
    parts.next().map(|_| first.to_string_lossy().into_owned())
}
