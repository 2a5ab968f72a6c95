//! Files have telling names and a length one can read.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use walkdir::WalkDir;

/// Where our sources are, from the root.
const SOURCE_FOLDERS: [&str; 3] = ["crates", "xtask", "benches"];
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["utils", "util", "common", "helper", "helpers", "manager", "managers", "misc"];
/// Lines of a source file at most.
const LONGEST_SOURCE: usize = 400;
/// Documents with a limit of their own, from the root; checked if they exist.
const DOCUMENTS: [(&str, usize); 1] = [("docs/ARCHITECTURE.md", 150)];

/// The Rust sources of the workspace, sorted.
///
/// # Errors
/// If a folder cannot be searched.
pub fn rust_sources(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for folder in SOURCE_FOLDERS.map(|folder| root.join(folder)) {
        let entries = WalkDir::new(&folder).sort_by_file_name().into_iter();
        for entry in entries.filter_entry(|e| e.file_name() != "target") {
            let entry = entry.with_context(|| format!("cannot search {}", folder.display()))?;
            if entry.file_type().is_file() && entry.path().extension().is_some_and(|e| e == "rs") {
                sources.push(entry.into_path());
            }
        }
    }
    Ok(sources)
}

/// Sources whose file or folder has an empty name.
pub fn check_names(root: &Path, sources: &[PathBuf]) -> Vec<String> {
    let mut violations = Vec::new();
    for path in sources {
        let inner = path.strip_prefix(root).unwrap_or(path).with_extension("");
        let empty = inner.iter().find(|part| EMPTY_NAMES.contains(&part.to_string_lossy().as_ref()));
        violations.extend(empty.map(|name| {
            format!("{}: `{}` says nothing; name it after what it does", shown(path, root), name.display())
        }));
    }
    violations
}

/// Sources and documents that are too long.
///
/// # Errors
/// If a file cannot be read.
pub fn check_lengths(root: &Path, sources: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let documents = DOCUMENTS.iter().map(|(path, longest)| (root.join(path), *longest)).filter(|(p, _)| p.is_file());
    let limits = sources.iter().map(|path| (path.clone(), LONGEST_SOURCE)).chain(documents);
    let mut violations = Vec::new();
    for (path, longest) in limits {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let lines = text.lines().count();
        if lines > longest {
            violations.push(format!("{} has {lines} lines; at most {longest}", shown(&path, root)));
        }
    }
    Ok(violations)
}

/// A path from the root, for messages.
pub fn shown(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for folder in SOURCE_FOLDERS {
            fs::create_dir_all(tree.path().join(folder).join("src")).unwrap();
        }
        tree
    }

    #[test]
    fn sources_are_found_and_build_output_is_not() {
        let tree = tree();
        fs::create_dir_all(tree.path().join("benches/target")).unwrap();
        fs::write(tree.path().join("benches/target/made.rs"), "").unwrap();
        fs::write(tree.path().join("crates/src/lib.rs"), "").unwrap();
        fs::write(tree.path().join("crates/src/lib.md"), "").unwrap();
        assert_eq!(rust_sources(tree.path()).unwrap(), [tree.path().join("crates/src/lib.rs")]);
    }

    #[test]
    fn empty_names_of_files_and_folders_are_found() {
        let root = Path::new("root");
        let sources: Vec<PathBuf> =
            ["crates/a/src/utils.rs", "crates/a/tests/common/mod.rs", "crates/a/src/commonality.rs"]
                .iter()
                .map(|path| root.join(path))
                .collect();
        let violations = check_names(root, &sources);
        assert_eq!(violations.len(), 2, "{violations:?}");
        assert!(violations[0].contains("`utils`") && violations[1].contains("`common`"));
    }

    #[test]
    fn long_files_are_found_and_files_at_the_limit_are_not() {
        let tree = tree();
        let path = tree.path().join("crates/src/lib.rs");
        fs::write(&path, "//\n".repeat(LONGEST_SOURCE)).unwrap();
        assert_eq!(check_lengths(tree.path(), std::slice::from_ref(&path)).unwrap(), Vec::<String>::new());
        fs::write(&path, "//\n".repeat(LONGEST_SOURCE + 1)).unwrap();
        fs::create_dir(tree.path().join("docs")).unwrap();
        fs::write(tree.path().join("docs/ARCHITECTURE.md"), "x\n".repeat(151)).unwrap();
        assert_eq!(
            check_lengths(tree.path(), &[path]).unwrap(),
            ["crates/src/lib.rs has 401 lines; at most 400", "docs/ARCHITECTURE.md has 151 lines; at most 150"]
        );
    }
}
