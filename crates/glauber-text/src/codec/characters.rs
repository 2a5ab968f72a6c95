//! One token per character.

use std::collections::HashMap;

use glauber_tokens::Token;

use crate::TextError;

/// Characters in the order of their code points, and one unknown token behind them if the vocabulary is limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Characters {
    characters: Vec<char>,
    tokens: HashMap<char, Token>,
    unknown: bool,
}

impl Characters {
    /// Takes an alphabet, sorted here; repetitions count once.
    pub(crate) fn new(mut characters: Vec<char>, unknown: bool) -> Self {
        characters.sort_unstable();
        characters.dedup();
        let tokens = (0..).zip(&characters).map(|(token, &c)| (c, token)).collect();
        Self { characters, tokens, unknown }
    }

    /// The characters of a corpus; with a limit the most frequent ones (of equally frequent ones the lower code points).
    pub(crate) fn count(
        documents: impl IntoIterator<Item = Result<String, TextError>>,
        limit: Option<usize>,
    ) -> Result<Self, TextError> {
        let setting = "max_characters of kind = \"characters\"";
        if limit == Some(0) {
            return Err(TextError::tokenizer(setting, "0 keeps no character; expected at least 1"));
        }
        let mut counts = vec![0u64; char::MAX as usize + 1];
        for document in documents {
            document?.chars().for_each(|c| counts[c as usize] += 1);
        }
        let mut found: Vec<char> = ('\0'..=char::MAX).filter(|&c| counts[c as usize] > 0).collect();
        if found.is_empty() {
            return Err(TextError::tokenizer(
                "kind = \"characters\"",
                "there is no text to collect characters from; the corpus is empty",
            ));
        }
        if let Some(limit) = limit {
            // Stable: equal counts stay in code-point order.
            found.sort_by_key(|&c| std::cmp::Reverse(counts[c as usize]));
            found.truncate(limit);
        }
        Ok(Self::new(found, limit.is_some()))
    }

    /// Number of content tokens, the unknown one included.
    pub(crate) fn size(&self) -> usize {
        self.characters.len() + usize::from(self.unknown)
    }

    /// The alphabet, ascending.
    pub(crate) fn characters(&self) -> &[char] {
        &self.characters
    }

    /// Whether there is an unknown token.
    pub(crate) fn has_unknown(&self) -> bool {
        self.unknown
    }

    /// The token of all characters outside the vocabulary.
    pub(crate) fn unknown(&self) -> Option<Token> {
        self.unknown.then_some(self.characters.len() as Token)
    }

    /// The token of a character.
    pub(crate) fn token(&self, character: char) -> Result<Token, TextError> {
        match self.tokens.get(&character) {
            Some(&token) => Ok(token),
            None => self.unknown().ok_or(TextError::UnknownCharacter { character, size: self.characters.len() }),
        }
    }

    /// The character of a token; U+FFFD for the unknown one.
    pub(crate) fn character(&self, token: Token) -> char {
        self.characters.get(token as usize).copied().unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, limit: Option<usize>) -> Result<Characters, TextError> {
        Characters::count([Ok(text.to_owned())], limit)
    }

    #[test]
    fn characters_are_sorted_and_others_are_named() {
        let characters = of("banana\n", None).unwrap();
        assert_eq!(characters.characters(), ['\n', 'a', 'b', 'n']);
        let error = characters.token('é').unwrap_err().to_string();
        assert!(error.contains("'é' (U+00E9)"), "{error}");
    }

    #[test]
    fn a_limit_keeps_the_most_frequent_and_adds_an_unknown_token() {
        let characters = of("aaabbcd", Some(3)).unwrap();
        assert_eq!(characters.characters(), ['a', 'b', 'c']);
        assert_eq!(characters.token('d').unwrap(), 3);
        assert_eq!(characters.character(3), '\u{FFFD}');
        assert_eq!(characters.size(), 4);
    }

    #[test]
    fn nothing_to_learn_from_is_an_error() {
        assert!(of("", None).is_err());
        assert!(of("a", Some(0)).is_err());
    }
}
