//! The table and the curves.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use glauber_files::write_whole;
use glauber_run::{Curve, Panel, Scale, picture};
use glauber_sudoku::Size;

use super::chains::{Free, Rate, Redenoise, Solved};

const TABLE: &str = "sudoku.txt";
const PICTURE: &str = "sudoku.svg";

/// What was measured.
pub struct Report {
    size: Size,
    again: Redenoise,
    candidates: usize,
    /// By kernel.
    pub free: Vec<(&'static str, Free)>,
    /// By number of clues.
    pub solved: Vec<Solved>,
    /// One chain, sweep by sweep.
    pub film: String,
}

impl Report {
    pub fn new(size: Size, again: Redenoise, candidates: usize) -> Self {
        Self { size, again, candidates, free: Vec::new(), solved: Vec::new(), film: String::new() }
    }

    /// Writes table, film and picture into the run folder.
    pub fn write(&self, folder: &Path, heading: &str) -> anyhow::Result<()> {
        let table = folder.join(TABLE);
        let text = format!("{}\n{}", self.text(heading), self.film);
        write_whole(&table, text).with_context(|| table.display().to_string())?;
        let path = folder.join(PICTURE);
        let svg = picture(&path, &[self.panel()])?;
        write_whole(&path, svg).with_context(|| path.display().to_string())?;
        Ok(())
    }

    /// The tables.
    pub fn text(&self, heading: &str) -> String {
        let mut text = format!("{heading}\n\n");
        let Redenoise { time, rounds } = self.again;
        let _ = writeln!(text, "ReDeNoise: {rounds} rounds to time {time}, whatever the grid is\n"); // writing to a string cannot fail
        self.free_table(&mut text);
        self.solved_table(&mut text);
        text
    }

    fn free_table(&self, text: &mut String) {
        let head = ["free samples", "valid", "distinct", "violations", "valid after", "distinct", "violations"];
        *text += &row(&head.map(String::from));
        for (kernel, free) in &self.free {
            let [valid, valid_again] = free.valid.map(show);
            let [distinct, distinct_again] = free.distinct.map(|count| count.to_string());
            let [wrong, wrong_again] = free.violations.map(|mean| format!("{mean:.3}"));
            let kernel = (*kernel).to_owned();
            *text += &row(&[kernel, valid, distinct, wrong, valid_again, distinct_again, wrong_again]);
        }
        for (kernel, free) in &self.free {
            let _ = writeln!(text, "{kernel}: {:.2} changes a chain", free.changes);
        }
        if self.size == Size::Four {
            let expected =
                288.0 * (1.0 - (1.0 - 1.0 / 288.0f64).powi(self.free.first().map_or(0, |(_, f)| f.valid[0].of as i32)));
            let _ = writeln!(text, "as many uniform draws of the 288 grids would show {expected:.1} distinct ones");
        }
        *text += "\n";
    }

    fn solved_table(&self, text: &mut String) {
        let any = format!("any of {}", self.candidates);
        let head = ["clues", "one chain", &any, "one chain, ReDeNoise", &format!("{any}, ReDeNoise")].map(String::from);
        *text += &row(&head);
        for solved in &self.solved {
            let [single, single_again] = solved.single.map(show);
            let [any, any_again] = solved.any.map(show);
            *text += &row(&[solved.clues.to_string(), single, any, single_again, any_again]);
        }
    }

    fn panel(&self) -> Panel {
        let curve = |name: String, colour, dashed, rate: &dyn Fn(&Solved) -> Rate| Curve {
            name,
            colour,
            dashed,
            points: self.solved.iter().map(|s| (s.clues as f64, 100.0 * rate(s).share())).collect(),
            ..Curve::default()
        };
        let any = format!("any of {} chains", self.candidates);
        let (red, blue) = ([200, 60, 30], [30, 90, 180]);
        Panel {
            title: format!("Sudoku {}: puzzles solved", self.size),
            x_label: "clues".into(),
            y_label: "solved, percent".into(),
            x_scale: Scale::FromZero,
            scale: Scale::FromZero,
            curves: vec![
                curve("one chain".into(), red, false, &|s| s.single[0]),
                curve(any.clone(), blue, false, &|s| s.any[0]),
                curve("one chain, with ReDeNoise".into(), red, true, &|s| s.single[1]),
                curve(format!("{any}, with ReDeNoise"), blue, true, &|s| s.any[1]),
            ],
        }
    }
}

fn show(rate: Rate) -> String {
    format!("{:.2} % ({}/{})", 100.0 * rate.share(), rate.hits, rate.of)
}

/// One line of a table.
fn row(cells: &[String]) -> String {
    let mut line = format!("{:<14}", cells.first().map_or("", String::as_str));
    cells.iter().skip(1).for_each(|cell| line += &format!("{cell:>24}"));
    line + "\n"
}
