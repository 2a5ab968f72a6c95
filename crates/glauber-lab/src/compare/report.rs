//! The table.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context;
use glauber_chain::statistics::Estimate;
use glauber_files::write_whole;
use glauber_judge::Score;
use glauber_program::screen;
use glauber_run::picture;
use serde::{Deserialize, Serialize};

use super::course::{self, Mark};
use super::infills::Infill;
use super::passes;

/// A mean and its standard error over windows.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Mean {
    pub mean: f64,
    pub error: f64,
}

impl Mean {
    pub fn of(values: &[f64]) -> Self {
        let Estimate { mean, standard_error } = Estimate::independent(values);
        Self { mean, error: standard_error }
    }

    /// Half the width of its 95 % interval, as of a normal law.
    pub fn reach(&self) -> f64 {
        1.96 * self.error
    }

    pub fn of_score(score: &Score) -> Self {
        Self { mean: score.value, error: score.standard_error.unwrap_or(f64::NAN) }
    }
}

/// Bits a letter of held-out windows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bound {
    /// Of each window: the same windows for all.
    windows: Vec<f64>,
}

impl Bound {
    /// To a hundred-thousandth of a bit, far below the error of a window: rows are kept in files.
    pub fn of(windows: Vec<f64>) -> Self {
        Self { windows: windows.into_iter().map(|bits| (bits * 1e5).round() / 1e5).collect() }
    }

    /// Over the windows.
    pub fn mean(&self) -> Mean {
        Mean::of(&self.windows)
    }
}

/// Texts under the judges.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Judged {
    /// Bits a character under the order-5 n-gram.
    pub bits: Mean,
    /// Entropy of the characters, bits a character.
    pub entropy: Mean,
    /// Words that the training text has, a share.
    pub spelling: Mean,
    /// Accuracy of a classifier against held-out text (C2ST).
    pub accuracy: Mean,
}

/// What a model, or something that it is compared with, came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub seed: Option<u64>,
    pub steps: Option<usize>,
    /// Of training.
    pub minutes: Option<f64>,
    pub parameters: Option<usize>,
    pub bound: Option<Bound>,
    pub sampler: Option<String>,
    /// Passes of the network a sample; characters for an n-gram.
    pub passes: Option<f64>,
    /// Seconds a sample, all samples drawn together.
    pub seconds: Option<f64>,
    pub judged: Option<Judged>,
    pub infills: Vec<Infill>,
    /// What a site's conditional says of its own token, bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leak: Option<Mean>,
    /// The bound at checkpoints, in order; empty if not requested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub course: Vec<Mark>,
}

impl Row {
    pub fn named(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// All rows, ready to be shown.
pub struct Measured<'a>(&'a [Row]);

impl<'a> Measured<'a> {
    pub fn new(rows: &'a [Row]) -> Self {
        Self(rows)
    }

    /// Writes `table.md`, `rows.json` and `passes.svg`, and `course.svg` if bounds were computed during training.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self.0)?;
        let panels = passes::panels(self.0, self.held_out());
        let drawn = picture(&folder.join("passes.svg"), &panels)?;
        let course = course::panel(self.0).map(|panel| picture(&folder.join("course.svg"), &[panel])).transpose()?;
        let files = [("table.md", self.table()), ("rows.json", json), ("passes.svg", drawn)];
        for (name, text) in files.into_iter().chain(course.map(|drawn| ("course.svg", drawn))) {
            let path = folder.join(name);
            write_whole(&path, text).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    pub fn print(&self, folder: &Path) -> anyhow::Result<()> {
        self.write(folder)?;
        write!(screen::out(), "{}", self.table())?;
        Ok(())
    }

    /// Bits of held-out text under the judge.
    fn held_out(&self) -> f64 {
        self.0.iter().find_map(|row| row.judged.as_ref()).map_or(0.0, |judged| judged.bits.mean)
    }

    fn table(&self) -> String {
        let first = self.0.iter().find(|row| row.steps.is_some()).and_then(|row| row.bound.as_ref());
        let gaps: Vec<usize> = self
            .0
            .iter()
            .find(|row| !row.infills.is_empty())
            .map_or(Vec::new(), |row| row.infills.iter().map(|infill| infill.gap).collect());
        let mut table = String::from(
            "| what | seed | sampler | parameters | steps | minutes | bound, bits a character | against the first | own token, bits | passes | seconds | judge gap, bits | entropy, bits | spelling, % | C2ST accuracy |",
        );
        for gap in &gaps {
            let _ = write!(table, " gap {gap}: exact, % | bits above |");
        }
        let columns = 15 + 2 * gaps.len();
        let _ = write!(table, "\n|{}\n", "---|".repeat(columns));
        for row in self.0 {
            self.line(&mut table, row, first, gaps.len());
        }
        table + &course::table(self.0)
    }

    fn line(&self, table: &mut String, row: &Row, first: Option<&Bound>, gaps: usize) {
        let shown = |value: Option<String>| value.unwrap_or_default();
        let with_error = |mean: &Mean, digits: usize| format!("{:.digits$} ± {:.digits$}", mean.mean, mean.error);
        let difference = row.bound.as_ref().zip(first).and_then(|(bound, first)| {
            let pairs: Vec<f64> = bound.windows.iter().zip(&first.windows).map(|(a, b)| a - b).collect();
            (pairs.len() == first.windows.len()).then(|| with_error(&Mean::of(&pairs), 3))
        });
        let judged = row.judged.as_ref();
        let percent = |share: &Mean| format!("{:.1} ± {:.1}", 100.0 * share.mean, 100.0 * share.error);
        let cells = [
            row.name.clone(),
            shown(row.seed.map(|seed| seed.to_string())),
            shown(row.sampler.clone()),
            shown(row.parameters.map(|count| count.to_string())),
            shown(row.steps.map(|steps| steps.to_string())),
            shown(row.minutes.map(|minutes| format!("{minutes:.1}"))),
            shown(row.bound.as_ref().map(|bound| with_error(&bound.mean(), 3))),
            shown(difference),
            shown(row.leak.as_ref().map(|leak| format!("{:.4}", leak.mean))),
            shown(row.passes.map(|passes| format!("{passes:.0}"))),
            shown(row.seconds.map(|seconds| format!("{seconds:.3}"))),
            shown(
                judged.map(|judged| format!("{:+.2} ± {:.2}", judged.bits.mean - self.held_out(), judged.bits.error)),
            ),
            shown(judged.map(|judged| format!("{:.2}", judged.entropy.mean))),
            shown(judged.map(|judged| percent(&judged.spelling))),
            shown(judged.map(|judged| with_error(&judged.accuracy, 3))),
        ];
        let _ = write!(table, "| {} |", cells.join(" | "));
        for at in 0..gaps {
            match row.infills.get(at) {
                Some(Infill { exact, bits, .. }) => {
                    let exact = format!("{:.0} ± {:.0}", 100.0 * exact.mean, 100.0 * exact.error);
                    let _ = write!(table, " {exact} | {} |", with_error(bits, 1));
                }
                None => table.push_str("  |  |"),
            }
        }
        table.push('\n');
    }
}
