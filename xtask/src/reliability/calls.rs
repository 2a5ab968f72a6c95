//! Recordings of `strace -f -y -xx`: the calls that change files below a folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The calls that are recorded.
pub const TRACED: &str = "openat,close,dup,dup2,dup3,fcntl,lseek,write,pwrite64,writev,pwritev,ftruncate,truncate,fallocate,\
                          copy_file_range,sendfile,fsync,fdatasync,sync_file_range,msync,rename,renameat,renameat2,mkdir,mkdirat,\
                          unlink,unlinkat,rmdir,link,linkat,symlink,symlinkat";

/// A call that changed files, or waited for the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// A file was opened, and made or emptied where it says so.
    Open { descriptor: u64, path: PathBuf, create: bool, truncate: bool, append: bool },
    /// A descriptor was closed.
    Close { descriptor: u64 },
    /// Where the next bytes go.
    Seek { descriptor: u64, offset: u64 },
    /// Bytes were written, at an offset or where the descriptor stands.
    Write { descriptor: u64, bytes: Vec<u8>, offset: Option<u64> },
    /// A file got another length.
    Truncate { descriptor: u64, length: u64 },
    /// The process waited until the disk had a file or folder.
    Sync { descriptor: u64 },
    /// A file or folder got another name.
    Rename { from: PathBuf, to: PathBuf },
    /// A folder was made.
    MakeFolder(PathBuf),
    /// A file or an empty folder was removed.
    Remove(PathBuf),
}

impl Call {
    /// Whether the disk may hold something else after it.
    pub fn changes(&self) -> bool {
        match self {
            Self::Open { create, truncate, .. } => *create || *truncate,
            Self::Close { .. } | Self::Seek { .. } => false,
            _ => true,
        }
    }
}

/// Reads a recording. `folder` is where the process ran.
///
/// # Errors
/// When a call changes files in a way that is not known here.
pub fn read(recording: &str, folder: &Path) -> anyhow::Result<Vec<Call>> {
    let mut begun: HashMap<&str, String> = HashMap::new();
    let mut calls = Vec::new();
    for line in recording.lines() {
        let (process, text) = line.trim_start().split_once(' ').unwrap_or_default();
        let text = text.trim_start();
        let whole = if let Some(start) = text.strip_suffix("<unfinished ...>") {
            begun.insert(process, start.trim_end().to_owned());
            continue;
        } else if let Some((_, rest)) = text.strip_prefix("<... ").and_then(|text| text.split_once(" resumed>")) {
            begun.remove(process).unwrap_or_default() + rest
        } else {
            text.to_owned()
        };
        // Signals and ends of processes have no arguments.
        let Some((name, rest)) = whole.split_once('(') else { continue };
        let Some((arguments, result)) = rest.rsplit_once(") ").or_else(|| rest.rsplit_once(')')) else { continue };
        let result = result.trim_start().trim_start_matches('=').trim_start();
        if result.starts_with('-') || result.starts_with('?') {
            continue;
        }
        let parsed = Line { name, arguments: split(arguments), result, folder };
        calls.extend(parsed.call().with_context(|| format!("`{name}` in the recording"))?);
    }
    Ok(calls)
}

/// A call as it was printed.
struct Line<'a> {
    name: &'a str,
    arguments: Vec<&'a str>,
    result: &'a str,
    folder: &'a Path,
}

impl Line<'_> {
    fn call(&self) -> anyhow::Result<Option<Call>> {
        let has = |flag: &str| self.arguments.iter().any(|argument| argument.split('|').any(|word| word == flag));
        Ok(Some(match self.name {
            "openat" => Call::Open {
                descriptor: number(self.result)?,
                path: self.path(0)?,
                create: has("O_CREAT"),
                truncate: has("O_TRUNC"),
                append: has("O_APPEND"),
            },
            "close" => Call::Close { descriptor: self.number(0)? },
            "lseek" => Call::Seek { descriptor: self.number(0)?, offset: number(self.result)? },
            "write" | "pwrite64" => {
                let mut bytes = text(self.argument(1)?)?;
                bytes.truncate(number(self.result)? as usize);
                let offset = if self.name == "pwrite64" { Some(self.number(3)?) } else { None };
                Call::Write { descriptor: self.number(0)?, bytes, offset }
            }
            "ftruncate" => Call::Truncate { descriptor: self.number(0)?, length: self.number(1)? },
            "fsync" | "fdatasync" => Call::Sync { descriptor: self.number(0)? },
            "rename" => Call::Rename { from: self.joined(0)?, to: self.joined(1)? },
            "renameat" => Call::Rename { from: self.path(0)?, to: self.path(2)? },
            "renameat2" if self.argument(4)? == "0" => Call::Rename { from: self.path(0)?, to: self.path(2)? },
            "mkdir" => Call::MakeFolder(self.joined(0)?),
            "mkdirat" => Call::MakeFolder(self.path(0)?),
            "unlink" | "rmdir" => Call::Remove(self.joined(0)?),
            "unlinkat" => Call::Remove(self.path(0)?),
            "fcntl" if !self.argument(1)?.starts_with("F_DUPFD") => return Ok(None),
            other => bail!("`{other}` is a call that is not replayed"),
        }))
    }

    fn argument(&self, at: usize) -> anyhow::Result<&str> {
        self.arguments.get(at).copied().with_context(|| format!("argument {at} is missing"))
    }

    fn number(&self, at: usize) -> anyhow::Result<u64> {
        number(self.argument(at)?)
    }

    /// A path that is relative to the folder of the process.
    fn joined(&self, at: usize) -> anyhow::Result<PathBuf> {
        let bytes = text(self.argument(at)?)?;
        Ok(self.folder.join(String::from_utf8(bytes)?))
    }

    /// A path that is relative to a descriptor, the argument before it.
    fn path(&self, at: usize) -> anyhow::Result<PathBuf> {
        let descriptor = self.argument(at)?;
        let (_, base) = descriptor.split_once('<').context("a descriptor has no path")?;
        let base = String::from_utf8(unescaped(base.trim_end_matches('>'))?)?;
        let name = text(self.argument(at + 1)?)?;
        Ok(Path::new(&base).join(String::from_utf8(name)?))
    }
}

/// The arguments of a call. No text has a comma or a bracket: all bytes are escaped.
fn split(arguments: &str) -> Vec<&str> {
    arguments.split(", ").map(str::trim).collect()
}

/// The number that an argument begins with, as in `5<path>` or `0 (flags …)`.
fn number(argument: &str) -> anyhow::Result<u64> {
    let end = argument.find(|c: char| !c.is_ascii_digit()).unwrap_or(argument.len());
    argument[..end].parse().with_context(|| format!("`{argument}` is no number"))
}

/// The bytes of `"\x41\x42"`.
fn text(argument: &str) -> anyhow::Result<Vec<u8>> {
    let quoted = argument.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    unescaped(quoted.with_context(|| format!("`{argument}` is cut or no text"))?)
}

fn unescaped(escaped: &str) -> anyhow::Result<Vec<u8>> {
    let pairs = escaped.split("\\x").skip(1);
    pairs.map(|pair| u8::from_str_radix(pair, 16).with_context(|| format!("`{pair}` is no byte"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_also_where_threads_interrupt_them() {
        let recording = concat!(
            "7 openat(AT_FDCWD<\\x2f\\x72>, \"\\x61\", O_WRONLY|O_CREAT|O_CLOEXEC, 0666) = 3<\\x2f\\x72\\x2f\\x61>\n",
            "7 write(3<\\x2f\\x72\\x2f\\x61>, \"\\x2c\\x20\\x29\", 3 <unfinished ...>\n",
            "8 mkdir(\"\\x62\", 0777)                = 0\n",
            "7 <... write resumed>)                  = 2\n",
            "7 fsync(3<\\x2f\\x72\\x2f\\x61>)        = 0\n",
            "7 rename(\"\\x61\", \"\\x2f\\x72\\x2f\\x63\") = 0\n",
            "7 unlink(\"\\x7a\")                     = -1 ENOENT (No such file or directory)\n",
            "7 +++ exited with 0 +++\n",
        );
        let open = Call::Open { descriptor: 3, path: "/r/a".into(), create: true, truncate: false, append: false };
        let write = Call::Write { descriptor: 3, bytes: b", ".into(), offset: None };
        let rename = Call::Rename { from: "/r/a".into(), to: "/r/c".into() };
        let expected = [open, Call::MakeFolder("/r/b".into()), write, Call::Sync { descriptor: 3 }, rename];
        assert_eq!(read(recording, Path::new("/r")).unwrap(), expected);
        let unknown = read("7 link(\"\\x61\", \"\\x62\") = 0\n", Path::new("/r")).unwrap_err();
        assert!(format!("{unknown:#}").contains("not replayed"), "{unknown:#}");
    }
}
