//! The saved form of byte and character vocabularies. Everything else is saved as a standard `tokenizer.json`.

use serde::{Deserialize, Serialize};

use super::Content;
use super::characters::Characters;
use crate::TextError;

/// The fields of a saved byte or character vocabulary. A `tokenizer.json` has no `glauber_text` field.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    /// Version of this layout.
    glauber_text: u32,
    kind: Kind,
    mask: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Kind {
    Bytes,
    Characters { characters: String, unknown: bool },
}

const VERSION: u32 = 1;

/// The saved form of bytes or characters.
pub(super) fn write(content: &Content, mask: bool) -> String {
    let kind = match content {
        Content::Characters(c) => {
            Kind::Characters { characters: c.characters().iter().collect(), unknown: c.has_unknown() }
        }
        _ => Kind::Bytes,
    };
    let saved = Saved { glauber_text: VERSION, kind, mask };
    serde_json::to_string_pretty(&saved).expect("strings and flags always serialise")
}

/// Reads back what was written in a layout.
pub(super) fn parse(json: &str, version: u32, subject: &str) -> Result<(Content, bool), TextError> {
    if version != VERSION {
        let reason =
            format!("saved in layout {version}, this program reads layout {VERSION}; use the program that wrote it");
        return Err(TextError::tokenizer(subject, reason));
    }
    let saved: Saved = serde_json::from_str(json).map_err(|e| TextError::tokenizer(subject, e))?;
    let content = match saved.kind {
        Kind::Bytes => Content::Bytes,
        Kind::Characters { characters, unknown } => {
            Content::Characters(Characters::new(characters.chars().collect(), unknown))
        }
    };
    Ok((content, saved.mask))
}
