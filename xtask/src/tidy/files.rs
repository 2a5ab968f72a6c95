//! Checks of files: descriptive names, limited length, and no paths of the author's machine.

use std::path::Path;

use super::git::grep;

/// Names that do not describe the content.
const EMPTY_NAMES: [&str; 8] = ["utils", "util", "common", "helper", "helpers", "manager", "managers", "misc"];
/// Lines of a source file at most.
const LONGEST_SOURCE: usize = 400;
/// Documents with a limit of their own, from the root; checked if they exist.
const DOCUMENTS: [(&str, usize); 1] = [("docs/ARCHITECTURE.md", 150)];
/// Absolute paths in folders that belong to one machine. A path within a URL or behind another folder is none.
const MACHINE_PATH: &str = "(^|[^[:alnum:]_.~}/*)-])/(home|root|work|Users)/";

/// Rust sources and [`DOCUMENTS`] with their numbers of lines.
///
/// # Errors
/// If git fails.
pub fn lengths(root: &Path) -> anyhow::Result<Vec<(String, usize)>> {
    let mut arguments = vec!["--untracked", "--count", "-e", "", "--", "*.rs"];
    arguments.extend(DOCUMENTS.map(|(document, _)| document));
    let counted =
        |line: &String| line.rsplit_once(':').and_then(|(path, lines)| Some((path.into(), lines.parse().ok()?)));
    Ok(grep(root, &arguments)?.iter().filter_map(counted).collect())
}

/// Files that have an empty name, or lie in a folder that has one.
pub fn check_names(files: &[(String, usize)]) -> Vec<String> {
    let mut violations = Vec::new();
    for (path, _) in files {
        let inner = Path::new(path).with_extension("");
        let empty = inner.iter().find(|part| EMPTY_NAMES.contains(&part.to_string_lossy().as_ref()));
        violations
            .extend(empty.map(|name| format!("{path}: `{}` says nothing; name it after what it does", name.display())));
    }
    violations
}

/// Sources and documents that are too long.
pub fn check_lengths(files: &[(String, usize)]) -> Vec<String> {
    let most =
        |path: &str| DOCUMENTS.iter().find(|(document, _)| *document == path).map_or(LONGEST_SOURCE, |(_, most)| *most);
    let long = files.iter().filter(|(path, lines)| *lines > most(path));
    long.map(|(path, lines)| format!("{path} has {lines} lines; at most {}", most(path))).collect()
}

/// Lines of tracked text files that hold an absolute path of a machine.
///
/// # Errors
/// If git fails.
pub fn check_paths(root: &Path) -> anyhow::Result<Vec<String>> {
    let found = grep(root, &["--line-number", "-E", "-e", MACHINE_PATH])?;
    Ok(found.into_iter().map(|line| format!("an absolute path of a machine: {line}")).collect())
}

#[cfg(test)]
mod tests {
    use super::super::git::sketch::checkout;
    use super::*;

    #[test]
    fn sources_are_found_and_other_files_are_not() {
        let tree = checkout(&[
            ("crates/src/lib.rs", b"a\nb\n"),
            ("crates/src/lib.md", b"a\n"),
            ("docs/ARCHITECTURE.md", b"a"),
        ]);
        let expected = [("crates/src/lib.rs".to_owned(), 2), ("docs/ARCHITECTURE.md".to_owned(), 1)];
        assert_eq!(lengths(tree.path()).unwrap(), expected);
    }

    #[test]
    fn empty_names_of_files_and_folders_are_found() {
        let sources = ["crates/a/src/utils.rs", "crates/a/tests/common/mod.rs", "crates/a/src/commonality.rs"];
        let violations = check_names(&sources.map(|path| (path.to_owned(), 1)));
        assert_eq!(violations.len(), 2, "{violations:?}");
        assert!(violations[0].contains("`utils`") && violations[1].contains("`common`"));
    }

    #[test]
    fn long_files_are_found_and_files_at_the_limit_are_not() {
        let files = |more: usize| {
            [("crates/src/lib.rs".to_owned(), LONGEST_SOURCE + more), ("docs/ARCHITECTURE.md".to_owned(), 150 + more)]
        };
        assert_eq!(check_lengths(&files(0)), Vec::<String>::new());
        assert_eq!(
            check_lengths(&files(1)),
            ["crates/src/lib.rs has 401 lines; at most 400", "docs/ARCHITECTURE.md has 151 lines; at most 150"]
        );
    }

    #[test]
    fn absolute_paths_are_found_anywhere_in_a_line() {
        let lines: Vec<String> = ["home", "root", "work", "Users"]
            .iter()
            .flat_map(|folder| [format!("/{folder}/x"), format!("read(\"/{folder}/x\")"), format!("PATH=/{folder}/x")])
            .collect();
        let tree = checkout(&[("deep/a.txt", lines.join("\n").as_bytes())]);
        let place = |(number, line)| format!("an absolute path of a machine: deep/a.txt:{number}:{line}");
        assert_eq!(check_paths(tree.path()).unwrap(), (1..).zip(&lines).map(place).collect::<Vec<_>>());
    }

    #[test]
    fn relative_paths_and_urls_are_fine() {
        let lines = b"https://example.org/home/x\n../work/x\ncrates/root/x\n$HOME/work/x\n/homes/x\nat home / x\n";
        assert_eq!(check_paths(checkout(&[("a.txt", lines)]).path()).unwrap(), Vec::<String>::new());
    }
}
