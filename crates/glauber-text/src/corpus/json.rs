//! A text field of JSON objects: one per line, in sequence, or in arrays.

mod record;
mod split;

use std::io::Read;

use serde_json::Value;

use super::decoded::Decoded;
use super::source::Source;
use super::{Passage, listed};
use crate::TextError;
use record::{field, fields, kind};
use split::Records;

/// Read in search of the end of a first object.
const FIRST: u64 = 16 << 20;

/// Reads the string field `column` of every object; skips objects without one (null or absent). If all objects lack the
/// field, that is an error.
pub(super) fn read(
    source: &Source,
    column: &str,
) -> Result<impl Iterator<Item = Result<Option<Passage>, TextError>> + Send + use<>, TextError> {
    let mut records = Records::new(Decoded::open(source)?, &source.path);
    let (path, column) = (source.path.clone(), column.to_owned());
    // The first object, as long as all lack the field.
    let (mut lacking, mut there) = (None, false);
    let mut next = move || -> Result<Option<Option<Passage>>, TextError> {
        let Some((line, record)) = records.next()? else {
            return match lacking.take() {
                Some((line, found)) if !there => Err(TextError::Column {
                    path: path.clone(),
                    place: format!(", line {line}"),
                    column: column.clone(),
                    found,
                }),
                _ => Ok(None),
            };
        };
        let found = field(&record, &column).map_err(|error| split::malformed(&path, line, &error))?;
        there |= found.is_some();
        match found {
            Some(Value::String(text)) => Ok(Some(Some(Passage { text, continues: false }))),
            Some(Value::Null) => Ok(Some(None)),
            Some(other) => {
                let (path, place) = (path.clone(), format!(", line {line}"));
                Err(TextError::NotAString { path, place, column: column.clone(), found: kind(&other) })
            }
            None => {
                if !there && lacking.is_none() {
                    lacking = Some((line, listed(fields(&record).into_iter())));
                }
                Ok(Some(None))
            }
        }
    };
    Ok(std::iter::from_fn(move || next().transpose()))
}

/// Whether a file starts with an object (with `column`, if given).
pub(super) fn begins(source: &Source, column: Option<&str>) -> bool {
    let first = Decoded::open(source).and_then(|text| Records::new(text.take(FIRST), &source.path).next());
    match (first, column) {
        (Ok(Some((_, record))), Some(column)) => field(&record, column).is_ok_and(|found| found.is_some()),
        (Ok(Some((_, record))), None) => field(&record, "").is_ok(),
        _ => false,
    }
}
