//! Folders.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::{Unfinished, folder_of, is_unfinished, sync_folder};

/// Writes a folder whole, in place of one of this name: `write` fills an empty folder beside it, which gets the name once all in it is on
/// the disk. A kill while the old folder makes place leaves none of that name; [`remove_unfinished`] clears away what is left then.
///
/// # Errors
/// Those of `write`, and `refused` of I/O errors; an existing folder is then unchanged.
pub fn write_folder<E>(
    folder: &Path,
    refused: impl Fn(io::Error) -> E,
    write: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let [unfinished, old] = ["writing", "removing"].map(|purpose| beside(folder, purpose));
    let (unfinished, old) = (unfinished.map_err(&refused)?, old.map_err(&refused)?);
    remove(&unfinished).and_then(|()| fs::create_dir_all(&unfinished)).map_err(&refused)?;
    let publish = || {
        remove(&old)?;
        let replaces = folder.exists();
        if replaces {
            fs::rename(folder, &old)?;
        }
        if let Err(error) = publish_folder(&unfinished, folder) {
            // The first error is the one to tell.
            let _ = replaces.then(|| fs::rename(&old, folder));
            return Err(error);
        }
        remove(&old)
    };
    let written = write(&unfinished).and_then(|()| publish().map_err(&refused));
    if written.is_err() {
        let _ = fs::remove_dir_all(&unfinished);
    }
    written
}

/// Renames a folder after syncing its content.
///
/// # Errors
/// When the system refuses, as where there is a folder of that name that is not empty.
pub fn publish_folder(unfinished: &Path, folder: &Path) -> io::Result<()> {
    sync(unfinished)?;
    fs::rename(unfinished, folder)?;
    sync_folder(folder_of(folder))
}

/// Removes a folder, if there is one, under another name: a kill on the way leaves none that looks whole.
///
/// # Errors
/// When the system refuses.
pub fn remove_folder(folder: &Path) -> io::Result<()> {
    let removed = beside(folder, "removing")?;
    remove(&removed)?;
    match fs::rename(folder, &removed) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        renamed => renamed.and_then(|()| fs::remove_dir_all(&removed)),
    }
}

/// Removes what killed processes have left half written or half removed in a folder, if there is one. Nobody else may be writing there.
///
/// # Errors
/// When the system refuses.
pub fn remove_unfinished(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_unfinished) {
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false => fs::remove_file(entry.path())?,
            }
        }
    }
    Ok(())
}

/// Checks that files can be written into a folder, or where it is to be made; leaves nothing.
///
/// # Errors
/// The error that writing a file there gives.
pub fn check_folder(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    let there = there.into_iter().find(|above| above.exists()).unwrap_or(folder);
    match there.is_dir() {
        true => Unfinished::create(there).map(drop),
        false => Err(ErrorKind::NotADirectory.into()),
    }
}

/// A hidden name in the same folder.
fn beside(folder: &Path, purpose: &str) -> io::Result<PathBuf> {
    let name = folder.file_name().ok_or_else(|| io::Error::other("the path of an output folder must end in a name"))?;
    Ok(folder.with_file_name(format!(".{}.{purpose}", name.to_string_lossy())))
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Syncs the content of a folder.
fn sync(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => sync(&entry.path())?,
            false => File::open(entry.path())?.sync_all()?,
        }
    }
    sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_replaced_whole_and_a_failure_leaves_the_old_one() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a");
        let write = |text: &str, fails: bool| {
            write_folder(
                &folder,
                |error| error,
                |at| {
                    fs::create_dir(at.join("deep"))?;
                    fs::write(at.join("deep/file"), text)?;
                    if fails { Err(io::Error::other("on purpose")) } else { Ok(()) }
                },
            )
        };
        let found = || fs::read_to_string(folder.join("deep/file")).ok();
        assert!(write("none", true).is_err() && found().is_none());
        write("one", false).unwrap();
        assert!(write("two", true).is_err());
        assert_eq!(found().as_deref(), Some("one"));
        // What a kill has left is in nobody's way.
        for left in [".a.writing", ".a.removing"] {
            fs::create_dir_all(root.path().join(left).join("deep")).unwrap();
        }
        write("three", false).unwrap();
        assert_eq!(found().as_deref(), Some("three"));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn what_a_kill_has_left_is_removed_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        for file in [".glauber-7-0.writing", "mine.writing", ".mine", "mine"] {
            fs::write(root.path().join(file), "").unwrap();
        }
        for folder in [".writing", ".a.removing", "a.removing"] {
            fs::create_dir_all(root.path().join(folder).join("deep")).unwrap();
        }
        remove_unfinished(root.path()).unwrap();
        let names = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, [".mine", "a.removing", "mine", "mine.writing"]);
    }
}
