//! Whether two runs ended with the same files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use regex::bytes::Regex;
use walkdir::WalkDir;

/// Files that say when and by whom a run was trained, anywhere in it: checksums of files with seconds too.
const OF_THE_PROCESS: [&str; 3] = ["lock", "progress.json", "checksums.b3"];
/// Endings of texts, which may name the run or tell seconds.
const TEXTS: [&str; 3] = ["json", "jsonl", "toml"];

/// The files of a run that has ended, by their path in it. Seconds and the run's own path are left out, and checkpoints before the last:
/// one that was told to stop has written another.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended(BTreeMap<PathBuf, Vec<u8>>);

impl Ended {
    /// Reads a run folder.
    ///
    /// # Errors
    /// When a folder or a file cannot be read.
    pub fn read(run: &Path) -> anyhow::Result<Self> {
        let seconds = Regex::new(r#""?seconds"?\s*[:=]\s*[-+.0-9e]+"#)?;
        let own = run.display().to_string();
        let last = last_checkpoint(run)?;
        let mut found = BTreeMap::new();
        for entry in WalkDir::new(run) {
            let entry = entry?;
            let name = entry.path().strip_prefix(run)?;
            // Curves are drawn over seconds, from the metrics.
            let curve = name.extension().is_some_and(|ending| ending == "svg");
            let of_the_process = curve || OF_THE_PROCESS.iter().any(|of| entry.file_name() == *of);
            let before = name.starts_with("checkpoints") && !last.as_ref().is_some_and(|last| name.starts_with(last));
            if !entry.file_type().is_file() || of_the_process || before {
                continue;
            }
            let mut bytes = fs::read(entry.path()).with_context(|| entry.path().display().to_string())?;
            if name.extension().is_some_and(|ending| TEXTS.iter().any(|text| ending == *text)) {
                let text = String::from_utf8(bytes)?.replace(&own, "RUN");
                bytes = seconds.replace_all(text.as_bytes(), &b""[..]).into_owned();
            }
            found.insert(name.to_owned(), bytes);
        }
        Ok(Self(found))
    }

    /// The first file in which another run differs.
    pub fn first_difference(&self, other: &Self) -> Option<String> {
        let differs = other.0.iter().find_map(|(name, bytes)| match self.0.get(name) {
            None => Some(format!("only this run has {}", name.display())),
            Some(found) => (found != bytes).then(|| format!("{} differs", name.display())),
        });
        let lacks = || self.0.keys().find(|name| !other.0.contains_key(*name));
        differs.or_else(|| lacks().map(|name| format!("this run lacks {}", name.display())))
    }
}

/// The last checkpoint of a run, by its path in it.
fn last_checkpoint(run: &Path) -> anyhow::Result<Option<PathBuf>> {
    let folder = run.join("checkpoints");
    if !folder.exists() {
        return Ok(None);
    }
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<anyhow::Result<Vec<_>>>()?;
    let finished = names.into_iter().filter(|name| name.to_string_lossy().starts_with("step-"));
    Ok(finished.max().map(|name| Path::new("checkpoints").join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_makes_a_difference_and_seconds_none() {
        let root = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| root.path().join(name));
        for run in [&one, &other] {
            fs::create_dir_all(run.join("checkpoints/step-2")).unwrap();
            fs::write(run.join("checkpoints/step-2/weights"), [1, 2, 3]).unwrap();
            fs::write(run.join("lock"), run.display().to_string()).unwrap();
            fs::write(run.join("config.toml"), format!("cache = \"{}-cache\"", run.display())).unwrap();
        }
        fs::write(one.join("metrics.jsonl"), r#"{"step":1,"seconds":1.5,"loss":2.5}"#).unwrap();
        fs::write(other.join("metrics.jsonl"), r#"{"step":1,"seconds":2.5e1,"loss":2.5}"#).unwrap();
        // One that was told to stop has a checkpoint more.
        fs::create_dir(other.join("checkpoints/step-1")).unwrap();
        fs::write(other.join("checkpoints/step-1/weights"), [0]).unwrap();
        let found = || Ended::read(&one).unwrap().first_difference(&Ended::read(&other).unwrap());
        assert_eq!(found(), None);
        fs::write(other.join("metrics.jsonl"), r#"{"step":1,"seconds":2,"loss":2.6}"#).unwrap();
        assert_eq!(found().unwrap(), "metrics.jsonl differs");
        fs::write(other.join("checkpoints/step-2/weights"), [1, 2, 4]).unwrap();
        assert_eq!(found().unwrap(), "checkpoints/step-2/weights differs");
        fs::remove_dir_all(other.join("checkpoints")).unwrap();
        fs::remove_file(other.join("metrics.jsonl")).unwrap();
        assert_eq!(found().unwrap(), "this run lacks checkpoints/step-2/weights");
        fs::write(other.join("new"), "").unwrap();
        assert_eq!(found().unwrap(), "only this run has new");
    }
}
