//! One training process for a folder.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::TrainError;

/// How often, and after which pauses, a folder that is held is looked at again: who only [looks](FolderLock::is_held) holds it for a moment, too.
const AGAIN: usize = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// A folder held for one training process, until this is dropped or the process ends. Where the file system has no locks it is left to the user.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// The file in the folder.
    pub const FILE: &str = "lock";

    /// Takes a folder.
    ///
    /// # Errors
    /// When another process has it, or the file cannot be written there.
    pub fn take(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(Self::FILE);
        let file = File::create(&path).map_err(TrainError::io(&path))?;
        for attempt in 0..=AGAIN {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                    return Ok(Self { _file: file });
                }
                Err(TryLockError::Error(error)) => return Err(TrainError::io(&path)(error)),
                Err(TryLockError::WouldBlock) if attempt < AGAIN => sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        Err(TrainError::Mismatch {
            path: folder.into(),
            found: "another process is training this run".into(),
            expected: "one at a time: wait for it, or choose another `--run`".into(),
        })
    }

    /// Whether a process has taken a folder; `None` where the file system has no locks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn is_held(folder: &Path) -> Result<Option<bool>, TrainError> {
        let path = folder.join(Self::FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(false)),
            Err(error) => return Err(TrainError::io(&path)(error)),
        };
        // Shared, and let go at once: two that look do not see each other.
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(false)),
            Err(TryLockError::WouldBlock) => Ok(Some(true)),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(None),
            Err(TryLockError::Error(error)) => Err(TrainError::io(&path)(error)),
        }
    }
}
