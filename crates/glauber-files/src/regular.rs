//! Regular files alone.

use std::fs::{File, FileType};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Checks a path's file type, without opening it.
///
/// # Errors
/// If there is no regular file. The message states what was found and the fix, without the path, which callers add.
pub fn check(path: impl AsRef<Path>) -> Result<()> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let reason = match name(kind) {
        "a folder" => "it is a folder, expected a file".to_owned(),
        found => format!("it is {found}, expected a regular file: write its content to a file and name that"),
    };
    Err(Error::new(ErrorKind::InvalidInput, reason))
}

/// Opens a regular file.
///
/// # Errors
/// Those of [`check`] and of [`File::open`].
pub fn open(path: impl AsRef<Path>) -> Result<File> {
    check(&path)?;
    File::open(path)
}

/// The bytes of a regular file.
///
/// # Errors
/// Those of [`open`] and of reading.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a regular file, in UTF-8. A byte-order mark at its head is no part of the text.
///
/// # Errors
/// Those of [`read`]; [`ErrorKind::InvalidData`] where the bytes are not UTF-8.
pub fn read_text(path: impl AsRef<Path>) -> Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    Ok(match text.strip_prefix('\u{FEFF}') {
        Some(unmarked) => unmarked.to_owned(),
        None => text,
    })
}

fn name(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    if kind.is_dir() { "a folder" } else { "no file" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_no_part_of_a_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for (bytes, text) in [("\u{FEFF}{}", "{}"), ("{}\u{FEFF}", "{}\u{FEFF}"), ("\u{FEFF}", ""), ("", "")] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(read_text(&path).unwrap(), text);
            assert_eq!(read(&path).unwrap(), bytes.as_bytes());
        }
        std::fs::write(&path, b"\xE9").unwrap();
        assert_eq!(read_text(&path).unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn what_is_no_regular_file_is_named_and_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: &Path| open(path).unwrap_err().to_string();
        assert!(refused(folder.path()).contains("a folder"));
        assert_eq!(open(folder.path().join("absent")).unwrap_err().kind(), ErrorKind::NotFound);
        #[cfg(unix)]
        {
            let [socket, pipe, link] = ["socket", "pipe", "link"].map(|name| folder.path().join(name));
            let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            std::os::unix::fs::symlink(&pipe, &link).unwrap();
            // Opening a pipe without a writer would wait for ever.
            for (path, kind) in [(&*socket, "a socket"), (&pipe, "a pipe"), (&link, "a pipe")] {
                assert!(refused(path).contains(kind), "{kind}");
            }
            assert!(refused("/dev/null".as_ref()).contains("a device"));
        }
    }
}
