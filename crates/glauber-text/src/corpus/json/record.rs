//! Reads one field of a JSON object, and skips the rest.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::{Error as JsonError, Value};

use super::split::Strings;

/// The field of an object; the last one if it is repeated.
///
/// Other fields may contain numbers out of range (`1e999`), any depth of brackets, and Python's NaN and Infinity, which
/// count as null.
pub(super) fn field(record: &[u8], name: &str) -> Result<Option<Value>, JsonError> {
    leniently(record, |record| parse(record, Wanted(name.as_bytes())))
}

/// The names of all fields with what they hold, sorted.
pub(super) fn fields(record: &[u8]) -> Vec<String> {
    let Ok(all) = leniently(record, |record| serde_json::from_slice::<BTreeMap<String, Value>>(record)) else {
        return vec!["fields of other names".to_owned()];
    };
    let shown: Vec<String> = all.into_iter().map(|(name, field)| format!("{name} ({})", kind(&field))).collect();
    if shown.is_empty() { vec!["no fields".to_owned()] } else { shown }
}

/// What JSON calls a value of this kind.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn parse<'de, S: DeserializeSeed<'de>>(record: &'de [u8], seed: S) -> Result<S::Value, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(record);
    let value = seed.deserialize(&mut deserializer)?;
    deserializer.end().map(|()| value)
}

/// Parses strictly, and on failure once more without numbers that JSON does not allow.
fn leniently<T>(record: &[u8], parse: impl for<'a> Fn(&'a [u8]) -> Result<T, JsonError>) -> Result<T, JsonError> {
    parse(record).or_else(|error| match without_strange_numbers(record) {
        Some(record) => parse(&record),
        None => Err(error),
    })
}

/// Null in place of `NaN`, `Infinity` and `-Infinity` outside of strings; `None` if there is none of them.
fn without_strange_numbers(record: &[u8]) -> Option<Vec<u8>> {
    let (mut strings, mut plain, mut at, mut found) = (Strings::default(), Vec::new(), 0, false);
    while let Some(&byte) = record.get(at) {
        let rest = &record[at..];
        let word = [&b"NaN"[..], b"Infinity", b"-Infinity"].into_iter().find(|word| rest.starts_with(word));
        match word {
            Some(word) if !strings.inside() => {
                plain.extend(b"null");
                at += word.len();
                found = true;
            }
            _ => {
                strings.step(byte);
                plain.push(byte);
                at += 1;
            }
        }
    }
    found.then_some(plain)
}

/// Looks for a field of an object.
struct Wanted<'a>(&'a [u8]);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(wanted) = map.next_key_seed(Is(self.0))? {
            match wanted {
                true => found = Some(map.next_value()?),
                false => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

/// Compares a key.
struct Is<'a>(&'a [u8]);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    // As bytes: keys that are not asked for may hold half a character (`\ud800`).
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_bytes<E: Error>(self, key: &[u8]) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(record: &str) -> Option<String> {
        match field(record.as_bytes(), "text").unwrap_or_else(|error| panic!("{record}: {error}")) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    #[test]
    fn other_fields_may_hold_anything() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        let objects = format!("{}1{}", "{\"a\":".repeat(500), "}".repeat(500));
        for value in [
            "NaN",
            "-Infinity",
            "[Infinity, NaN]",
            "1e999",
            "-1e-999",
            &"9".repeat(400),
            &deep,
            &objects,
            r#""\ud800""#,
        ] {
            for record in [
                format!(r#"{{"text": "NaN \"Infinity", "other": {value}}}"#),
                format!(r#"{{"other": {value}, "text": "NaN \"Infinity"}}"#),
            ] {
                assert_eq!(text(&record).as_deref(), Some("NaN \"Infinity"), "{record}");
            }
        }
        assert_eq!(text(r#"{"\ud800": 1, "text": "a"}"#).as_deref(), Some("a"));
    }

    #[test]
    fn names_and_texts_are_unescaped_and_the_last_of_a_name_counts() {
        assert_eq!(text(r#"{"te\u0078t": "\ud834\udd1e\n"}"#).as_deref(), Some("𝄞\n"));
        assert_eq!(text(r#"{"text": "a", "text": "b"}"#).as_deref(), Some("b"));
        assert_eq!(text(r#"{"text": "a", "text": null}"#), None);
        for other in ["null", "NaN", "5", "-5", "0.5", "true", "[\"a\"]", "{\"text\": \"a\"}"] {
            assert_eq!(text(&format!("{{\"text\": {other}}}")), None);
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for record in
            ["", "5", "\"text\"", "[]", "{\"text\": }", "{\"text\": \"a\"", "{} {}", "{text: 1}", "{\"a\": nan}"]
        {
            assert!(field(record.as_bytes(), "text").is_err(), "{record}");
        }
    }
}
