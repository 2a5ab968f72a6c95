//! What git finds in the working tree.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

/// The lines that `git grep` prints with these arguments, of text files alone.
///
/// # Errors
/// If git fails, for instance outside a checkout.
pub fn grep(root: &Path, arguments: &[&str]) -> anyhow::Result<Vec<String>> {
    let mut git = Command::new("git");
    // To read is harmless, also where the checkout belongs to another user, as in a container.
    git.args(["-c", "safe.directory=*", "grep", "-I"]).args(arguments).current_dir(root);
    let output = git.output().context("cannot run git")?;
    // It ends with 1 where nothing matches.
    if !matches!(output.status.code(), Some(0 | 1)) {
        bail!("git grep failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

#[cfg(test)]
pub mod sketch {
    //! Small checkouts for the tests of the checks.

    use std::fs;

    use super::*;

    /// A checkout of files with their texts.
    pub fn checkout(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = tree.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        for arguments in [["init", "--quiet"], ["add", "."]] {
            assert!(Command::new("git").args(arguments).current_dir(tree.path()).status().unwrap().success());
        }
        tree
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn text_files_are_read_and_no_others() {
        let files: [(&str, &[u8]); 4] =
            [("text", b"it"), ("binary", b"it\0"), ("gone", b"it"), (".gitignore", b"made")];
        let tree = sketch::checkout(&files);
        fs::remove_file(tree.path().join("gone")).unwrap();
        for name in ["untracked", "made"] {
            fs::write(tree.path().join(name), "it").unwrap();
        }
        assert_eq!(grep(tree.path(), &["it"]).unwrap(), ["text:it"]);
        assert_eq!(grep(tree.path(), &["--untracked", "it"]).unwrap(), ["text:it", "untracked:it"]);
        assert_eq!(grep(tree.path(), &["nothing"]).unwrap(), Vec::<String>::new());
        assert!(grep(tempfile::tempdir().unwrap().path(), &["it"]).is_err());
    }
}
