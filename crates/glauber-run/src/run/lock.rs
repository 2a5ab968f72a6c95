//! One training process for a folder.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use glauber_files::{check_folder, is_unfinished, write_whole};

use crate::RunError;

/// How often, and after which pauses, a folder that is held is looked at again: who only [looks](FolderLock::is_held) holds it for a moment, too.
const AGAIN: usize = 3;
const PAUSE: Duration = Duration::from_millis(50);
/// Says that a run is begun in a folder: what it has written there until then may be written again.
const BEGINNING: &str = ".beginning";

/// A folder held for one training process, until this is dropped or the process ends. Where the file system has no locks it is left to the user.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
    folder: PathBuf,
}

impl FolderLock {
    /// The file in the folder.
    pub const FILE: &str = "lock";

    /// Takes a folder.
    ///
    /// # Errors
    /// When another process has it, or the file cannot be written there.
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

    /// Takes a folder for a new run, and makes it where there is none. Until the run has [begun](Self::begun), files and folders of the names in
    /// `first` are written there; a process that is killed by then leaves the folder to the next.
    ///
    /// # Errors
    /// As [`take`](Self::take) and [`check_free`](Self::check_free); then the folder is as it was.
    pub fn begin(folder: &Path, first: &[&str]) -> Result<Self, RunError> {
        Self::check_free(folder, first)?;
        fs::create_dir_all(folder).map_err(RunError::file(folder))?;
        let lock = Self::take(folder)?;
        // Another process may have begun, and have ended, in between.
        check_empty(folder, first)?;
        let path = folder.join(BEGINNING);
        write_whole(&path, "a run is begun in this folder\n").map_err(RunError::file(&path))?;
        Ok(lock)
    }

    /// From here on the folder is not to be begun again.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn begun(&self) -> Result<(), RunError> {
        let path = self.folder.join(BEGINNING);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(RunError::file(&path)(error)),
            _ => Ok(()),
        }
    }

    /// Checks that a run can begin in a folder: that it is not there or empty, or that one was killed there while it wrote what is in `first`, and
    /// that it can be written to and is not [taken](Self::check_untaken).
    ///
    /// # Errors
    /// When it cannot.
    pub fn check_free(folder: &Path, first: &[&str]) -> Result<(), RunError> {
        check_empty(folder, first)?;
        Self::check_untaken(folder)
    }

    /// Whether a process has taken a folder; `None` where the file system has no locks.
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

    /// Checks that no process has taken a folder, and that it can be written to: that [`take`](Self::take) will do.
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

/// Checks that a folder holds nothing, or what is in `first` where it says that a run is begun in it.
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
