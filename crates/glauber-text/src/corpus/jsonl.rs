//! One JSON object a line.

use serde_json::{Map, Value};

use super::Passage;
use super::plain::Lines;
use super::source::Source;
use crate::TextError;

/// Reads a `.jsonl` file: the string field `column` of every line that is not blank.
pub(super) fn read(
    source: &Source,
    column: &str,
) -> Result<impl Iterator<Item = Result<Passage, TextError>> + Send + use<>, TextError> {
    let mut lines = Lines::open(source, u64::MAX)?;
    let (path, column) = (source.path.clone(), column.to_owned());
    let mut number = 0u64;
    let mut next = move || -> Result<Option<Passage>, TextError> {
        while let Some(line) = lines.next()? {
            number += 1;
            if line.trim().is_empty() {
                continue;
            }
            let mut record: Map<String, Value> = serde_json::from_str(&line).map_err(|e| TextError::Json {
                path: path.clone(),
                line: number,
                reason: e.to_string(),
            })?;
            return match record.get_mut(&column).map(Value::take) {
                Some(Value::String(text)) => Ok(Some(Passage { text, continues: false })),
                other => {
                    if let Some(value) = other {
                        record.insert(column.clone(), value);
                    }
                    Err(TextError::Column {
                        path: path.clone(),
                        place: format!(", line {number}"),
                        column: column.clone(),
                        found: describe(&record),
                    })
                }
            };
        }
        Ok(None)
    };
    Ok(std::iter::from_fn(move || next().transpose()))
}

/// The fields of a record with their types.
fn describe(record: &Map<String, Value>) -> String {
    if record.is_empty() {
        return "no fields".to_owned();
    }
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    record.iter().map(|(name, value)| format!("{name} ({})", kind(value))).collect::<Vec<_>>().join(", ")
}
