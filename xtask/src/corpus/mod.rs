//! The default corpus: the prose that came along with the dependencies.
//!
//! Training on text needs text, and a fresh clone has some: the README files and doc comments of every package in `Cargo.lock`,
//! which cargo has to fetch anyway. The corpus is a function of `Cargo.lock` and [`FORMAT`] alone (packages of all platforms and
//! features, everything sorted), so that two machines train on the same bytes.

mod doc_comments;
mod harvest;
mod prose;

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use cargo_metadata::Metadata;
use tempfile::NamedTempFile;

use crate::screen::remark;
use crate::workspace::{self, Depth};
use harvest::{Harvest, Package};

/// Version of the corpus rules, part of the file name. Increase it with every change here.
const FORMAT: u32 = 1;

/// Makes the corpus, or finds the one of an earlier run: a `.jsonl` file of objects with the fields `text` and `source`.
///
/// # Errors
/// If cargo cannot provide the packages, or a file cannot be read or written.
pub fn crate_docs() -> anyhow::Result<PathBuf> {
    let members = workspace::metadata(Depth::Members)?;
    let lock_path = members.workspace_root.join("Cargo.lock");
    let lock = fs::read(&lock_path).with_context(|| format!("cannot read {lock_path}"))?;
    let folder = members.target_directory.join("glauber").into_std_path_buf();
    let path = folder.join(file_name(&lock));
    if !path.is_file() {
        let packages = registry_packages(&workspace::metadata(Depth::Everything)?);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        write(&path, &folder, &packages).with_context(|| format!("cannot make the corpus {}", path.display()))?;
    }
    let (documents, bytes) = measure(&path).with_context(|| format!("cannot read {}", path.display()))?;
    remark(&format!("corpus: {documents} documents, {:.1} MB, {}", bytes as f64 / 1e6, path.display()));
    Ok(path)
}

/// The name of the corpus that belongs to this content of `Cargo.lock`.
fn file_name(lock: &[u8]) -> String {
    let digest = blake3::hash(lock).to_hex();
    format!("crate-docs-v{FORMAT}-{}.jsonl", &digest[..16])
}

/// The packages from a registry, by name and then version.
fn registry_packages(metadata: &Metadata) -> Vec<Package> {
    let from_registry = |p: &&cargo_metadata::Package| {
        p.source.as_ref().is_some_and(|s| s.repr.starts_with("registry+") || s.repr.starts_with("sparse+"))
    };
    let mut packages: Vec<_> = metadata.packages.iter().filter(from_registry).collect();
    packages.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()).then_with(|| a.version.cmp(&b.version)));
    let folder = |p: &cargo_metadata::Package| p.manifest_path.parent().map(|f| f.as_std_path().to_owned());
    packages
        .into_iter()
        .filter_map(|p| Some(Package { name: p.name.to_string(), version: p.version.to_string(), folder: folder(p)? }))
        .collect()
}

/// Writes the corpus under a temporary name and renames it when it is whole.
fn write(path: &Path, folder: &Path, packages: &[Package]) -> anyhow::Result<()> {
    remark(&format!("corpus: gathering the documentation of {} packages", packages.len()));
    let mut temporary = NamedTempFile::new_in(folder)?;
    let mut out = BufWriter::new(temporary.as_file_mut());
    let mut harvest = Harvest::default();
    for package in packages {
        for document in harvest.documents_of(package)? {
            let line = serde_json::json!({ "text": document.text, "source": document.source });
            serde_json::to_writer(&mut out, &line)?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    drop(out);
    temporary.persist(path)?;
    Ok(())
}

/// Lines and bytes of a corpus file.
fn measure(path: &Path) -> std::io::Result<(usize, usize)> {
    let content = fs::read(path)?;
    Ok((content.iter().filter(|byte| **byte == b'\n').count(), content.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_lock_file_is_another_corpus() {
        assert_eq!(file_name(b"a"), file_name(b"a"));
        assert_ne!(file_name(b"a"), file_name(b"b"));
    }

    #[test]
    fn the_corpus_is_json_lines_in_the_order_of_the_packages() {
        let tree = tempfile::tempdir().unwrap();
        let mut packages = Vec::new();
        for name in ["first", "second"] {
            let folder = tree.path().join(name);
            fs::create_dir(&folder).unwrap();
            let prose = format!("The {name} package says what it does in words. ").repeat(8);
            fs::write(folder.join("README.md"), prose).unwrap();
            packages.push(Package { name: name.into(), version: "1.0.0".into(), folder });
        }
        let path = tree.path().join("corpus.jsonl");
        write(&path, tree.path(), &packages).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let sources: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["source"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(sources, ["first 1.0.0 README.md", "second 1.0.0 README.md"]);
        assert_eq!(measure(&path).unwrap(), (2, text.len()));
    }
}
