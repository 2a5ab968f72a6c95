//! The table and the picture.

use std::fs;
use std::path::Path;

use anyhow::Context;
use glauber_chain::StepDiagnostics;
use glauber_files::{check_folder, write_whole};
use glauber_program::outputs::check_report;
use glauber_program::progress::say;
use glauber_run::{Curve, Panel, Scale, picture};
use glauber_schedule::Schedule;

use super::judge::Quality;

const TABLE: &str = "skip-ahead.txt";
const PICTURE: &str = "skip-ahead.svg";
/// The marker of the table file.
const COLUMNS: &str = "eval/L  steps/L  changes/L  tokens z";

/// Settings that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    HeatBath,
    Lazy,
    OneChange,
    Changes,
    Signal,
    Coupling,
}

impl Family {
    /// Name and colour.
    fn look(self) -> (&'static str, [u8; 3]) {
        match self {
            Self::HeatBath => ("heat bath, every step", [150, 150, 150]),
            Self::Lazy => ("lazy, every step", [60, 60, 60]),
            Self::OneChange => ("one change, windows", [40, 90, 200]),
            Self::Changes => ("2 to 32 changes", [200, 60, 30]),
            Self::Signal => ("adaptive", [30, 140, 60]),
            Self::Coupling => ("maximal coupling", [150, 60, 160]),
        }
    }
}

/// One setting.
pub struct Line {
    pub name: String,
    pub family: Family,
    pub done: StepDiagnostics,
    pub seconds: f64,
    pub quality: Quality,
}

/// All settings.
pub struct Report {
    subject: String,
    text: String,
    /// Sites of all chains together.
    sites: f64,
    lines: Vec<Line>,
}

impl Report {
    /// Prints the head of the table. `predicted` is the expected number of changes at each site of a lazy chain.
    pub fn new(
        subject: String,
        against: &str,
        (schedule, count, seed): (&Schedule, usize, u64),
        predicted: Vec<f64>,
    ) -> Self {
        let len = schedule.len();
        let mut report = Self { subject, text: String::new(), sites: (count * len) as f64, lines: Vec::new() };
        report.say(&format!(
            "{}: {len} sites, {} sweeps, {count} chains, seed {seed}; compared with {against}",
            report.subject,
            schedule.sweeps()
        ));
        let predicted = predicted.iter().sum::<f64>() / len as f64;
        report.say(&format!("predicted changes of the lazy chain per site: {predicted:.3}"));
        report.say(
            "setting                   eval/L  steps/L  changes/L  tokens z   pairs z  log-lik./token   above reference ± error   seconds",
        );
        report
    }

    fn say(&mut self, line: &str) {
        say(line);
        self.text += line;
        self.text.push('\n');
    }

    /// Prints a line.
    pub fn push(&mut self, line: Line) {
        let per_site = |count: u64| count as f64 / self.sites;
        let Line { name, done, seconds, quality, .. } = &line;
        let text = format!(
            "{name:<25} {:>6.2}  {:>7.1}  {:>9.3}  {:>8.2}  {:>8.2}  {:>14.4}   {:>15.4} ± {:.4}  {seconds:>8.1}",
            per_site(done.evaluations),
            per_site(done.updates),
            per_site(done.changes),
            quality.tokens,
            quality.pairs,
            quality.log.mean,
            quality.above.mean,
            quality.above.standard_error,
        );
        self.say(&text);
        self.lines.push(line);
    }

    /// Checks that table and picture can be written to a folder, before there are any.
    pub fn check(folder: &Path) -> anyhow::Result<()> {
        let out = ("--out", folder);
        check_report(out, TABLE, COLUMNS).and_then(|()| check_report(out, PICTURE, "<svg"))?;
        check_folder(folder).with_context(|| format!("`--out {}`", folder.display()))
    }

    /// Writes table and picture to a folder.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let told = || format!("--out {}", folder.display());
        fs::create_dir_all(folder).with_context(told)?;
        let path = folder.join(PICTURE);
        let panels = [
            self.panel("log-likelihood above the reference, nats per token", |quality| quality.above.mean),
            self.panel("pairs of neighbours, standard deviations off", |quality| quality.pairs),
        ];
        write_whole(&path, picture(&path, &panels)?).with_context(told)?;
        write_whole(&folder.join(TABLE), &self.text).with_context(told)?;
        say(&format!("written: {} and skip-ahead.txt", path.display()));
        Ok(())
    }

    fn panel(&self, y_label: &str, value: fn(&Quality) -> f64) -> Panel {
        let skipping = |line: &&Line| !matches!(line.family, Family::HeatBath | Family::Lazy);
        let x = |line: &Line| (line.done.evaluations as f64 / self.sites).log2();
        let range = self.lines.iter().filter(skipping).map(x);
        let (low, high) = (range.clone().fold(f64::INFINITY, f64::min), range.fold(f64::NEG_INFINITY, f64::max));
        let curve = |family: Family| {
            let (name, colour) = family.look();
            let lines = self.lines.iter().filter(move |line| line.family == family);
            // What evaluates every step is drawn as a level: it lies far to the right.
            let dashed = matches!(family, Family::HeatBath | Family::Lazy);
            let points = match dashed {
                true => lines.flat_map(|line| [low, high].map(|x| (x, value(&line.quality)))).collect(),
                false => lines.map(|line| (x(line), value(&line.quality))).collect(),
            };
            Curve { name: name.into(), colour, dashed, points, ..Curve::default() }
        };
        let families =
            [Family::HeatBath, Family::Lazy, Family::OneChange, Family::Changes, Family::Signal, Family::Coupling];
        Panel {
            title: self.subject.clone(),
            x_label: "evaluations per site, logarithm to base 2".into(),
            y_label: y_label.into(),
            x_scale: Scale::FromZero,
            scale: Scale::Fitted,
            curves: families.map(curve).into(),
        }
    }
}
