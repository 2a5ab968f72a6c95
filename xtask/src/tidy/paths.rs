//! No file tells where its author's machine keeps things.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

/// Absolute paths in folders that belong to one machine. A path within a URL or behind another folder is none.
const MACHINE_PATH: &str = "(^|[^[:alnum:]_.~}/*)-])/(home|root|work|Users)/";

/// Lines of tracked text files that hold an absolute path of a machine.
///
/// # Errors
/// If git cannot be asked.
pub fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let found = tracked_lines(root, MACHINE_PATH, ".")?;
    Ok(found.into_iter().map(|line| format!("an absolute path of a machine: {line}")).collect())
}

/// The lines of tracked text files that match an extended regular expression, as `file:line:text`. The files are those that a pattern
/// of git's names, such as `crates/*/src/*.rs`.
///
/// # Errors
/// If git cannot be asked, as in a tree that is no checkout.
pub fn tracked_lines(root: &Path, expression: &str, files: &str) -> anyhow::Result<Vec<String>> {
    let mut git = Command::new("git");
    // To read is harmless, also where the checkout belongs to another user, as in a container.
    git.args(["-c", "safe.directory=*", "grep", "--line-number", "-I", "-E", "-e", expression, "--", files]);
    let output = git.current_dir(root).output().context("cannot run git")?;
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
    fn absolute_paths_are_found_anywhere_in_a_line() {
        let lines: Vec<String> = ["home", "root", "work", "Users"]
            .iter()
            .flat_map(|folder| [format!("/{folder}/x"), format!("read(\"/{folder}/x\")"), format!("PATH=/{folder}/x")])
            .collect();
        let tree = sketch::checkout(&[("deep/a.txt", lines.join("\n").as_bytes())]);
        let expected =
            lines.iter().zip(1..).map(|(line, n)| format!("an absolute path of a machine: deep/a.txt:{n}:{line}"));
        assert_eq!(check(tree.path()).unwrap(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn relative_paths_and_urls_are_fine() {
        let lines = "https://example.org/home/x\n../work/x\ncrates/root/x\n$HOME/work/x\n/homes/x\nat home / x\n";
        assert_eq!(check(sketch::checkout(&[("a.txt", lines.as_bytes())]).path()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn tracked_text_files_are_read_and_no_others() {
        let path = format!("/{}/me", "home");
        let binary = [path.as_bytes(), &[0]].concat();
        let tree = sketch::checkout(&[("text", path.as_bytes()), ("binary", &binary), ("gone", path.as_bytes())]);
        fs::remove_file(tree.path().join("gone")).unwrap();
        fs::write(tree.path().join("untracked"), &path).unwrap();
        assert_eq!(check(tree.path()).unwrap(), [format!("an absolute path of a machine: text:1:{path}")]);
        assert!(check(tempfile::tempdir().unwrap().path()).is_err());
    }
}
