//! Detects tokenizers that decode every text exactly, and those that encode a part of a text as in the whole.

use std::collections::HashSet;

use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{DecoderWrapper, Model, SplitDelimiterBehavior, Tokenizer};

/// Properties of a tokenizer, derived from its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nature {
    /// Every text decodes byte for byte, so coverage need not be measured.
    pub(super) exact: bool,
    /// A part of a text is encoded independently of its position: nothing is prepended, stripped or joined.
    pub(super) piecewise: bool,
}

impl Nature {
    /// Bytes and characters.
    pub(super) const OWN: Self = Self { exact: true, piecewise: true };

    pub(super) fn of(tokenizer: &Tokenizer) -> Self {
        let byte_level = tokenizer.get_pre_tokenizer().is_some_and(|parts| keeps(parts) == Some(true));
        let piecewise = byte_level && tokenizer.get_normalizer().is_none_or(is_local);
        let exact = piecewise
            && tokenizer.get_normalizer().is_none()
            && tokenizer.get_decoder().is_some_and(|decoder| matches!(decoder, DecoderWrapper::ByteLevel(_)))
            && has_all_bytes(tokenizer.get_model())
            && added_tokens_come_back(tokenizer);
        Self { exact, piecewise }
    }
}

/// Whether a pre-tokenizer splits text into bytes; `None` if it inserts or removes text.
fn keeps(part: &PreTokenizerWrapper) -> Option<bool> {
    match part {
        PreTokenizerWrapper::ByteLevel(bytes) => (!bytes.add_prefix_space).then_some(true),
        PreTokenizerWrapper::Split(split) => (split.behavior != SplitDelimiterBehavior::Removed).then_some(false),
        PreTokenizerWrapper::Digits(_) => Some(false),
        PreTokenizerWrapper::Sequence(parts) => {
            parts.as_ref().iter().map(keeps).try_fold(false, |bytes, part| Some(bytes | part?))
        }
        _ => None,
    }
}

/// Whether a normaliser depends only on characters and their neighbours.
fn is_local(part: &NormalizerWrapper) -> bool {
    match part {
        NormalizerWrapper::Sequence(parts) => parts.as_ref().iter().all(is_local),
        NormalizerWrapper::Prepend(_) | NormalizerWrapper::StripNormalizer(_) => false,
        _ => true,
    }
}

/// Whether a byte-pair encoding has a token for each byte, at any place of a word.
fn has_all_bytes(model: &ModelWrapper) -> bool {
    let ModelWrapper::BPE(model) = model else { return false };
    let plain = |affix: &Option<String>| affix.as_deref().unwrap_or_default().is_empty();
    plain(&model.continuing_subword_prefix)
        && plain(&model.end_of_word_suffix)
        && ByteLevel::alphabet().iter().all(|letter| model.token_to_id(letter.encode_utf8(&mut [0; 4])).is_some())
}

/// Whether tokens matched in ordinary text decode to the matched text.
fn added_tokens_come_back(tokenizer: &Tokenizer) -> bool {
    let alphabet: HashSet<char> = ByteLevel::alphabet().into_iter().collect();
    tokenizer.get_added_tokens_decoder().values().filter(|token| !token.special).all(|token| {
        // Decoding takes a name over the byte-level alphabet for bytes.
        let spelled = token.content.is_ascii() || !token.content.chars().all(|letter| alphabet.contains(&letter));
        spelled && !token.lstrip && !token.rstrip
    })
}
