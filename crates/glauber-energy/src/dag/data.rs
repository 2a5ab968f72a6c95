//! Tables of numbers.

use std::io::Read;

use super::MAX_NODES;
use crate::{EnergyError, Result};

/// Observations of named variables: the data that graphs are scored on.
#[derive(Debug, Clone, PartialEq)]
pub struct DataTable {
    names: Vec<String>,
    /// Shape `[row · column]`.
    values: Vec<f64>,
}

impl DataTable {
    /// From names, shape `[column]`, and values, shape `[row · column]`.
    ///
    /// # Errors
    /// When the columns are not 2 to 64 with distinct names, or rows are ragged or fewer than 2.
    /// When a value is not finite, or a column is constant. The message names row and column; rows count
    /// from 1.
    pub fn new(names: Vec<String>, values: Vec<f64>) -> Result<Self> {
        check_names(&names)?;
        let columns = names.len();
        if !values.len().is_multiple_of(columns) {
            return refuse(format!("found {} values, expected a multiple of {columns} columns", values.len()));
        }
        let rows = values.len() / columns;
        if rows < 2 {
            return refuse(format!("found {rows} rows, expected at least 2"));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return refuse(unreadable(at / columns + 1, &names[at % columns], &values[at].to_string()));
        }
        for (column, name) in names.iter().enumerate() {
            let first = values[column];
            if values.iter().skip(column).step_by(columns).all(|&value| value == first) {
                return refuse(format!("column {name:?} is {first} in every row, expected values that differ"));
            }
        }
        Ok(Self { names, values })
    }

    /// From comma-separated values: a header with the names, then rows of numbers. Blanks around a
    /// field do not count.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when the text cannot be read or a field is no number. The first
    /// row below the header is row 1.
    pub fn from_csv(reader: impl Read) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(reader);
        let unread = |error: csv::Error| EnergyError::Data(format!("the table cannot be read: {error}"));
        let names: Vec<String> = reader.headers().map_err(unread)?.iter().map(str::to_owned).collect();
        check_names(&names)?;
        let mut values = Vec::new();
        for (row, record) in reader.records().enumerate() {
            let record = record.map_err(unread)?;
            if record.len() != names.len() {
                let (row, found, expected) = (row + 1, record.len(), names.len());
                return refuse(format!("row {row} has {found} fields, expected {expected} as in the header"));
            }
            for (field, name) in record.iter().zip(&names) {
                let value = field.parse::<f64>().ok().filter(|value| value.is_finite());
                let wrong = || EnergyError::Data(unreadable(row + 1, name, &format!("{field:?}")));
                values.push(value.ok_or_else(wrong)?);
            }
        }
        Self::new(names, values)
    }

    /// The names, shape `[column]`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of rows `N`.
    pub fn rows(&self) -> usize {
        self.values.len() / self.names.len()
    }

    /// Number of columns `d`.
    pub fn columns(&self) -> usize {
        self.names.len()
    }

    /// The values, shape `[row · column]`.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The same table with mean 0 and variance 1 (divisor `N`) in every column. Scores depend on
    /// the units of the data; standardised data have none.
    pub fn standardised(&self) -> Self {
        let (rows, columns) = (self.rows() as f64, self.columns());
        let mut values = self.values.clone();
        for column in 0..columns {
            let each = || self.values.iter().skip(column).step_by(columns);
            let mean = each().sum::<f64>() / rows;
            let spread = (each().map(|x| (x - mean).powi(2)).sum::<f64>() / rows).sqrt();
            values.iter_mut().skip(column).step_by(columns).for_each(|x| *x = (*x - mean) / spread);
        }
        Self { names: self.names.clone(), values }
    }
}

fn refuse<T>(text: String) -> Result<T> {
    Err(EnergyError::Data(text))
}

fn unreadable(row: usize, name: &str, found: &str) -> String {
    format!("row {row}, column {name:?}: found {found}, expected a finite number")
}

fn check_names(names: &[String]) -> Result<()> {
    if !(2..=MAX_NODES).contains(&names.len()) {
        let hint = if names.len() == 1 { "; fields are separated by commas" } else { "" };
        return refuse(format!(
            "the header has {} {}, expected 2 to {MAX_NODES}{hint}",
            names.len(),
            if names.len() == 1 { "column" } else { "columns" }
        ));
    }
    if names.iter().all(|name| name.parse::<f64>().is_ok()) {
        return refuse(format!("the first line has the numbers {}, expected names of columns", names.join(", ")));
    }
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() {
            return refuse(format!("column {} has no name in the header", at + 1));
        }
        if names[..at].contains(name) {
            return refuse(format!("the header has the name {name:?} twice"));
        }
    }
    Ok(())
}
