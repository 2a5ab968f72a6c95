//! Encoding of text within other text, and its coverage.

use std::panic::{AssertUnwindSafe, catch_unwind};

use glauber_tokens::{Codec, Token};

use super::coverage::Coverage;
use super::traced::Traced;
use super::{Content, TextCodec};
use crate::TextError;

impl TextCodec {
    /// The tokens of a text, and their coverage.
    ///
    /// # Errors
    /// Those of encoding.
    pub fn measure(&self, text: &str) -> Result<(Vec<Token>, Coverage), TextError> {
        self.encode_between("", text, "", true)
    }

    /// Whether every text decodes exactly, so that coverage need not be measured.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.nature.exact && self.unknown_of_characters().is_none()
    }

    /// Whether [`decode`](Codec::decode) uses the file's decoder; without one it puts spaces between tokens.
    #[must_use]
    pub fn has_decoder(&self) -> bool {
        !matches!(&self.content, Content::Tokenizer(tokenizer) if tokenizer.get_decoder().is_none())
    }

    /// Whether a part of a text is encoded independently of the text around it.
    pub(crate) fn is_piecewise(&self) -> bool {
        self.nature.piecewise
    }

    /// The tokens of a text between two others, and their coverage. A token belongs to the text in which it starts.
    /// With `compare` the decoded tokens are compared with the text.
    pub(crate) fn encode_between(
        &self,
        before: &str,
        text: &str,
        after: &str,
        compare: bool,
    ) -> Result<(Vec<Token>, Coverage), TextError> {
        let Content::Tokenizer(tokenizer) = &self.content else {
            let tokens = self.encode(text)?;
            let unknown = self.unknown_of_characters();
            let unknown = tokens.iter().filter(|&&token| Some(token) == unknown).count() as u64;
            return Ok((tokens, Coverage { characters: text.chars().count() as u64, unknown, ..Coverage::default() }));
        };
        if self.nature.exact {
            let coverage = Coverage { characters: text.chars().count() as u64, ..Coverage::default() };
            return Ok((self.encode(text)?, coverage));
        }
        let whole = [before, text, after].concat();
        let traced = self.encoded(|| Traced::new(tokenizer, self.unknown, &whole))?;
        let stretch = before.len()..before.len() + text.len();
        let end = if after.is_empty() { usize::MAX } else { stretch.end };
        let tokens = traced.within(&(stretch.start..end));
        self.expect_content(&tokens)?;
        let altered = u64::from(compare && !traced.comes_back());
        Ok((tokens, Coverage { altered, ..traced.coverage(stretch) }))
    }

    /// The tokens of a text with their positions; `None` for bytes and characters, whose positions are trivial.
    pub(crate) fn trace<'a>(&'a self, text: &'a str) -> Result<Option<Traced<'a>>, TextError> {
        let Content::Tokenizer(tokenizer) = &self.content else { return Ok(None) };
        let traced = self.encoded(|| Traced::new(tokenizer, self.unknown, text))?;
        self.expect_content(&traced.tokens)?;
        Ok(Some(traced))
    }

    /// Decodes tokens after other tokens: with the joining space, and without one that only starts a text.
    pub(crate) fn decode_after(&self, before: &[Token], tokens: &[Token]) -> Result<String, TextError> {
        if self.nature.exact || before.is_empty() {
            return self.decode(tokens);
        }
        let alone = self.decode(before)?;
        let mut both = self.decode(&[before, tokens].concat())?;
        let shared = alone.chars().zip(both.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
        Ok(both.split_off(shared))
    }

    /// The unknown token of a vocabulary of characters.
    fn unknown_of_characters(&self) -> Option<Token> {
        self.unknown.filter(|_| matches!(self.content, Content::Characters(_)))
    }

    /// Rejects structural tokens in ordinary text.
    pub(super) fn expect_content(&self, tokens: &[Token]) -> Result<(), TextError> {
        match tokens.iter().find(|token| self.special.binary_search(token).is_ok()) {
            None => Ok(()),
            Some(&token) => Err(TextError::StructureInText { token, name: self.token_text(token) }),
        }
    }

    /// Encodes with a tokenizer file. It may have no token for a part, not even an unknown one. A regular expression
    /// that fails panics in its library; this is caught.
    pub(super) fn encoded<T>(&self, encode: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, TextError> {
        let reason = match catch_unwind(AssertUnwindSafe(encode)) {
            Ok(Ok(encoded)) => return Ok(encoded),
            Ok(Err(error)) => format!(
                "it has no token for a part of the text and no unknown token ({error}); add the unknown token to its vocabulary, or \
                 use another tokenizer"
            ),
            Err(_) => {
                "one of its regular expressions fails on a text; simplify the expression, or split the text".into()
            }
        };
        Err(TextError::tokenizer(&self.subject, reason))
    }
}
