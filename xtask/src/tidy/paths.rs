//! No file tells where its author's machine keeps things.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::files::shown;

/// Folders at the root of a file system that belong to one machine.
const MACHINE_FOLDERS: [&str; 4] = ["home", "root", "work", "Users"];

/// The files that git tracks.
///
/// # Errors
/// If git cannot be asked, as in a tree that is no checkout.
pub fn tracked_files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    // To list names is harmless, also where the checkout belongs to another user, as in a container.
    git.args(["-c", "safe.directory=*", "ls-files", "-z"]).current_dir(root);
    let output = git.output().context("cannot run git")?;
    if !output.status.success() {
        bail!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let names = String::from_utf8(output.stdout).context("git ls-files names a path that is not UTF-8")?;
    Ok(names.split_terminator('\0').map(|name| root.join(name)).collect())
}

/// Tracked text files that hold an absolute path of a machine.
///
/// # Errors
/// If a file cannot be read.
pub fn check(root: &Path, tracked: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut violations = Vec::new();
    // A tracked file may be deleted in the working tree.
    for path in tracked.iter().filter(|path| path.is_file()) {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let Ok(text) = String::from_utf8(bytes) else { continue };
        for (number, line) in text.lines().enumerate() {
            let found = machine_path(line);
            violations.extend(
                found.map(|found| format!("{}:{}: holds the absolute path {found}", shown(path, root), number + 1)),
            );
        }
    }
    Ok(violations)
}

/// The beginning of an absolute machine path in a line. A path within a URL or behind another folder is none.
fn machine_path(line: &str) -> Option<String> {
    MACHINE_FOLDERS.iter().map(|folder| format!("/{folder}/")).find(|start| {
        line.match_indices(start.as_str()).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || "_-.~}/*)".contains(c))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_are_found_anywhere_in_a_line() {
        for folder in MACHINE_FOLDERS {
            for line in [format!("/{folder}/x"), format!("read(\"/{folder}/x\")"), format!("PATH=/{folder}/x")] {
                assert_eq!(machine_path(&line), Some(format!("/{folder}/")), "{line}");
            }
        }
    }

    #[test]
    fn relative_paths_and_urls_are_fine() {
        for line in
            ["https://example.org/home/x", "../work/x", "crates/root/x", "$HOME/work/x", "/homes/x", "at home / x"]
        {
            assert_eq!(machine_path(line), None, "{line}");
        }
    }

    #[test]
    fn tracked_files_are_read_and_binary_files_are_not() {
        let tree = tempfile::tempdir().unwrap();
        let [text, binary, gone] = ["a.txt", "b.bin", "gone.txt"].map(|name| tree.path().join(name));
        let path = format!("/{}/me", MACHINE_FOLDERS[0]);
        fs::write(&text, format!("one\ntwo {path}\n")).unwrap();
        fs::write(&binary, [path.as_bytes(), &[0xff]].concat()).unwrap();
        let violations = check(tree.path(), &[text, binary, gone]).unwrap();
        assert_eq!(violations, [format!("a.txt:2: holds the absolute path /{}/", MACHINE_FOLDERS[0])]);
    }

    #[test]
    fn git_is_asked_for_the_tracked_files() {
        let tree = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            assert!(Command::new("git").args(arguments).current_dir(tree.path()).output().unwrap().status.success());
        };
        git(&["init", "--quiet"]);
        for name in ["tracked", "untracked"] {
            fs::write(tree.path().join(name), "").unwrap();
        }
        git(&["add", "tracked"]);
        assert_eq!(tracked_files(tree.path()).unwrap(), [tree.path().join("tracked")]);
        let nowhere = tempfile::tempdir().unwrap();
        assert!(tracked_files(nowhere.path()).is_err());
    }
}
