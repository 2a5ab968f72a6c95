//! Byte-level byte-pair encoding, and what every tokenizer file needs to become a codec.

use std::path::Path;

use glauber_tokens::Token;
use tokenizers::models::ModelWrapper;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Model, Tokenizer};

use super::END_OF_TEXT;
use crate::TextError;

/// Bytes plus the end of text.
const SMALLEST: usize = 257;

/// Learns a byte-level BPE vocabulary of at most `vocab_size` tokens, end of text included.
pub(super) fn train(vocab_size: usize, sample: &[String]) -> Result<Tokenizer, TextError> {
    let setting = "vocab_size of kind = \"bpe\"";
    if vocab_size < SMALLEST {
        let reason = format!("found {vocab_size}, expected at least {SMALLEST}: 256 bytes and the end of text");
        return Err(TextError::tokenizer(setting, reason));
    }
    if u32::try_from(vocab_size).is_err() {
        return Err(TextError::tokenizer(setting, format!("found {vocab_size}, expected less than 2³²")));
    }
    if sample.is_empty() {
        return Err(TextError::tokenizer("kind = \"bpe\"", "there is no text to learn from; the corpus is empty"));
    }
    let mut trainer: TrainerWrapper = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(vocab_size - 1)
        .min_frequency(2)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build()
        .into();
    let mut tokenizer = byte_level(BPE::default());
    tokenizer.train(&mut trainer, sample.iter()).map_err(|e| TextError::tokenizer("training BPE", e))?;
    Ok(tokenizer)
}

/// GPT-2's tokenizer from its two files.
pub(super) fn gpt2(vocab: &Path, merges: &Path) -> Result<Tokenizer, TextError> {
    for path in [vocab, merges] {
        std::fs::File::open(path).map_err(TextError::io("read", path))?;
    }
    let text = |path: &Path| {
        path.to_str()
            .map(str::to_owned)
            .ok_or_else(|| TextError::tokenizer(path.display().to_string(), "the path is not UTF-8; rename it"))
    };
    let bpe = BPE::from_file(&text(vocab)?, &text(merges)?).build().map_err(|e| {
        let subject = format!("{} with {}", vocab.display(), merges.display());
        TextError::tokenizer(subject, format!("expected GPT-2's vocab.json and merges.txt: {e}"))
    })?;
    let tokenizer = byte_level(bpe);
    if tokenizer.token_to_id(END_OF_TEXT).is_none() {
        return Err(TextError::tokenizer(
            vocab.display().to_string(),
            format!("no token {END_OF_TEXT}; is this GPT-2's vocab.json?"),
        ));
    }
    Ok(tokenizer)
}

/// A model on GPT-2's byte-level words, without a space put before the text.
fn byte_level(model: BPE) -> Tokenizer {
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    tokenizer
}

/// Switches off whatever would cut, pad or randomise an encoding.
pub(super) fn make_deterministic(tokenizer: &mut Tokenizer, subject: &str) -> Result<(), TextError> {
    tokenizer.with_truncation(None).map_err(|e| TextError::tokenizer(subject, e))?;
    tokenizer.with_padding(None);
    if let ModelWrapper::BPE(bpe) = tokenizer.get_model()
        && bpe.dropout.is_some()
    {
        let mut bpe = bpe.clone();
        bpe.dropout = None;
        tokenizer.with_model(bpe);
    }
    Ok(())
}

/// Marks `name` as special, adding it at the end if the vocabulary lacks it, and gives its id.
pub(super) fn add_special(tokenizer: &mut Tokenizer, name: &str) -> Result<Token, TextError> {
    let refused = |e: String| TextError::tokenizer(format!("the special token {name}"), e);
    tokenizer.add_special_tokens([AddedToken::from(name, true)]).map_err(|e| refused(e.to_string()))?;
    tokenizer.token_to_id(name).ok_or_else(|| refused("the tokenizer did not take it".to_owned()))
}

/// Refuses two tokens of one id: ids are handed to new tokens by counting, which meets an id in use where a file leaves holes.
pub(super) fn check_ids(tokenizer: &Tokenizer, subject: &str) -> Result<(), TextError> {
    let mut names: Vec<(Token, String)> = tokenizer.get_vocab(true).into_iter().map(|(name, id)| (id, name)).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        None => Ok(()),
        Some(pair) => {
            let (id, first, second) = (pair[0].0, &pair[0].1, &pair[1].1);
            let reason = format!(
                "{first:?} and {second:?} share the id {id} because the ids of the file have holes; give its tokens the ids 0, 1, 2, … \
                 or add the end of text and the mask to its vocabulary"
            );
            Err(TextError::tokenizer(subject, reason))
        }
    }
}

/// One above the largest id.
pub(super) fn vocab_size(tokenizer: &Tokenizer) -> usize {
    tokenizer.get_vocab(true).into_values().max().map_or(0, |largest| largest as usize + 1)
}

/// Ids of the tokens that stand for structure: all special tokens of the file but its unknown token, which is content.
pub(super) fn special_ids(tokenizer: &Tokenizer) -> Vec<Token> {
    let unknown = match tokenizer.get_model() {
        ModelWrapper::BPE(model) => model.unk_token.clone().and_then(|name| model.token_to_id(&name)),
        ModelWrapper::WordLevel(model) => model.token_to_id(&model.unk_token),
        ModelWrapper::WordPiece(model) => model.token_to_id(&model.unk_token),
        // The model keeps its unknown id to itself; these are the names in use.
        ModelWrapper::Unigram(model) => ["<unk>", "[UNK]"].iter().find_map(|name| model.token_to_id(name)),
    };
    let mut ids: Vec<Token> = tokenizer
        .get_added_tokens_decoder()
        .into_iter()
        .filter(|(id, token)| token.special && Some(*id) != unknown)
        .map(|(id, _)| id)
        .collect();
    ids.sort_unstable();
    ids
}

/// The text of one content token: decoded if that is lossless, else its name in the file, so that half a character shows its bytes.
pub(super) fn display(tokenizer: &Tokenizer, token: Token, name: &str) -> String {
    match tokenizer.decode(&[token], false) {
        Ok(text) if !text.is_empty() && !text.contains(char::REPLACEMENT_CHARACTER) => text,
        _ => bytes_of(name).unwrap_or_else(|| name.to_owned()),
    }
}

/// `<0xC3><0xA9>` for a byte-level name; `None` when the name is not byte-level.
fn bytes_of(name: &str) -> Option<String> {
    name.chars().map(|c| byte_of(c).map(|b| format!("<0x{b:02X}>"))).collect()
}

/// The byte a byte-level character stands for: printable Latin-1 stands for itself, the rest follow from U+0100 in ascending order.
fn byte_of(character: char) -> Option<u8> {
    let printable = |b: &u8| matches!(b, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    match u8::try_from(character as u32) {
        Ok(byte) => Some(byte).filter(printable),
        Err(_) => (0..=u8::MAX).filter(|b| !printable(b)).nth((character as usize).checked_sub(0x100)?),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn byte_level_names_cover_every_byte_once() {
        let alphabet = ByteLevel::alphabet();
        let bytes: HashSet<u8> = alphabet.iter().map(|&c| byte_of(c).unwrap()).collect();
        assert_eq!((alphabet.len(), bytes.len()), (256, 256));
        assert_eq!(byte_of('Ġ'), Some(b' '));
        assert_eq!(byte_of('Ċ'), Some(b'\n'));
        assert_eq!(byte_of('€'), None);
    }
}
