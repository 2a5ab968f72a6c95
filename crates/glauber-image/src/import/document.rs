//! Foreign configurations: JSON or YAML, read key by key so that an error can name the key.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::ImageError;

/// A configuration file of another project.
pub(crate) struct Document {
    path: PathBuf,
    root: Value,
}

impl Document {
    pub fn json(path: &Path) -> Result<Self, ImageError> {
        let text = glauber_files::read_text(path).map_err(ImageError::io(path))?;
        let root = serde_json::from_str(&text);
        let root = root.map_err(|error| ImageError::malformed(path, error, "expected JSON as diffusers saves it"))?;
        Ok(Self { path: path.into(), root })
    }

    pub fn yaml(path: &Path) -> Result<Self, ImageError> {
        let text = glauber_files::read_text(path).map_err(ImageError::io(path))?;
        let root = serde_saphyr::from_str(&text);
        let root = root.map_err(|error| ImageError::malformed(path, error, "expected YAML"))?;
        Ok(Self { path: path.into(), root })
    }

    /// The value at a key with its tables, `a.b.c`; null counts as absent.
    pub fn get(&self, key: &str) -> Option<&Value> {
        key.split('.').try_fold(&self.root, |value, part| value.get(part)).filter(|value| !value.is_null())
    }

    pub fn size(&self, key: &str) -> Result<usize, ImageError> {
        self.required(key, "a whole number", as_size)
    }

    pub fn size_or(&self, key: &str, otherwise: usize) -> Result<usize, ImageError> {
        self.optional(key, "a whole number", as_size).map(|found| found.unwrap_or(otherwise))
    }

    pub fn sizes(&self, key: &str) -> Result<Vec<usize>, ImageError> {
        let all = |value: &Value| value.as_array()?.iter().map(as_size).collect();
        self.required(key, "a list of whole numbers", all)
    }

    pub fn texts(&self, key: &str) -> Result<Vec<String>, ImageError> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        self.required(key, "a list of names", |value| value.as_array()?.iter().map(text).collect())
    }

    pub fn text(&self, key: &str) -> Result<String, ImageError> {
        self.required(key, "a name", |value| value.as_str().map(str::to_owned))
    }

    pub fn flag_or(&self, key: &str, otherwise: bool) -> Result<bool, ImageError> {
        self.optional(key, "true or false", Value::as_bool).map(|found| found.unwrap_or(otherwise))
    }

    /// Rejects a key with a value other than `expected`.
    pub fn only_value(&self, key: &str, expected: &Value) -> Result<(), ImageError> {
        match self.get(key) {
            Some(found) if found != expected => Err(self.unsupported(key, expected.to_string())),
            _ => Ok(()),
        }
    }

    /// Rejects unknown keys of a table (or of the document, if the table name is empty), except those that start with
    /// `_`.
    pub fn only_keys(&self, table: &str, known: &[&str]) -> Result<(), ImageError> {
        let value = if table.is_empty() { Some(&self.root) } else { self.get(table) };
        let expected = "a table";
        let keys = match value {
            Some(Value::Object(keys)) => keys,
            Some(_) => return Err(self.unsupported(table, expected)),
            None => return Err(self.missing(table, expected)),
        };
        let stranger = keys.iter().find(|(key, value)| {
            let passes = key.starts_with('_') || value.is_null();
            !passes && !known.contains(&key.as_str())
        });
        match stranger {
            Some((key, _)) if table.is_empty() => Err(self.unsupported(key, "no such key")),
            Some((key, _)) => Err(self.unsupported(&format!("{table}.{key}"), "no such key")),
            None => Ok(()),
        }
    }

    pub fn unsupported(&self, key: &str, expected: impl Into<String>) -> ImageError {
        let found = self.get(key).map_or_else(|| "absent".to_owned(), Value::to_string);
        self.refused(format!("`{key}` is {found}"), expected)
    }

    /// Converts an error about the configuration: replaces our keys by this document's keys, also between backticks in
    /// the expectation.
    pub fn in_its_words(&self, error: ImageError, foreign: impl Fn(&str) -> String) -> ImageError {
        match error {
            ImageError::Setting { key, found, expected } => {
                let theirs = |(at, part): (usize, &str)| if at % 2 == 1 { foreign(part) } else { part.to_owned() };
                let expected = expected.split('`').enumerate().map(theirs).collect::<Vec<_>>().join("`");
                self.refused(format!("`{}` is {found}", foreign(&key)), expected)
            }
            other => other,
        }
    }

    fn missing(&self, key: &str, expected: &str) -> ImageError {
        self.refused(format!("no key `{key}`"), expected)
    }

    fn refused(&self, found: String, expected: impl Into<String>) -> ImageError {
        ImageError::Unsupported { path: self.path.clone(), found, expected: expected.into() }
    }

    fn optional<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, ImageError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        read(value).map(Some).ok_or_else(|| self.unsupported(key, expected))
    }

    fn required<T>(&self, key: &str, expected: &str, read: impl FnOnce(&Value) -> Option<T>) -> Result<T, ImageError> {
        self.optional(key, expected, read)?.ok_or_else(|| self.missing(key, expected))
    }
}

fn as_size(value: &Value) -> Option<usize> {
    usize::try_from(value.as_u64()?).ok()
}
