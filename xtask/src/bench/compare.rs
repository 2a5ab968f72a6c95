//! The last `cargo bench` beside a saved one, from the estimates that criterion leaves behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use walkdir::WalkDir;

use crate::screen::say;
use crate::workspace::{self, Depth};

/// The folder of the last run.
const LAST: &str = "new";
/// The file of a run.
const ESTIMATES: &str = "estimates.json";

/// What to compare.
#[derive(Args)]
pub struct Flags {
    /// The name given to `cargo bench -- --save-baseline NAME`
    baseline: String,
    /// Change of the median, in percent, above which a benchmark counts as slower or faster
    #[arg(long, default_value_t = 10.0, value_parser = percent)]
    threshold: f64,
    /// Criterion's folder; by default `criterion` in the target folder
    #[arg(long, value_name = "DIR")]
    criterion: Option<PathBuf>,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent) if (0.0..1e6).contains(&percent) => Ok(percent),
        _ => Err(format!("`{text}` is not a number of percent, 0 or more")),
    }
}

/// The median of a benchmark with its confidence interval, ns.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Estimate {
    median: f64,
    low: f64,
    high: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Slower,
    Faster,
    Same,
}

/// A benchmark that both runs have.
struct Change {
    name: String,
    before: Estimate,
    after: Estimate,
}

impl Change {
    fn ratio(&self) -> f64 {
        self.after.median / self.before.median
    }

    /// A change counts when it is above the threshold and the confidence intervals are apart: below the first it does not matter,
    /// below the second it may be noise.
    fn verdict(&self, threshold: f64) -> Verdict {
        let factor = 1.0 + threshold / 100.0;
        if self.ratio() > factor && self.after.low > self.before.high {
            return Verdict::Slower;
        }
        if self.ratio() < 1.0 / factor && self.after.high < self.before.low {
            return Verdict::Faster;
        }
        Verdict::Same
    }
}

/// Prints what became slower or faster; fails where something became slower.
///
/// # Errors
/// When there is no such baseline, or a file of criterion's cannot be read.
pub fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let folder = match &flags.criterion {
        Some(folder) => folder.clone(),
        None => PathBuf::from(workspace::metadata(Depth::Members)?.target_directory).join("criterion"),
    };
    let (changes, alone) = changes(&folder, &flags.baseline)?;
    let mut slower = 0;
    for change in &changes {
        let verdict = change.verdict(flags.threshold);
        slower += usize::from(verdict == Verdict::Slower);
        say(&line(change, verdict))?;
    }
    if alone > 0 {
        say(&format!("{alone} more are in one of the two runs only"))?;
    }
    say(&format!("{slower} of {} slower than `{}` by more than {} %", changes.len(), flags.baseline, flags.threshold))?;
    Ok(if slower == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(change: &Change, verdict: Verdict) -> String {
    let word = match verdict {
        Verdict::Slower => "slower",
        Verdict::Faster => "faster",
        Verdict::Same if change.before == change.after => "not run again",
        Verdict::Same => "same",
    };
    let [before, after] = [change.before, change.after].map(|estimate| duration(estimate.median));
    format!("{word:<14} {:+7.1} %  {before:>9} → {after:>9}  {}", 100.0 * (change.ratio() - 1.0), change.name)
}

fn duration(nanoseconds: f64) -> String {
    let units = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    let (size, unit) = units.into_iter().find(|(size, _)| nanoseconds >= *size).unwrap_or((1.0, "ns"));
    format!("{:.3} {unit}", nanoseconds / size)
}

/// The benchmarks of both runs, most slowed down first, and how many are in one of them only.
fn changes(folder: &Path, baseline: &str) -> anyhow::Result<(Vec<Change>, usize)> {
    let (mut changes, mut alone, mut found) = (Vec::new(), 0, 0);
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.with_context(|| format!("no results in {}: run `cargo bench` first", folder.display()))?;
        if !entry.file_type().is_dir() {
            continue;
        }
        let [before, after] = [baseline, LAST].map(|run| entry.path().join(run).join(ESTIMATES));
        found += usize::from(before.is_file());
        match (before.is_file(), after.is_file()) {
            (true, true) => {
                let name = entry.path().strip_prefix(folder).unwrap_or(entry.path()).display().to_string();
                changes.push(Change { name, before: read(&before)?, after: read(&after)? });
            }
            (false, false) => {}
            _ => alone += 1,
        }
    }
    if found == 0 {
        bail!(
            "no baseline `{baseline}` in {}: save one with `cargo bench -- --save-baseline {baseline}`",
            folder.display()
        );
    }
    changes.sort_by(|a, b| b.ratio().total_cmp(&a.ratio()));
    Ok((changes, alone))
}

fn read(path: &Path) -> anyhow::Result<Estimate> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let json: Value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
    let number = |pointer: &str| json.pointer(pointer).and_then(Value::as_f64).filter(|value| *value > 0.0);
    let interval = |bound: &str| number(&format!("/median/confidence_interval/{bound}"));
    match (number("/median/point_estimate"), interval("lower_bound"), interval("upper_bound")) {
        (Some(median), Some(low), Some(high)) => Ok(Estimate { median, low, high }),
        _ => bail!("{}: expected a median with a confidence interval, as criterion writes it", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Criterion's folder with benchmarks: name, run, median, half width of the interval, ns.
    fn folder(estimates: &[(&str, &str, f64, f64)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, run, median, half) in estimates {
            let at = folder.path().join(name).join(run);
            fs::create_dir_all(&at).unwrap();
            let interval = format!(r#"{{"lower_bound": {}, "upper_bound": {}}}"#, median - half, median + half);
            let text = format!(r#"{{"median": {{"point_estimate": {median}, "confidence_interval": {interval}}}}}"#);
            fs::write(at.join(ESTIMATES), text).unwrap();
        }
        folder
    }

    fn flags(folder: &tempfile::TempDir, baseline: &str, threshold: f64) -> Flags {
        Flags { baseline: baseline.into(), threshold, criterion: Some(folder.path().into()) }
    }

    fn code(folder: &tempfile::TempDir, threshold: f64) -> ExitCode {
        run(&flags(folder, "main", threshold)).unwrap()
    }

    #[test]
    fn verdicts_need_the_threshold_and_separate_intervals() {
        let estimate = |median: f64, half: f64| Estimate { median, low: median - half, high: median + half };
        let verdict =
            |after: Estimate| Change { name: String::new(), before: estimate(100.0, 2.0), after }.verdict(10.0);
        assert_eq!(verdict(estimate(120.0, 2.0)), Verdict::Slower);
        assert_eq!(verdict(estimate(120.0, 30.0)), Verdict::Same, "may be noise");
        assert_eq!(verdict(estimate(108.0, 1.0)), Verdict::Same, "does not matter");
        assert_eq!(verdict(estimate(80.0, 2.0)), Verdict::Faster);
        assert_eq!(verdict(estimate(80.0, 30.0)), Verdict::Same);
    }

    #[test]
    fn what_became_slower_fails_the_command() {
        let folder = folder(&[
            ("group/a", "main", 100.0, 1.0),
            ("group/a", LAST, 150.0, 1.0),
            ("group/deep/b", "main", 100.0, 1.0),
            ("group/deep/b", LAST, 50.0, 1.0),
            ("group/c", LAST, 1.0, 0.1),
        ]);
        let (changes, alone) = changes(folder.path(), "main").unwrap();
        let names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
        assert_eq!((names, alone), (vec!["group/a", "group/deep/b"], 1));
        assert!(line(&changes[0], Verdict::Slower).contains("+50.0 %"));
        assert_eq!(code(&folder, 10.0), ExitCode::FAILURE);
        assert_eq!(code(&folder, 60.0), ExitCode::SUCCESS);
    }

    #[test]
    fn a_missing_baseline_or_a_strange_file_is_an_error() {
        let folder = folder(&[("a", LAST, 1.0, 0.1)]);
        let message = run(&flags(&folder, "main", 10.0)).unwrap_err().to_string();
        assert!(message.contains("--save-baseline main"), "{message}");
        fs::create_dir(folder.path().join("a/main")).unwrap();
        fs::write(folder.path().join("a/main").join(ESTIMATES), "{}").unwrap();
        let message = run(&flags(&folder, "main", 10.0)).unwrap_err().to_string();
        assert!(message.contains("expected a median"), "{message}");
    }
}
