//! Search for files.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::listed;
use super::source::{Name, Sought};
use crate::TextError;

/// Files in reading order without duplicates, and skipped files.
#[derive(Default)]
pub(super) struct Found {
    pub(super) files: Vec<PathBuf>,
    /// The files by identity on disk.
    places: HashMap<Place, PathBuf>,
    /// Files of folders by their ending.
    unsought: BTreeMap<String, usize>,
    /// Broken or circular links.
    links: Vec<PathBuf>,
    /// Duplicate files, with their first path.
    again: Vec<(PathBuf, PathBuf)>,
}

#[derive(PartialEq, Eq, Hash)]
enum Place {
    Path(PathBuf),
    #[cfg(unix)]
    Inode(u64, u64),
}

impl Found {
    /// Adds a file, or the files of a folder in the order of their names.
    pub(super) fn add(&mut self, path: &Path) -> Result<(), TextError> {
        if !path.try_exists().map_err(TextError::io("find", path))? {
            return Err(TextError::Missing { path: path.to_owned() });
        }
        if !path.is_dir() {
            return self.file(path.to_owned());
        }
        let mut files = Vec::new();
        let visible = |entry: &DirEntry| entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".");
        for entry in WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter().filter_entry(visible) {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) => {
                    let name = Name::of(entry.path());
                    let sought = if entry.file_type().is_file() { name.sought } else { Sought::Never };
                    files.push((entry.into_path(), name.ending, sought));
                }
                Err(error) => self.links.push(leads_nowhere(error, path)?),
            }
        }
        let always = files.iter().any(|(.., sought)| *sought == Sought::Always);
        let taken = if always { Sought::Always } else { Sought::Otherwise };
        for (path, ending, sought) in files {
            match sought == taken {
                true => self.file(path)?,
                false => *self.unsought.entry(ending).or_default() += 1,
            }
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf) -> Result<(), TextError> {
        // Before its place is asked for: a pipe has none.
        glauber_files::check(&path).map_err(TextError::io("read", &path))?;
        let places = places(&path).map_err(TextError::io("find", &path))?;
        if let Some(before) = places.iter().find_map(|place| self.places.get(place)) {
            self.again.push((path, before.clone()));
            return Ok(());
        }
        self.places.extend(places.into_iter().map(|place| (place, path.clone())));
        self.files.push(path);
        Ok(())
    }

    /// Skipped files of folders, counted by ending; `None` if there are none.
    pub(super) fn unsought(&self) -> Option<String> {
        let kinds = self.unsought.iter().map(|(ending, count)| match ending.is_empty() {
            true => format!("{count} without ending"),
            false => format!("{count} {ending}"),
        });
        (!self.unsought.is_empty()).then(|| listed(kinds))
    }

    /// Messages about skipped files, one sentence per kind.
    pub(super) fn passed_over(&self) -> Vec<String> {
        let mut said = Vec::new();
        said.extend(
            self.unsought().map(|kinds| format!("passed over in folders: {kinds}; name such files to read them")),
        );
        if let Some(first) = self.links.first() {
            let count = self.links.len();
            said.push(format!(
                "passed over: {count} link(s) that lead nowhere or in a circle, first {}",
                first.display()
            ));
        }
        if let Some((path, before)) = self.again.first() {
            let (count, path, before) = (self.again.len(), path.display(), before.display());
            said.push(format!("passed over: {count} file(s) named a second time, first {path}, which is {before}"));
        }
        said
    }
}

/// The link behind an error of a search; any other error stays one.
fn leads_nowhere(error: walkdir::Error, searched: &Path) -> Result<PathBuf, TextError> {
    let path = error.path().unwrap_or(searched).to_owned();
    let dangles = || path.is_symlink() && path.metadata().is_err_and(|e| e.kind() != ErrorKind::PermissionDenied);
    match error.loop_ancestor().is_some() || dangles() {
        true => Ok(path),
        false => Err(TextError::Io { action: "search", path, source: error.into() }),
    }
}

/// The identity of a file: its path without links, and for hard links its inode.
fn places(path: &Path) -> std::io::Result<Vec<Place>> {
    let mut places = vec![Place::Path(path.canonicalize()?)];
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let data = path.metadata()?;
        if data.nlink() > 1 {
            places.push(Place::Inode(data.dev(), data.ino()));
        }
    }
    Ok(places)
}
