//! The table.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context;
use glauber_chain::statistics::Estimate;
use glauber_files::write_whole;
use glauber_judge::Score;
use glauber_program::screen;
use glauber_run::{Curve, PALETTE, Panel, Scale, picture};
use serde::{Deserialize, Serialize};

use super::Flags;
use super::infills::Infill;

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
    pub fn of(windows: Vec<f64>) -> Self {
        Self { windows }
    }
}

/// Samples under the judge.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Drawn {
    /// Bits a letter under the judge.
    pub bits: Mean,
    /// Entropy of the letters of a sample, bits a letter.
    pub entropy: Mean,
    /// Words that the training text has, a share.
    #[serde(default)]
    pub spelling: Option<Mean>,
    /// How often a classifier tells them from held-out text (C2ST), a share.
    #[serde(default)]
    pub accuracy: Option<Mean>,
    /// Passes of the network a sample; letters for an n-gram.
    pub passes: f64,
}

/// What a trial, or something that it is compared with, came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub seed: Option<u64>,
    /// Sweeps of repair that samples and infills end with.
    pub repair: usize,
    pub steps: Option<usize>,
    /// Of training.
    pub minutes: Option<f64>,
    pub parameters: Option<usize>,
    pub bound: Option<Bound>,
    pub drawn: Option<Drawn>,
    pub infills: Vec<Infill>,
}

impl Row {
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            seed: None,
            repair: 0,
            steps: None,
            minutes: None,
            parameters: None,
            bound: None,
            drawn: None,
            infills: Vec::new(),
        }
    }
}

/// All rows, ready to be shown.
pub struct Measured<'a> {
    rows: &'a [Row],
    flags: &'a Flags,
}

impl<'a> Measured<'a> {
    pub fn new(rows: &'a [Row], flags: &'a Flags) -> Self {
        Self { rows, flags }
    }

    /// Writes `table.md`, `rows.json` and `passes.svg`.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self.rows)?;
        let panels = [
            self.panel("judge gap, bits a letter", &|drawn| Some(drawn.bits.mean - self.held_out())),
            self.panel("C2ST accuracy, share", &|drawn| Some(drawn.accuracy?.mean)),
            self.panel("words spelled right, share", &|drawn| Some(drawn.spelling?.mean)),
        ];
        let drawn = picture(&folder.join("passes.svg"), &panels)?;
        for (name, text) in [("table.md", self.table()), ("rows.json", json), ("passes.svg", drawn)] {
            let path = folder.join(name);
            write_whole(&path, text).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    pub fn print(&self) -> anyhow::Result<()> {
        self.write(&self.flags.out)?;
        write!(screen::out(), "{}", self.table())?;
        Ok(())
    }

    /// Bits of held-out text under the judge.
    fn held_out(&self) -> f64 {
        self.rows.iter().find_map(|row| row.drawn.as_ref()).map_or(0.0, |drawn| drawn.bits.mean)
    }

    /// What judges say of the samples of every trial against the passes of one; held-out text and n-grams are broken lines.
    fn panel(&self, y_label: &str, value: &dyn Fn(&Drawn) -> Option<f64>) -> Panel {
        let trained = |row: &&Row| row.steps.is_some() && row.drawn.is_some();
        let all: Vec<f64> =
            self.rows.iter().filter(trained).filter_map(|row| Some(row.drawn.as_ref()?.passes)).collect();
        let [least, most] = [f64::min, f64::max].map(|of| all.iter().copied().reduce(of).unwrap_or(1.0));
        let mut curves: Vec<Curve> = Vec::new();
        let beside = ["held-out text", "order-3 n-gram", "order-5 n-gram"];
        let levels = self.rows.iter().filter(|row| beside.contains(&row.name.as_str()));
        for (row, grey) in levels.zip([0, 170, 110]) {
            let level = row.drawn.as_ref().and_then(value);
            let points = level.into_iter().flat_map(|level| [(least, level), (most, level)]);
            curves.push(Curve { name: row.name.clone(), colour: [grey; 3], dashed: true, points: points.collect() });
        }
        for row in self.rows.iter().filter(trained) {
            let name = match row.seed {
                Some(seed) if seed > 0 => format!("{}, seed {seed}", row.name),
                _ => row.name.clone(),
            };
            let point = row.drawn.as_ref().and_then(|drawn| Some((drawn.passes, value(drawn)?)));
            match curves.iter_mut().find(|curve| curve.name == name) {
                Some(curve) => curve.points.extend(point),
                None => {
                    let colour = PALETTE[curves.len() % PALETTE.len()];
                    curves.push(Curve { name, colour, dashed: false, points: point.into_iter().collect() });
                }
            }
        }
        Panel {
            title: "samples".into(),
            x_label: "passes of the network a sample".into(),
            y_label: y_label.into(),
            x_scale: Scale::Logarithmic,
            scale: Scale::Fitted,
            curves,
        }
    }

    fn table(&self) -> String {
        let held_out = self.held_out();
        let first = self.rows.iter().find(|row| row.steps.is_some()).and_then(|row| row.bound.as_ref());
        let gaps: Vec<usize> = self
            .rows
            .iter()
            .find(|row| !row.infills.is_empty())
            .map_or(Vec::new(), |row| row.infills.iter().map(|infill| infill.gap).collect());
        let mut table = String::from(
            "| what | seed | repair | parameters | steps | minutes | bound, bits a letter | against the first | passes | judge gap, bits | entropy, bits | spelling, % | C2ST accuracy |",
        );
        for gap in &gaps {
            let _ = write!(table, " gap {gap}: exact, % | bits above |");
        }
        let columns = 13 + 2 * gaps.len();
        let _ = write!(table, "\n|{}\n", "---|".repeat(columns));
        for row in self.rows {
            self.line(&mut table, row, first, held_out, gaps.len());
        }
        table
    }

    fn line(&self, table: &mut String, row: &Row, first: Option<&Bound>, held_out: f64, gaps: usize) {
        let shown = |value: Option<String>| value.unwrap_or_default();
        let with_error = |mean: &Mean, digits: usize| format!("{:.digits$} ± {:.digits$}", mean.mean, mean.error);
        let difference = row.bound.as_ref().zip(first).and_then(|(bound, first)| {
            let pairs: Vec<f64> = bound.windows.iter().zip(&first.windows).map(|(a, b)| a - b).collect();
            (pairs.len() == first.windows.len()).then(|| with_error(&Mean::of(&pairs), 3))
        });
        let drawn = row.drawn.as_ref();
        let cells = [
            row.name.clone(),
            shown(row.seed.map(|seed| seed.to_string())),
            row.repair.to_string(),
            shown(row.parameters.map(|count| count.to_string())),
            shown(row.steps.map(|steps| steps.to_string())),
            shown(row.minutes.map(|minutes| format!("{minutes:.1}"))),
            shown(row.bound.as_ref().map(|bound| with_error(&Mean::of(&bound.windows), 3))),
            shown(difference),
            shown(drawn.map(|drawn| format!("{:.0}", drawn.passes))),
            shown(drawn.map(|drawn| format!("{:+.2} ± {:.2}", drawn.bits.mean - held_out, drawn.bits.error))),
            shown(drawn.map(|drawn| format!("{:.2}", drawn.entropy.mean))),
            shown(
                drawn
                    .and_then(|drawn| drawn.spelling)
                    .map(|share| format!("{:.1} ± {:.1}", 100.0 * share.mean, 100.0 * share.error)),
            ),
            shown(drawn.and_then(|drawn| drawn.accuracy).map(|share| with_error(&share, 3))),
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
