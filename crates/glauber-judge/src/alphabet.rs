//! Characters as tokens.

use glauber_tokens::Token;

use crate::Texts;

/// The characters of a text in order, and one token more for any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alphabet(Vec<char>);

impl Alphabet {
    pub fn of(texts: &Texts) -> Self {
        let mut characters: Vec<char> = texts.iter().flatten().copied().collect();
        characters.sort_unstable();
        characters.dedup();
        Self(characters)
    }

    /// The token of every character that the text does not have.
    pub fn unknown(&self) -> Token {
        self.0.len() as Token
    }

    /// Number of tokens.
    pub fn vocab(&self) -> usize {
        self.0.len() + 1
    }

    pub fn encode(&self, text: &[char]) -> Vec<Token> {
        let token = |character| self.0.binary_search(character).map_or(self.unknown(), |at| at as Token);
        text.iter().map(token).collect()
    }

    pub fn decode(&self, tokens: &[Token]) -> Vec<char> {
        let character = |&token: &Token| self.0.get(token as usize).copied();
        tokens.iter().map(|token| character(token).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    }
}
