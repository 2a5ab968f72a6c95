//! What a package includes lies within it: cargo packs nothing else.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;
use cargo_metadata::Metadata;

use super::git::grep;

/// What makes another file a part of a source, up to the name.
const INCLUSIONS: [&str; 4] = ["include_str!(", "include_bytes!(", "include!(", "#[path ="];
/// The folder of the package, in front of a name.
const PACKAGE: &str = "concat!(env!(\"CARGO_MANIFEST_DIR\"),";

/// Inclusions in packages that are published of files outside.
///
/// # Errors
/// If git fails, or a source cannot be read.
pub fn check(root: &Path, graph: &Metadata) -> anyhow::Result<Vec<String>> {
    let named: Vec<&str> = INCLUSIONS.iter().flat_map(|inclusion| ["-e", inclusion]).collect();
    let arguments = [&["--untracked", "--files-with-matches", "-F"], &named[..], &["--", "*.rs"]].concat();
    let sources = grep(root, &arguments)?;
    let mut violations = Vec::new();
    for package in graph.workspace_packages().into_iter().filter(|package| package.publish != Some(Vec::new())) {
        let folder = package.manifest_path.as_std_path().with_file_name("");
        for (place, path) in
            sources.iter().map(|place| (place, root.join(place))).filter(|(_, p)| p.starts_with(&folder))
        {
            let source = fs::read_to_string(&path).with_context(|| format!("cannot read {place}"))?;
            violations.extend(outside(&folder, &path, &source).into_iter().map(|(line, name)| {
                format!("{place}:{line}: {name} lies outside {}, which is published without it", package.name)
            }));
        }
    }
    Ok(violations)
}

/// Line and name of files that a source includes from outside its package.
fn outside(package: &Path, path: &Path, source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, inclusion) in INCLUSIONS.iter().flat_map(|inclusion| source.match_indices(inclusion)) {
        let line = source[..at].rsplit('\n').next().unwrap_or_default();
        let name = included(package, path, &source[at + inclusion.len()..]);
        if let Some((file, name)) = name
            && !line.trim_start().starts_with("//")
            && !file.starts_with(package)
        {
            found.push((source[..at].matches('\n').count() + 1, name));
        }
    }
    found
}

/// The file that an inclusion names, behind its beginning; `None` where that is no name, or one known to the compiler alone.
fn included(package: &Path, path: &Path, rest: &str) -> Option<(PathBuf, String)> {
    let rest = rest.trim_start();
    let (folder, rest) = match rest.strip_prefix(PACKAGE) {
        Some(rest) => (package, rest.trim_start()),
        None => (path.parent()?, rest),
    };
    let name = rest.strip_prefix('"')?.split('"').next()?;
    // Behind the folder of the package a name begins with a slash.
    let mut file = PathBuf::new();
    for part in folder.join(name.trim_start_matches('/')).components() {
        match part {
            Component::ParentDir => drop(file.pop()),
            part => file.push(part),
        }
    }
    Some((file, name.into()))
}

#[cfg(test)]
mod tests {
    use super::super::git::sketch::checkout;
    use super::super::graph::sketch::{graph, package_mut};
    use super::*;

    fn found(source: &str) -> Vec<(usize, String)> {
        outside(Path::new("/r/crates/a"), Path::new("/r/crates/a/src/deep/lib.rs"), source)
    }

    #[test]
    fn what_leaves_the_package_is_found_however_it_is_included() {
        for source in [
            "const A: &str = include_str!(\"../../../b/x\");",
            "const A: &[u8] = include_bytes!(\n    \"../../../b/x\"\n);",
            "#[path = \"../../../b/x\"]",
            "include!(\"../../../b/x\");",
            "#[doc = include_str!(\"../../../b/x\")]",
        ] {
            assert_eq!(found(source), [(1, "../../../b/x".to_owned())], "{source}");
        }
        let package = "fn f() {}\nlet a = include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../b/x\"));";
        assert_eq!(found(package), [(2, "/../b/x".to_owned())]);
    }

    #[test]
    fn what_stays_within_passes() {
        for source in [
            "include_str!(\"../../configs/x\")",
            "include_str!(\"x\")",
            "// include_str!(\"../../../x\")",
            "include!(concat!(env!(\"OUT_DIR\"), \"/x\"))",
            "include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/src/../x\"))",
        ] {
            assert_eq!(found(source), [], "{source}");
        }
    }

    #[test]
    fn packages_that_are_not_published_may_reach_out() {
        let tree = checkout(&[("a/src/lib.rs", b"const A: &str = include_str!(\"../../x\");")]);
        let mut graph = graph(&["glauber-a"]);
        package_mut(&mut graph, "glauber-a").manifest_path = tree.path().join("a/Cargo.toml").try_into().unwrap();
        let check = |graph: &Metadata| check(tree.path(), graph).unwrap();
        assert_eq!(check(&graph), Vec::<String>::new());
        package_mut(&mut graph, "glauber-a").publish = None;
        assert_eq!(check(&graph), ["a/src/lib.rs:1: ../../x lies outside glauber-a, which is published without it"]);
    }
}
