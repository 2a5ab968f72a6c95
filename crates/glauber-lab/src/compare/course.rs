//! Likelihood bounds during training.

use std::fmt::Write as _;

use glauber_run::{Curve, PALETTE, Panel, Scale};
use serde::{Deserialize, Serialize};

use super::report::{Mean, Row};

/// A run at one of its checkpoints.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mark {
    pub step: usize,
    /// Of training until then.
    pub minutes: f64,
    /// Bits a character of the held-out windows.
    pub bound: Mean,
}

/// Runs that have marks, each once.
fn runs(rows: &[Row]) -> Vec<&Row> {
    let mut runs: Vec<&Row> = Vec::new();
    for row in rows.iter().filter(|row| !row.course.is_empty()) {
        if !runs.iter().any(|run| (&run.name, run.seed) == (&row.name, row.seed)) {
            runs.push(row);
        }
    }
    runs
}

/// Bounds against minutes of training; n-grams are broken lines. None where no run has marks.
pub fn panel(rows: &[Row]) -> Option<Panel> {
    let runs = runs(rows);
    let minutes = || runs.iter().flat_map(|row| &row.course).map(|mark| mark.minutes);
    let [first, last] = [f64::min, f64::max].map(|of| minutes().reduce(of));
    let ends = [first?, last?];
    let ngrams = rows.iter().filter(|row| ["order-3 n-gram", "order-5 n-gram"].contains(&row.name.as_str()));
    let level = |(row, grey): (&Row, u8)| {
        let bound = row.bound.as_ref()?.mean().mean;
        let points = ends.map(|minutes| (minutes, bound)).to_vec();
        Some(Curve { name: row.name.clone(), colour: [grey; 3], dashed: true, points, ..Curve::default() })
    };
    let mut curves: Vec<Curve> = ngrams.zip([170, 110]).filter_map(level).collect();
    let mut names: Vec<&str> = Vec::new();
    for row in runs {
        let at = names.iter().position(|name| *name == row.name).unwrap_or(names.len());
        let new = at == names.len();
        names.extend(new.then_some(row.name.as_str()));
        curves.push(Curve {
            // Further seeds of a model have its colour and no name.
            name: if new { row.name.clone() } else { String::new() },
            colour: PALETTE[at % PALETTE.len()],
            dashed: false,
            points: row.course.iter().map(|mark| (mark.minutes, mark.bound.mean)).collect(),
            band: row.course.iter().map(|mark| mark.bound.reach()).collect(),
        });
    }
    Some(Panel {
        title: "bound in the course of the training".into(),
        x_label: "minutes of training".into(),
        y_label: "bits a character, held out".into(),
        x_scale: Scale::Logarithmic,
        scale: Scale::Fitted,
        curves,
    })
}

/// A line for each run: where its bound was least, and all its marks.
pub fn table(rows: &[Row]) -> String {
    let runs = runs(rows);
    let mut table = String::new();
    let Some(first) = runs.first() else { return table };
    table.push_str("\n| what | seed | least bound | at step | of |");
    for at in 1..=first.course.len() {
        let _ = write!(table, " {at}/{} |", first.course.len());
    }
    let _ = write!(table, "\n|{}\n", "---|".repeat(5 + first.course.len()));
    for row in runs {
        let Some(least) = row.course.iter().min_by(|a, b| a.bound.mean.total_cmp(&b.bound.mean)) else { continue };
        let _ = write!(
            table,
            "| {} | {} | {:.3} ± {:.3} | {} | {} |",
            row.name,
            row.seed.unwrap_or_default(),
            least.bound.mean,
            least.bound.error,
            least.step,
            row.steps.unwrap_or_default(),
        );
        for mark in &row.course {
            let _ = write!(table, " {:.3} |", mark.bound.mean);
        }
        table.push('\n');
    }
    table
}
