//! Reports of scores.

use serde::Serialize;

use crate::Score;

/// Scores of several sets of texts, reference rows first.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// One row per set of texts.
    pub rows: Vec<Row>,
}

/// Scores of a set of texts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Name of the set.
    pub name: String,
    /// Number of texts.
    pub texts: usize,
    /// Characters of each.
    pub characters: usize,
    /// Scores of judges, and possibly of other sources, for instance a bound.
    pub scores: Vec<Score>,
}

impl Row {
    /// The score of a name.
    pub fn score(&self, name: &str) -> Option<&Score> {
        self.scores.iter().find(|score| score.name == name)
    }
}

/// Between columns.
const GAP: &str = "  ";

impl Report {
    /// A plain-text table with one line per row and one column per score, with names, units, and errors after `±`.
    ///
    /// Columns beyond `width` characters continue below. A missing score is a dash.
    pub fn table(&self, width: usize) -> String {
        let mut heads: Vec<&Score> = Vec::new();
        for score in self.rows.iter().flat_map(|row| &row.scores) {
            if heads.iter().all(|head| head.name != score.name) {
                heads.push(score);
            }
        }
        let names = ["", ""].into_iter().chain(self.rows.iter().map(|row| row.name.as_str()));
        let names = Column::new(names.map(str::to_owned).collect(), true);
        let column = |head: &&Score| {
            let cell = |row: &Row| row.score(&head.name).map_or("–".into(), cell);
            let cells = [head.name.clone(), head.unit.to_owned()].into_iter().chain(self.rows.iter().map(cell));
            Column::new(cells.collect(), false)
        };
        let (mut table, mut block, mut taken) = (String::new(), Vec::new(), names.width);
        for column in heads.iter().map(column) {
            if !block.is_empty() && taken + GAP.len() + column.width > width {
                write(&mut table, &names, &block);
                table.push('\n');
                (block, taken) = (Vec::new(), names.width);
            }
            taken += GAP.len() + column.width;
            block.push(column);
        }
        write(&mut table, &names, &block);
        table
    }
}

struct Column {
    cells: Vec<String>,
    width: usize,
}

impl Column {
    /// Cells of equal width, text to the left or numbers to the right.
    fn new(cells: Vec<String>, left: bool) -> Self {
        let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
        let pad = |cell: String| if left { format!("{cell:width$}") } else { format!("{cell:>width$}") };
        Self { cells: cells.into_iter().map(pad).collect(), width }
    }
}

fn write(table: &mut String, names: &Column, columns: &[Column]) {
    for (line, name) in names.cells.iter().enumerate() {
        let cells: Vec<&str> =
            std::iter::once(name).chain(columns.iter().map(|column| &column.cells[line])).map(String::as_str).collect();
        table.push_str(cells.join(GAP).trim_end());
        table.push('\n');
    }
}

fn cell(score: &Score) -> String {
    let decimals = if score.unit == "characters" { 1 } else { 3 };
    match score.standard_error {
        _ if !score.value.is_finite() => "–".into(),
        Some(error) => format!("{:.decimals$} ± {error:.decimals$}", score.value),
        // The place of an error stays empty.
        None => format!("{:.decimals$}", score.value),
    }
}
