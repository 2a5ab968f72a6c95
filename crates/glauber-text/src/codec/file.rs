//! Reads and checks tokenizer files.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;

use glauber_tokens::Token;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::TextError;

/// Maximal holes in ids per token, in addition to [`SPARE`].
const HOLES: usize = 4;
/// Holes allowed in any vocabulary.
const SPARE: usize = 1024;

/// The text of a file, without a byte-order mark.
pub(super) fn read(path: &Path) -> Result<String, TextError> {
    glauber_files::read_text(path).map_err(TextError::io("read", path))
}

/// The part of a tokenizer file that is checked first.
#[derive(Deserialize)]
pub(super) struct Head {
    /// The layout of our own files, which a `tokenizer.json` does not name.
    pub(super) glauber_text: Option<u32>,
    model: Option<Model>,
}

#[derive(Deserialize)]
struct Model {
    vocab: Option<Names>,
    merges: Option<Vec<Merge>>,
    unk_id: Option<Token>,
    continuing_subword_prefix: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Line(String),
    Other(IgnoredAny),
}

impl Head {
    /// Reads the head of a file and checks its ids and merges.
    pub(super) fn of(json: &str, subject: &str) -> Result<Self, TextError> {
        let refused = |e| TextError::tokenizer(subject, format!("not a tokenizer file: {e}"));
        let head: Self = serde_json::from_str(json).map_err(refused)?;
        let Some(Model { vocab: Some(names), merges, continuing_subword_prefix, .. }) = &head.model else {
            return Ok(head);
        };
        names.check(subject)?;
        let prefix = continuing_subword_prefix.as_deref().unwrap_or_default();
        let pairs = merges.iter().flatten().filter_map(|merge| match merge {
            Merge::Pair(left, right) => Some((left.as_str(), right.as_str())),
            Merge::Line(line) => line.split_once(' '),
            Merge::Other(_) => None,
        });
        names.check_merges(pairs, prefix, subject)?;
        Ok(head)
    }

    /// The id of the unknown token, where the model gives it by number.
    pub(super) fn unknown(&self) -> Option<Token> {
        self.model.as_ref().and_then(|model| model.unk_id)
    }
}

/// A vocabulary by name, in the order of the file; empty if the file lists scores in the order of ids.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<(String, Token)>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tokens with their ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    let id = value.as_u64().and_then(|id| Token::try_from(id).ok()).ok_or_else(|| {
                        A::Error::custom(format!("the token {name:?} has the id {value}, expected a number from 0"))
                    })?;
                    names.push((name, id));
                }
                Ok(Names(names))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Names, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Names::default())
            }
        }
        deserializer.deserialize_any(Entries)
    }
}

impl Names {
    /// Reads a vocabulary of its own file and checks its ids.
    pub(super) fn parse(json: &str, subject: &str) -> Result<Self, TextError> {
        let refused = |e| TextError::tokenizer(subject, format!("expected a JSON object of tokens and ids: {e}"));
        let names: Self = serde_json::from_str(json).map_err(refused)?;
        names.check(subject)?;
        Ok(names)
    }

    /// Each name with its id.
    pub(super) fn into_iter(self) -> impl Iterator<Item = (String, Token)> {
        self.0.into_iter()
    }

    /// Rejects duplicate names and ids, and ids with too many unused rows between them.
    fn check(&self, subject: &str) -> Result<(), TextError> {
        let (mut names, mut ids) = (HashSet::new(), HashMap::new());
        for (name, id) in &self.0 {
            let problem = if !names.insert(name) {
                format!("the token {name:?} stands twice in the vocabulary; remove one of them")
            } else if let Some(other) = ids.insert(id, name) {
                format!("{other:?} and {name:?} share the id {id}; give each token an id of its own")
            } else {
                continue;
            };
            return Err(TextError::tokenizer(subject, problem));
        }
        match self.0.iter().max_by_key(|(_, id)| id) {
            Some((name, id)) if *id as usize >= HOLES * self.0.len() + SPARE => {
                let tokens = self.0.len();
                let problem = format!(
                    "{name:?} has the id {id} in a vocabulary of {tokens} tokens; give the tokens the ids 0, 1, 2, …"
                );
                Err(TextError::tokenizer(subject, problem))
            }
            _ => Ok(()),
        }
    }

    /// Rejects merges whose parts or result are not in the vocabulary.
    pub(super) fn check_merges<'a>(
        &self,
        merges: impl Iterator<Item = (&'a str, &'a str)>,
        prefix: &str,
        subject: &str,
    ) -> Result<(), TextError> {
        let names: HashSet<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        for (left, right) in merges {
            let joined = right.get(prefix.len()..).map(|rest| format!("{left}{rest}"));
            let known = |name: &str| names.contains(name);
            if !known(left) || !known(right) || !joined.as_deref().is_some_and(known) {
                let problem = format!(
                    "the merge of {left:?} and {right:?} needs both tokens and what they make, and the vocabulary lacks one; \
                     take vocabulary and merges of one tokenizer"
                );
                return Err(TextError::tokenizer(subject, problem));
            }
        }
        Ok(())
    }
}
