//! Files that are complete or not there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::PixelError;

/// Writes a file under a temporary name beside it (its name with `.writing`), then renames it once it is on the disk: whoever reads it
/// meanwhile, or after a crash, sees the old content or the new one, whole.
///
/// # Errors
/// When the file cannot be written; then the file of that name is as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), PixelError> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".writing");
    let written = write_synced(unfinished.as_ref(), bytes).and_then(|()| fs::rename(&unfinished, path));
    written.map_err(|source| {
        // Nothing more can be done if the remains cannot be removed either; the first error is the one to tell.
        let _ = fs::remove_file(&unfinished);
        PixelError::io("write", path)(source)
    })
}

/// A rename may reach the disk before what was written does, unless that is waited for.
fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        let names = || std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names(), 1);
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        let message = write_whole(&taken, b"three").unwrap_err().to_string();
        assert!(message.starts_with("cannot write") && message.contains("taken"), "{message}");
        assert_eq!(names(), 2, "the unfinished file is gone");
    }
}
