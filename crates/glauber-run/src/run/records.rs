//! Records of a run: evaluations, their curves and samples.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::folder::RunFolder;
use super::picture::{Curve, Panel, Scale, picture};
use crate::{MetricLine, RunError};

const METRICS: &str = "metrics.jsonl";
const PICTURE: &str = "loss.svg";
const EXCESS: &str = "excess.svg";
const SAMPLES: &str = "samples.txt";
const SAMPLE_HEADING: &str = "=== step ";

pub(crate) const GREY: [u8; 3] = [150, 150, 150];
pub(crate) const RED: [u8; 3] = [200, 60, 30];

/// Evaluations as text and parsed. The text is kept for rewriting, because parsing may round the last digit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Evaluations<L = MetricLine> {
    pub text: String,
    pub lines: Vec<L>,
    /// Number of unreadable lines, which are skipped.
    pub torn: usize,
}

impl<L> Default for Evaluations<L> {
    fn default() -> Self {
        Self { text: String::new(), lines: Vec::new(), torn: 0 }
    }
}

impl<L: Serialize + DeserializeOwned> Evaluations<L> {
    /// Parses JSON lines; skips damaged ones.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut all = Self::default();
        for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let text = str::from_utf8(line).ok();
            match text.and_then(|text| Some((text, serde_json::from_str(text).ok()?))) {
                Some((text, line)) => {
                    all.text += text;
                    all.text.push('\n');
                    all.lines.push(line);
                }
                None => all.torn += 1,
            }
        }
        all
    }

    /// Adds one at the end.
    pub fn push(&mut self, line: L) {
        self.text += &serde_json::to_string(&line).unwrap_or_default(); // plain numbers always serialise
        self.text.push('\n');
        self.lines.push(line);
    }
}

impl Evaluations {
    /// Removes those of steps after `done`.
    fn up_to(mut self, done: usize) -> Self {
        let kept = self.lines.iter().take_while(|line| line.step <= done).count();
        self.text = self.text.split_inclusive('\n').take(kept).collect();
        self.lines.truncate(kept);
        self
    }
}

impl RunFolder {
    /// File of the loss curves.
    pub fn picture(&self) -> PathBuf {
        self.path().join(PICTURE)
    }

    /// All evaluations up to the newest checkpoint; skips unreadable lines.
    ///
    /// # Errors
    /// If the file exists and cannot be read.
    pub fn metrics(&self) -> Result<Vec<MetricLine>, RunError> {
        Ok(self.evaluations()?.lines)
    }

    /// The evaluations of a run of any kind.
    pub(crate) fn evaluations<L: Serialize + DeserializeOwned>(&self) -> Result<Evaluations<L>, RunError> {
        let path = self.path().join(METRICS);
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Evaluations::default()),
            read => Ok(Evaluations::parse(&read.map_err(RunError::file(&path))?)),
        }
    }

    /// Whether the file has evaluations.
    pub(crate) fn has_metrics(&self) -> bool {
        fs::metadata(self.path().join(METRICS)).is_ok_and(|file| file.len() > 0)
    }

    /// The evaluations of a checkpoint at a step, from its own copy, or if that is damaged, from the copy with more
    /// lines.
    pub(crate) fn evaluations_of(&self, own: Option<&[u8]>, step: usize) -> Evaluations {
        let own = own.map(Evaluations::parse);
        match own {
            Some(own) if own.torn == 0 => own,
            own => {
                let own = own.unwrap_or_default().up_to(step);
                let other = self.evaluations().unwrap_or_default().up_to(step);
                let torn = own.torn.max(1);
                if own.lines.len() >= other.lines.len() { own } else { Evaluations { torn, ..other } }
            }
        }
    }

    /// Restores the evaluations and samples to their state at the checkpoint to resume from. Reports damaged lines.
    pub(crate) fn go_back(
        &self,
        title: &str,
        evaluations: &Evaluations,
        done: usize,
    ) -> Result<Option<String>, RunError> {
        self.trim_samples(done)?;
        let path = self.path().join(METRICS);
        let found = self.evaluations::<MetricLine>();
        let torn = match &found {
            Ok(found) => found.torn,
            Err(_) => 1,
        };
        if fs::read(&path).unwrap_or_default() != evaluations.text.as_bytes() {
            self.write_metrics(title, evaluations)?;
        }
        Ok((torn > 0).then(|| format!("{}: {torn} unreadable lines; rewritten from the checkpoint", path.display())))
    }

    /// Replaces the evaluations, and redraws the curves.
    pub(crate) fn write_metrics(
        &self,
        title: &str,
        Evaluations { text, lines, .. }: &Evaluations,
    ) -> Result<(), RunError> {
        self.write(METRICS, text)?;
        let curve = |name: &str, colour, value: fn(&MetricLine) -> Option<f64>| {
            let point = |line: &MetricLine| Some((line.step as f64, value(line)?));
            let points = lines.iter().filter_map(point).collect();
            Curve { name: name.into(), colour, points, ..Curve::default() }
        };
        let draw = |file: &str, unit: &str, curves| {
            let panel = Panel {
                title: title.into(),
                x_label: "optimiser steps".into(),
                y_label: unit.into(),
                x_scale: Scale::FromZero,
                scale: Scale::FromZero,
                curves,
            };
            self.write(file, picture(&self.path().join(file), &[panel])?)
        };
        let losses = [
            curve("training", GREY, |line| Some(line.train_loss)),
            curve("held out, averaged weights", RED, |line| Some(line.loss)),
        ];
        draw(PICTURE, "loss, nats per site", losses.into())?;
        let excess = curve("held out, averaged weights", RED, |line| line.excess);
        match excess.points.is_empty() {
            true => Ok(()),
            false => draw(EXCESS, "loss above the Bayes loss, nats per site", vec![excess]),
        }
    }

    /// Removes the samples of steps after `done`, and an incomplete line.
    fn trim_samples(&self, done: usize) -> Result<(), RunError> {
        let path = self.path().join(SAMPLES);
        let found = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            read => read.map_err(RunError::file(&path))?,
        };
        let mut keep = true;
        let mut kept = Vec::new();
        for line in found.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            let step = str::from_utf8(line).ok().and_then(|line| line.strip_prefix(SAMPLE_HEADING));
            keep = step.and_then(|step| step.trim().parse::<usize>().ok()).map_or(keep, |step| step <= done);
            if keep {
                kept.extend_from_slice(line);
            }
        }
        if kept == found { Ok(()) } else { self.write(SAMPLES, &kept) }
    }

    /// Appends samples in one write. A partial write by a killed process is after the newest checkpoint, and is
    /// [trimmed](Self::go_back).
    pub(crate) fn append_samples(&self, step: usize, texts: &[String]) -> Result<(), RunError> {
        let mut all = format!("{SAMPLE_HEADING}{step}\n");
        texts.iter().for_each(|text| all += &format!("{text}\n---\n"));
        let path = self.path().join(SAMPLES);
        let file = fs::OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(all.as_bytes()).and_then(|()| file.sync_data()));
        written.map_err(RunError::file(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RunConfig, Vocabulary};

    fn line(step: usize) -> String {
        let rest = r#""seconds":1.0,"tokens":8,"train_loss":1.0,"loss":1.5,"step_cross_entropy":1.5,"binary":0.1,"learning_rate":0.1"#;
        format!("{{\"step\":{step},{rest}}}\n")
    }

    #[test]
    fn what_is_torn_is_left_out_and_the_better_copy_taken() {
        let root = tempfile::tempdir().unwrap();
        let config: RunConfig = toml::from_str("[data]\nkind = 'sudoku'\nside = 4\n").unwrap();
        let path = root.path().join("run");
        let (run, _lock) = RunFolder::create(&path, &config, &Vocabulary::of_counts(vec![1; 4], "0"), None).unwrap();
        let whole = [line(1), line(2), line(3)].concat();
        for damage in [&b"{\"bad"[..], b"\xff\xfe\n", b"null\n", b"\0\0\0\0"] {
            let torn = [whole.as_bytes(), damage].concat();
            fs::write(path.join(METRICS), &torn).unwrap();
            assert_eq!(run.metrics().unwrap().len(), 3);
            // The copy of the checkpoint is whole: it is taken as it is.
            let told = run.evaluations_of(Some(line(1).as_bytes()), 1);
            assert_eq!((told.text.as_str(), told.torn), (line(1).as_str(), 0));
            assert!(run.go_back("run", &told, 1).unwrap().unwrap().contains("1 unreadable lines"));
            assert_eq!(fs::read_to_string(path.join(METRICS)).unwrap(), line(1));
            assert_eq!(run.go_back("run", &told, 1).unwrap(), None);
            // It is not, or is gone: the other tells more.
            fs::write(path.join(METRICS), &torn).unwrap();
            for own in [Some(&torn[3..]), None] {
                let told = run.evaluations_of(own, 2);
                assert_eq!((told.text, told.torn > 0), ([line(1), line(2)].concat(), true));
            }
        }
        fs::write(path.join(SAMPLES), b"=== step 1\n\xff\n---\n=== step 2\nb\n---\n=== st").unwrap();
        run.trim_samples(1).unwrap();
        run.append_samples(2, &["c".into()]).unwrap();
        assert_eq!(fs::read(path.join(SAMPLES)).unwrap(), b"=== step 1\n\xff\n---\n=== step 2\nc\n---\n");
    }
}
