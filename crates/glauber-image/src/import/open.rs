//! An autoencoder, whoever wrote it.

use std::path::{Path, PathBuf};

use burn::tensor::Device;

use crate::{ImageError, VqModel};

use super::{Imported, diffusers, taming};

/// A folder that `VqModel::save` wrote has this file.
const OWN: &str = "tokenizer.toml";
/// Where a run folder keeps its tokenizer.
const IN_RUN: &str = "tokenizer";
/// A folder of diffusers has this file.
const DIFFUSERS: &str = "config.json";
const EXPECTED: &str = "the folder of a tokenizer, a run folder with `tokenizer/` in it, a diffusers `VQModel` folder (`config.json`), or a \
                        taming-transformers checkpoint (.ckpt) with its one .yaml beside it";

/// Opens the autoencoder at a path: a folder that [`VqModel::save`] wrote, a folder that has such a one as `tokenizer/`, a folder of
/// [`diffusers`](super::diffusers()), or a checkpoint of [`taming`](super::taming()), alone or in a folder, with the only `.yaml` (or
/// `.yml`) of the same folder.
///
/// # Errors
/// [`ImageError::NoTokenizer`] when there is nothing of the kind, and those of the function that reads what is there.
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
        _ if path.is_dir() => checkpoint(&only(path, path, &["ckpt"])?, path, device),
        _ => Err(nothing(path, "there is nothing".into())),
    }
}

fn checkpoint(path: &Path, folder: &Path, device: &Device) -> Result<Imported, ImageError> {
    if !has_ending(path, &["ckpt", "pt", "pth"]) {
        return Err(nothing(path, "a file that is no checkpoint".into()));
    }
    taming(path, &only(folder, path, &["yaml", "yml"])?, device)
}

/// The only file of a folder with one of these endings; `path` is what the user gave.
fn only(folder: &Path, path: &Path, endings: &[&str]) -> Result<PathBuf, ImageError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(ImageError::io(folder))? {
        let file = entry.map_err(ImageError::io(folder))?.path();
        if file.is_file() && has_ending(&file, endings) {
            found.push(file);
        }
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        count => Err(nothing(path, format!("{count} files .{} in {}", endings[0], folder.display()))),
    }
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| endings.contains(&ending.as_str()))
}

fn nothing(path: &Path, found: String) -> ImageError {
    ImageError::NoTokenizer { path: path.into(), found, expected: EXPECTED }
}
