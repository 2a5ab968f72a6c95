//! Locks: one training process per folder.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use glauber_files::{check_folder, is_unfinished, remove_unfinished, write_whole};

use crate::RunError;

/// Number and pauses of retries for a locked folder, because [`is_held`](FolderLock::is_held) also locks it briefly.
const AGAIN: usize = 3;
const PAUSE: Duration = Duration::from_millis(50);
/// Marker of a run being started in a folder; its files may be overwritten.
const BEGINNING: &str = ".beginning";

/// A lock of a folder for one training process, until it is dropped or the process ends. On file systems without locks
/// the user must ensure this.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
    folder: PathBuf,
}

impl FolderLock {
    /// The file in the folder.
    pub const FILE: &str = "lock";

    /// Locks a folder.
    ///
    /// # Errors
    /// If another process has locked it, or the lock file cannot be written.
    pub fn take(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join(Self::FILE);
        // A file of the user's that has this name stays as it is.
        let file = File::options().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(RunError::file(&path))?;
        for attempt in 0..=AGAIN {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file, folder: folder.into() }),
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                    return Ok(Self { _file: file, folder: folder.into() });
                }
                Err(TryLockError::Error(error)) => return Err(RunError::file(&path)(error)),
                Err(TryLockError::WouldBlock) if attempt < AGAIN => sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        Err(held(folder))
    }

    /// Locks a folder for a new run, and creates it if missing. Until the run has [started](Self::begun), it may
    /// contain the files and folders named in `first`. If the process is killed before that, the next one can reuse the
    /// folder.
    ///
    /// # Errors
    /// As [`take`](Self::take) and [`check_free`](Self::check_free); the folder is then unchanged.
    pub fn begin(folder: &Path, first: &[&str]) -> Result<Self, RunError> {
        Self::check_free(folder, first)?;
        fs::create_dir_all(folder).map_err(RunError::file(folder))?;
        let lock = Self::take(folder)?;
        // Another process may have begun, and have ended, in between.
        check_empty(folder, first)?;
        remove_unfinished(folder).map_err(RunError::file(folder))?;
        let path = folder.join(BEGINNING);
        write_whole(&path, "a run is begun in this folder\n").map_err(RunError::file(&path))?;
        Ok(lock)
    }

    /// Marks the run as started, so that the folder is no longer reusable.
    ///
    /// # Errors
    /// If the marker cannot be removed.
    pub fn begun(&self) -> Result<(), RunError> {
        let path = self.folder.join(BEGINNING);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(RunError::file(&path)(error)),
            _ => Ok(()),
        }
    }

    /// Checks that a run can start in a folder: it must be writable and not [locked](Self::check_untaken). It must be
    /// new, empty, or left by a process killed while it wrote `first`.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check_free(folder: &Path, first: &[&str]) -> Result<(), RunError> {
        check_empty(folder, first)?;
        Self::check_untaken(folder)
    }

    /// Whether a process has locked a folder; `None` if the file system has no locks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn is_held(folder: &Path) -> Result<Option<bool>, RunError> {
        let path = folder.join(Self::FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(false)),
            Err(error) => return Err(RunError::file(&path)(error)),
        };
        // Shared, and let go at once: two that look do not see each other.
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(false)),
            Err(TryLockError::WouldBlock) => Ok(Some(true)),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(None),
            Err(TryLockError::Error(error)) => Err(RunError::file(&path)(error)),
        }
    }

    /// Checks that no process has locked a folder and that it is writable, so that [`take`](Self::take) can succeed.
    ///
    /// # Errors
    /// When it will not.
    pub fn check_untaken(folder: &Path) -> Result<(), RunError> {
        check_folder(folder).map_err(RunError::file(folder))?;
        match Self::is_held(folder)? {
            Some(true) => Err(held(folder)),
            _ => Ok(()),
        }
    }
}

/// Checks that a folder is empty, or contains only `first` and the marker of a run being started.
fn check_empty(folder: &Path, first: &[&str]) -> Result<(), RunError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(RunError::file(folder))?,
    };
    let begun = folder.join(BEGINNING).is_file();
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<_>>>().map_err(RunError::file(folder))?;
    names.sort();
    let left = |name: &str| name == BEGINNING || begun && first.contains(&name);
    match names.into_iter().find(|name| !left(name) && name != FolderLock::FILE && !is_unfinished(name)) {
        Some(other) => Err(RunError::Mismatch {
            path: folder.into(),
            found: format!("the folder is not empty: it contains `{other}`"),
            expected: "a new folder: give another name".into(),
        }),
        None => Ok(()),
    }
}

fn held(folder: &Path) -> RunError {
    RunError::Mismatch {
        path: folder.into(),
        found: "another process is training this run".into(),
        expected: "a single process: wait for it to end, or give another folder".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_before_anything_is_written_and_the_users_files_stay() {
        let root = tempfile::tempdir().unwrap();
        let first = ["vocabulary.json", "tokenizer"];
        for (name, refused) in [
            ("vocabulary.json", true),
            ("tokenizer", true),
            ("notes.txt", true),
            ("progress.json", true),
            ("lock", false),
        ] {
            let folder = root.path().join(name.replace('.', "-"));
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(name), "mine").unwrap();
            let begun = FolderLock::begin(&folder, &first);
            assert_eq!(begun.is_err(), refused, "{name}");
            assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), "mine");
            assert_eq!(fs::read_dir(&folder).unwrap().count(), if refused { 1 } else { 2 }, "{name}: nothing is left");
        }
        let folder = root.path().join("run");
        let lock = FolderLock::begin(&folder, &first).unwrap();
        fs::write(folder.join("vocabulary.json"), "half").unwrap();
        let second = FolderLock::begin(&folder, &first).unwrap_err().to_string();
        assert!(second.contains("another process"), "{second}");
        assert!(FolderLock::check_untaken(&folder).is_err());
        drop(lock);
        // Killed while it began.
        let lock = FolderLock::begin(&folder, &first).unwrap();
        lock.begun().unwrap();
        drop(lock);
        assert!(FolderLock::begin(&folder, &first).unwrap_err().to_string().contains("`vocabulary.json`"));
        assert!(FolderLock::check_untaken(&folder).is_ok());
        fs::write(root.path().join("file"), "mine").unwrap();
        assert!(FolderLock::check_free(&root.path().join("file/run"), &first).is_err());
        assert!(FolderLock::check_free(&root.path().join("file"), &first).is_err());
    }
}
