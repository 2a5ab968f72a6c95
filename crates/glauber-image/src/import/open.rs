//! Opens autoencoders of any supported format.

use std::path::{Path, PathBuf};

use burn::tensor::Device;

use crate::{ImageError, VqModel};

use super::{Imported, diffusers, taming};

/// A folder that `VqModel::save` wrote has this file.
const OWN: &str = "tokenizer.toml";
/// Folder of the tokenizer in a run folder.
const IN_RUN: &str = "tokenizer";
/// A folder of diffusers has this file.
const DIFFUSERS: &str = "config.json";
const EXPECTED: &str = "the folder of a tokenizer, a run folder with `tokenizer/` in it, a diffusers `VQModel` folder (`config.json`), a \
                        taming-transformers checkpoint (.ckpt) with its YAML beside it or in `configs/` beside its folder, or both as \
                        `CKPT,YAML`";
/// Endings of the names of checkpoints, and of their configurations.
const CHECKPOINTS: [&str; 3] = ["ckpt", "pt", "pth"];
const CONFIGS: [&str; 2] = ["yaml", "yml"];

/// Opens the autoencoder at a path. It may be a folder of [`VqModel::save`], a folder with one as `tokenizer/`, or a
/// folder of [`diffusers`](super::diffusers()). It may also be a checkpoint of [`taming`](super::taming()), or a folder
/// with one, preferably `last.ckpt`. The checkpoint's YAML has the same name in the same folder, or is the only one
/// there, or is in `configs/` beside the checkpoint's folder (Lightning's layout).
///
/// # Errors
/// [`ImageError::NoTokenizer`] when no format matches, and those of the matching reader.
pub fn open(path: &Path, device: &Device) -> Result<Imported, ImageError> {
    let own = |folder: &Path| Ok(Imported { model: VqModel::load(folder, device)?, ignored: Vec::new() });
    if path.is_file() {
        let folder = path.parent().unwrap_or(Path::new(""));
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        return checkpoint(path, folder, device);
    }
    match path {
        _ if path.join(OWN).is_file() => own(path),
        _ if path.join(IN_RUN).join(OWN).is_file() => own(&path.join(IN_RUN)),
        _ if path.join(DIFFUSERS).is_file() => diffusers(path, device),
        _ if path.is_dir() => {
            let (mut found, mut folder) = (files(path, &["ckpt"])?, path.to_owned());
            let within = path.join("checkpoints");
            if found.is_empty() && within.is_dir() {
                (found, folder) = (files(&within, &["ckpt"])?, within);
            }
            let last = found.iter().find(|file| file.file_name().is_some_and(|name| name == "last.ckpt"));
            match (last, &found[..]) {
                (Some(file), _) | (None, [file]) => checkpoint(file, &folder, device),
                _ => Err(not_one(path, &found, "ckpt", &folder)),
            }
        }
        _ => match glauber_files::check(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(ImageError::io(path)(error)),
            _ => Err(nothing(path, "there is nothing".into())),
        },
    }
}

fn checkpoint(path: &Path, folder: &Path, device: &Device) -> Result<Imported, ImageError> {
    if !has_ending(path, &CHECKPOINTS) {
        return Err(nothing(path, "a file that is no checkpoint".into()));
    }
    taming(path, &config(path, folder)?, device)
}

/// The configuration of a checkpoint.
fn config(path: &Path, folder: &Path) -> Result<PathBuf, ImageError> {
    let mut place = folder.to_owned();
    let mut found = files(folder, &CONFIGS)?;
    if found.is_empty() {
        let beside = folder.canonicalize().map_err(ImageError::io(folder))?.with_file_name("configs");
        if beside.is_dir() {
            (found, place) = (files(&beside, &CONFIGS)?, beside);
        }
    }
    let own = found.iter().find(|file| file.file_stem() == path.file_stem());
    // Lightning's own settings lie beside those of the model.
    let others = found.iter().filter(|file| !file.to_string_lossy().contains("-lightning."));
    match (own, &others.collect::<Vec<_>>()[..]) {
        (Some(file), _) => Ok(file.clone()),
        (None, [file]) => Ok((*file).clone()),
        _ => Err(not_one(path, &found, "yaml", &place)),
    }
}

/// The files of a folder with one of these endings, by name.
fn files(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, ImageError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(ImageError::io(folder))? {
        let file = entry.map_err(ImageError::io(folder))?.path();
        if file.is_file() && has_ending(&file, endings) {
            found.push(file);
        }
    }
    found.sort();
    Ok(found)
}

fn not_one(path: &Path, found: &[PathBuf], ending: &str, folder: &Path) -> ImageError {
    nothing(path, format!("{} files .{ending} in {}", found.len(), folder.display()))
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| endings.contains(&ending.as_str()))
}

fn nothing(path: &Path, found: String) -> ImageError {
    ImageError::NoTokenizer { path: path.into(), found, expected: EXPECTED }
}
