#![doc = include_str!("../README.md")]
//! What is written gets its name once it is on the disk: whoever reads it meanwhile, or after a crash or a power cut, finds the old
//! content or the new one. A writing that fails leaves nothing behind, and what was there as it was.
//!
//! Whatever is read more than once, or from its end, must be a regular file: a pipe is empty at the second reading, and a named pipe
//! waits for ever. [`open`] refuses everything else and says what it is. The crate depends on nothing.

mod folder;
mod regular;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;

pub use folder::{check_folder, publish_folder, remove_folder, remove_unfinished, write_folder};
pub use regular::{check, open, read, read_text};

/// Symbolic links that are followed from one to the next.
const LINKS: usize = 40;
/// Where names stand for what a process has open.
const OPEN_FILES: [&str; 4] = ["/dev/fd", "/dev/stdout", "/dev/stderr", "/proc"];

/// Writes a file under a temporary name in its folder, waits for the disk, and renames it over the old one, whose permissions it keeps.
///
/// A symbolic link stays one: the file that it points to is replaced. Into a device or a pipe the bytes are written as they are.
///
/// # Errors
/// When the file cannot be written; then the one of that name is as it was, and nothing else is left.
pub fn write_whole(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let Some(path) = replaceable(path)? else {
        return fs::OpenOptions::new().append(true).open(path)?.write_all(bytes.as_ref());
    };
    let mut unfinished = Unfinished::create(folder_of(&path))?;
    unfinished.file.write_all(bytes.as_ref())?;
    if let Ok(old) = fs::metadata(&path) {
        unfinished.file.set_permissions(old.permissions())?;
    }
    unfinished.file.sync_all()?;
    unfinished.rename(&path)?;
    sync_folder(folder_of(&path))
}

/// The folder that a file lies in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file that a name stands for; none where it stands for a device, a pipe, or what a process has open.
fn replaceable(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        if OPEN_FILES.iter().any(|open| path.starts_with(open)) {
            return Ok(None);
        }
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => path = folder_of(&path).join(fs::read_link(&path)?),
            Ok(found) if found.is_dir() => return Err(ErrorKind::IsADirectory.into()),
            Ok(found) => return Ok(found.is_file().then_some(path)),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(path)),
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("its symbolic links have no target"))
}

/// Whether a name is one of a file or folder that is being written or removed.
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with('.') && (name.ends_with(".writing") || name.ends_with(".removing"))
}

/// A file being written, which is removed unless it gets a name.
struct Unfinished {
    file: File,
    path: Option<PathBuf>,
}

impl Unfinished {
    fn create(folder: &Path) -> io::Result<Self> {
        let mut number = 0;
        loop {
            let path = folder.join(format!(".glauber-{}-{number}.writing", process::id()));
            match File::create_new(&path) {
                // Another thread's, or one that a process of the same number has left.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                file => return Ok(Self { file: file?, path: Some(path) }),
            }
        }
    }

    fn rename(mut self, path: &Path) -> io::Result<()> {
        self.path.take().map_or(Ok(()), |unfinished| {
            let renamed = fs::rename(&unfinished, path);
            self.path = renamed.is_err().then_some(unfinished);
            renamed
        })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Nothing more can be done if the remains cannot be removed either; the first error is the one to tell.
        self.path.as_deref().map(fs::remove_file);
    }
}

/// A rename may be undone by a power cut unless the folder is waited for. Not every system and file system can.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some systems cannot open or sync folders. A failing disk is an error.
        let cannot = [ErrorKind::PermissionDenied, ErrorKind::InvalidInput, ErrorKind::Unsupported];
        return if cannot.contains(&error.kind()) { Ok(()) } else { Err(error) };
    }
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_a_failure_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write_whole(&at("a"), "one").unwrap();
        write_whole(&at("a"), "two").unwrap();
        assert_eq!(fs::read(at("a")).unwrap(), b"two");
        fs::create_dir(at("taken")).unwrap();
        for name in ["taken", "none/a", "a/b"] {
            assert!(write_whole(&at(name), "three").is_err(), "{name}");
        }
        let long = "x".repeat(255);
        write_whole(&at(&long), "the longest name that there is").unwrap();
        assert_eq!(names(folder.path()), ["a", "taken", &long]);
        assert_eq!(fs::read(at("a")).unwrap(), b"two");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("deep")).unwrap();
        write_whole(&at("deep/a"), "one").unwrap();
        fs::set_permissions(at("deep/a"), fs::Permissions::from_mode(0o640)).unwrap();
        for (link, to) in [("near", "deep/a"), ("far", "near"), ("dangling", "deep/new"), ("loop", "loop")] {
            symlink(to, at(link)).unwrap();
        }
        for (link, file) in [("near", "deep/a"), ("far", "deep/a"), ("dangling", "deep/new")] {
            write_whole(&at(link), link).unwrap();
            assert_eq!(fs::read(at(file)).unwrap(), link.as_bytes());
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
        }
        assert_eq!(fs::metadata(at("deep/a")).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(write_whole(&at("loop"), "").is_err());
        assert_eq!(names(&at("deep")), ["a", "new"]);
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_pipes_are_written_into() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/null", folder.path().join("link")).unwrap();
        write_whole(&folder.path().join("link"), "away").unwrap();
        write_whole(Path::new("/dev/null"), "away").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        if Path::new("/dev/full").exists() {
            assert_eq!(write_whole(Path::new("/dev/full"), "x").unwrap_err().kind(), ErrorKind::StorageFull);
        }
        let (mut reader, writer) = io::pipe().unwrap();
        let pipe = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
        write_whole(Path::new(&pipe), "through a pipe").unwrap();
        drop(writer);
        let mut read = String::new();
        io::Read::read_to_string(&mut reader, &mut read).unwrap();
        assert_eq!(read, "through a pipe");
    }
}
