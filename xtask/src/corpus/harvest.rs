//! The documents of packages on disk.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use walkdir::WalkDir;

use super::{doc_comments, prose};

/// A package gives at most this many bytes of text. Bindings generated for a whole operating system or browser would otherwise
/// be most of the corpus.
const PACKAGE_CAP: usize = 256 << 10;
/// A shorter paragraph, such as a heading, may repeat.
const SHORTEST_TELLING: usize = 40;
/// Beginnings of file names (in lower case) that hold no prose about the package.
const NOT_PROSE: [&str; 8] =
    ["changelog", "changes", "history", "releases", "license", "licence", "copying", "code_of_conduct"];

/// A package whose sources lie in a folder.
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The folder of its manifest.
    pub folder: PathBuf,
}

/// A document of the corpus.
pub struct Document {
    /// Its prose.
    pub text: String,
    /// Package name, version and path within the package.
    pub source: String,
}

/// Deduplicates paragraphs: each is kept once, from the first package that has it. Packages occur in several versions
/// and quote each other, and a repeated paragraph would be in both training and validation.
#[derive(Default)]
pub struct Harvest {
    seen: HashSet<blake3::Hash>,
}

impl Harvest {
    /// The documents of a package in the order of their paths, up to the cap.
    ///
    /// # Errors
    /// If its folder cannot be searched or a file cannot be read.
    pub fn documents_of(&mut self, package: &Package) -> anyhow::Result<Vec<Document>> {
        let mut documents = Vec::new();
        let mut bytes = 0;
        for path in text_files(&package.folder)? {
            let Some(text) = prose_of_file(&path)?.and_then(|text| self.unseen(&text)) else { continue };
            if bytes + text.len() > PACKAGE_CAP {
                continue;
            }
            bytes += text.len();
            let source = format!("{} {} {}", package.name, package.version, relative(&path, &package.folder));
            documents.push(Document { text, source });
        }
        Ok(documents)
    }

    /// The paragraphs of a text that were not there before, if they are enough for a document.
    fn unseen(&mut self, text: &str) -> Option<String> {
        let paragraphs = text.split("\n\n");
        let kept: Vec<&str> =
            paragraphs.filter(|p| p.len() < SHORTEST_TELLING || self.seen.insert(blake3::hash(p.as_bytes()))).collect();
        let text = kept.join("\n\n");
        (text.len() >= prose::SHORTEST).then_some(text)
    }
}

/// The Markdown and Rust files under a folder, sorted by path.
fn text_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.with_context(|| format!("cannot search {}", folder.display()))?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        let is_text = name.ends_with(".md") || name.ends_with(".rs");
        if entry.file_type().is_file() && is_text && !NOT_PROSE.iter().any(|start| name.starts_with(start)) {
            paths.push(entry.into_path());
        }
    }
    Ok(paths)
}

/// The prose of a file, if it has enough. A file that is not UTF-8 has none.
fn prose_of_file(path: &Path) -> anyhow::Result<Option<String>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let Ok(content) = String::from_utf8(bytes) else { return Ok(None) };
    let is_rust = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("rs"));
    Ok(if is_rust { prose::of_markdown(&doc_comments::extract(&content)) } else { prose::of_markdown(&content) })
}

/// The path within the package, with `/` on every system.
fn relative(path: &Path, folder: &Path) -> String {
    let inner = path.strip_prefix(folder).unwrap_or(path);
    inner.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn package(folder: &Path) -> Package {
        Package { name: "it".into(), version: "0.1.0".into(), folder: folder.to_owned() }
    }

    fn prose(about: &str) -> String {
        format!("A sentence about {about} and nothing else at all. ").repeat(6)
    }

    #[test]
    fn a_paragraph_is_kept_once_and_a_heading_as_often_as_it_comes() {
        let mut harvest = Harvest::default();
        let (one, two, three) = (prose("one"), prose("two"), prose("three"));
        let unseen = harvest.unseen(&format!("# Use\n\n{one}\n\n{two}")).unwrap();
        assert_eq!(unseen, format!("# Use\n\n{one}\n\n{two}"));
        assert_eq!(harvest.unseen(&format!("# Use\n\n{one}\n\n{three}")).unwrap(), format!("# Use\n\n{three}"));
        assert_eq!(harvest.unseen(&format!("# Use\n\n{two}")), None, "a heading is no document");
    }

    #[test]
    fn documents_are_sorted_and_duplicates_and_licences_go() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("src")).unwrap();
        fs::write(tree.path().join("src/lib.rs"), format!("//! {}\nfn f() {{}}\n", prose("code"))).unwrap();
        fs::write(tree.path().join("README.md"), prose("reading")).unwrap();
        fs::write(tree.path().join("copy.md"), prose("reading")).unwrap();
        fs::write(tree.path().join("LICENSE-MIT.md"), prose("licences")).unwrap();
        fs::write(tree.path().join("CHANGELOG.md"), prose("changes")).unwrap();
        fs::write(tree.path().join("bytes.md"), [0xff; 400]).unwrap();
        let mut harvest = Harvest::default();
        let documents = harvest.documents_of(&package(tree.path())).unwrap();
        let sources: Vec<&str> = documents.iter().map(|d| d.source.as_str()).collect();
        assert_eq!(sources, ["it 0.1.0 README.md", "it 0.1.0 src/lib.rs"]);
        assert_eq!(documents[1].text, prose("code").trim_end());
        assert!(harvest.documents_of(&package(tree.path())).unwrap().is_empty(), "all seen before");
    }

    #[test]
    fn a_package_stops_at_its_cap() {
        let tree = tempfile::tempdir().unwrap();
        for i in 0..4 {
            let text = prose("volume").repeat(PACKAGE_CAP / prose("volume").len() / 3);
            fs::write(tree.path().join(format!("{i}.md")), format!("Part {}. {text}", ["a", "b", "c", "d"][i]))
                .unwrap();
        }
        let documents = Harvest::default().documents_of(&package(tree.path())).unwrap();
        assert!(documents.iter().map(|d| d.text.len()).sum::<usize>() <= PACKAGE_CAP);
        assert!((2..4).contains(&documents.len()));
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        assert!(Harvest::default().documents_of(&package(Path::new("no/such/folder"))).is_err());
    }
}
