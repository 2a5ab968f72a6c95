//! Cache folders, written once.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::format::INDEX;
use crate::{ShardError, TokenData};

/// Name prefix of folders being written.
const PARTIAL: &str = ".partial-";
/// Lock file of a folder being written.
const LOCK: &str = "lock";

/// Maps the folder `key` of `cache`; calls `write` to fill it if it is missing.
///
/// The key must be a hash of everything that the tokens depend on. `write` receives an empty folder to fill with a
/// [`TokenWriter`](crate::TokenWriter). The folder is renamed when complete. The next call removes files of an
/// interrupted one.
///
/// # Errors
/// Those of `write`, [`ShardError::Io`], and [`ShardError::Cache`] when the folder is damaged.
pub fn cached<E: From<ShardError>>(
    cache: &Path,
    key: &str,
    write: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<TokenData, E> {
    let folder = cache.join(key);
    // A folder gets its name when it is complete: one without an index has lost it, and its place is taken.
    if !folder.exists() {
        std::fs::create_dir_all(cache).map_err(ShardError::io("create", cache))?;
        remove_interrupted(cache)?;
        let partial = Partial::create(cache)?;
        write(&partial.content)?;
        partial.publish(&folder)?;
    }
    Ok(TokenData::open(&folder)?)
}

/// A cache folder being written: a temporary folder with a lock and the content.
struct Partial {
    content: PathBuf,
    // Dropped in this order: the lock is free before the folder goes.
    _lock: File,
    _folder: tempfile::TempDir,
}

impl Partial {
    fn create(cache: &Path) -> Result<Self, ShardError> {
        loop {
            let folder = tempfile::Builder::new()
                .prefix(PARTIAL)
                .tempdir_in(cache)
                .map_err(ShardError::io("create a folder in", cache))?;
            let path = folder.path().join(LOCK);
            let lock = File::create(&path).map_err(ShardError::io("create", &path))?;
            // Where the file system has no locks nobody can take them either: then nothing is ever removed.
            let _ = lock.lock();
            // Somebody may have locked the file first, and have removed the folder as one of a call that was interrupted.
            let content = folder.path().join("content");
            match std::fs::create_dir(&content) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                made => {
                    made.map_err(ShardError::io("create", &content))?;
                    return Ok(Self { content, _lock: lock, _folder: folder });
                }
            }
        }
    }

    /// Renames the folder. If another process has prepared the same folder meanwhile, that one is kept, as it is equal.
    fn publish(self, folder: &Path) -> Result<(), ShardError> {
        match glauber_files::publish_folder(&self.content, folder) {
            Err(_) if folder.join(INDEX).exists() => Ok(()),
            renamed => renamed.map_err(ShardError::io("create", folder)),
        }
    }
}

/// Removes the folders of interrupted calls, whose locks are free.
fn remove_interrupted(cache: &Path) -> Result<(), ShardError> {
    for entry in std::fs::read_dir(cache).map_err(ShardError::io("search", cache))? {
        let entry = entry.map_err(ShardError::io("search", cache))?;
        if !entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            match std::fs::remove_dir_all(entry.path()) {
                // Another process has seen it, too.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed.map_err(ShardError::io("remove the interrupted", &entry.path()))?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Split, TokenWriter};

    fn write(folder: &Path) -> Result<(), ShardError> {
        let mut writer = TokenWriter::new(folder, 4, "");
        writer.split(Split::Training).write(&[3, 1])?;
        writer.finish()
    }

    #[test]
    fn a_folder_that_is_being_written_is_not_taken_for_an_interrupted_one() {
        let cache = tempfile::tempdir().unwrap();
        let write_and_clean = || {
            for _ in 0..100 {
                let partial = Partial::create(cache.path()).unwrap();
                remove_interrupted(cache.path()).unwrap();
                assert!(partial.content.is_dir(), "removed while it was being written");
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|_| _ = scope.spawn(write_and_clean)));
        assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_lost_its_index_is_named_with_its_cure() {
        let cache = tempfile::tempdir().unwrap();
        cached(cache.path(), "a", write).unwrap();
        std::fs::remove_file(cache.path().join("a").join(INDEX)).unwrap();
        let error = cached(cache.path(), "a", write).unwrap_err().to_string();
        assert!(error.contains("it is missing; delete the folder"), "{error}");
    }

    #[test]
    fn a_folder_is_written_once_and_a_failure_leaves_none() {
        let cache = tempfile::tempdir().unwrap();
        let failed = cached(cache.path(), "a", |folder| {
            write(folder)?;
            Err::<(), _>(ShardError::cache(folder, "on purpose"))
        });
        assert!(failed.unwrap_err().to_string().contains("on purpose"));
        assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0);
        cached(cache.path(), "a", write).unwrap();
        let again = cached(cache.path(), "a", |_| -> Result<(), ShardError> { panic!("it is there") }).unwrap();
        assert_eq!((again.train().tokens(), again.counts()), (2, &[0, 1, 0, 1][..]));
    }
}
