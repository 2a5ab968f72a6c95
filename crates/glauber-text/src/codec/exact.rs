//! Which tokenizers give every text back, and which encode a part of a text as they encode the
//! whole.

use std::collections::HashSet;

use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{DecoderWrapper, Model, SplitDelimiterBehavior, Tokenizer};

/// What is known of a tokenizer from its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nature {
    /// Any text comes back from its tokens, byte for byte: nothing needs to be measured.
    pub(super) exact: bool,
    /// A stretch of text is encoded alike wherever it begins: nothing is put before it, stripped
    /// from it or joined to it.
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

/// Whether a pre-tokenizer cuts text into bytes; `None` when it puts something in or takes
/// something out.
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

/// Whether a normaliser looks at characters and their neighbours alone.
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

/// Whether the tokens that are found in ordinary text spell what they were found in.
fn added_tokens_come_back(tokenizer: &Tokenizer) -> bool {
    let alphabet: HashSet<char> = ByteLevel::alphabet().into_iter().collect();
    tokenizer.get_added_tokens_decoder().values().filter(|token| !token.special).all(|token| {
        // Decoding takes a name over the byte-level alphabet for bytes.
        let spelled = token.content.is_ascii() || !token.content.chars().all(|letter| alphabet.contains(&letter));
        spelled && !token.lstrip && !token.rstrip
    })
}
