//! Byte-level byte-pair encoding, and the conversion of tokenizer files to codecs.

use std::path::Path;

use glauber_tokens::Token;
use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    AddedToken, Model, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, Tokenizer, Trainer,
};

use super::END_OF_TEXT;
use super::file::{self, Names};
use crate::TextError;

/// Bytes plus the end of text.
const SMALLEST: usize = 257;
/// Merges are trained on at most this many bytes of the corpus.
pub(super) const SAMPLE_BYTES: usize = 32 << 20;
/// Pairs seen less often are not merged.
const LEAST: u64 = 2;
/// Letters of a word that merges are trained on together: the trainer's time grows with the square of them.
const LONGEST: usize = 512;

/// Documents up to the sample size, the last one cut at a character.
pub(super) fn sample(documents: impl IntoIterator<Item = Result<String, TextError>>) -> Result<Vec<String>, TextError> {
    let mut sample = Vec::new();
    let mut room = SAMPLE_BYTES;
    for document in documents {
        let mut document = document?;
        document.truncate(document.floor_char_boundary(room));
        room -= document.len();
        if !document.is_empty() {
            sample.push(document);
        }
        if room < char::MAX_LEN_UTF8 {
            break;
        }
    }
    Ok(sample)
}

/// Trains a byte-level BPE vocabulary of at most `vocab_size` tokens, including the end of text.
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
        return Err(TextError::tokenizer("kind = \"bpe\"", "there is no text to train on; the corpus is empty"));
    }
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(vocab_size - 1)
        .min_frequency(LEAST)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let mut model = BPE::default();
    let trained = trainer.feed(sample.iter(), words).and_then(|()| trainer.train(&mut model));
    trained.map_err(|e| TextError::tokenizer("training BPE", e))?;
    Ok(on_words(model))
}

/// The byte-level words of a text, long ones in parts.
fn words(text: &str) -> tokenizers::Result<Vec<String>> {
    let mut pieces = PreTokenizedString::from(text);
    byte_level().pre_tokenize(&mut pieces)?;
    let mut words = Vec::new();
    for (word, ..) in pieces.get_splits(OffsetReferential::Original, OffsetType::Byte) {
        let letters: Vec<char> = word.chars().collect();
        words.extend(letters.chunks(LONGEST).map(String::from_iter));
    }
    Ok(words)
}

/// GPT-2's tokenizer from its two files.
pub(super) fn gpt2(vocab: &Path, merges: &Path) -> Result<Tokenizer, TextError> {
    let subject = vocab.display().to_string();
    let (names, lines) = (Names::parse(&file::read(vocab)?, &subject)?, file::read(merges)?);
    let mut pairs = Vec::new();
    for (number, line) in (1..).zip(lines.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with("#version"))
    {
        let Some(pair) = line.split_once(' ').filter(|(_, right)| !right.contains(' ')) else {
            let reason =
                format!("line {number} is {line:?}, expected two tokens with a space between; is this merges.txt?");
            return Err(TextError::tokenizer(merges.display().to_string(), reason));
        };
        pairs.push(pair);
    }
    names.check_merges(pairs.iter().copied(), "", &format!("{} with {subject}", merges.display()))?;
    let pairs = pairs.into_iter().map(|(left, right)| (left.to_owned(), right.to_owned())).collect();
    let model = BPE::builder().vocab_and_merges(names.into_iter().collect::<Vocab>(), pairs).build();
    let tokenizer = on_words(model.map_err(|e| TextError::tokenizer(&subject, e))?);
    if tokenizer.token_to_id(END_OF_TEXT).is_none() {
        let reason = format!("no token {END_OF_TEXT}; is this GPT-2's vocab.json?");
        return Err(TextError::tokenizer(subject, reason));
    }
    Ok(tokenizer)
}

/// GPT-2's words of bytes, without a space put before the text.
fn byte_level() -> ByteLevel {
    ByteLevel::new(false, true, true)
}

/// A model on byte-level words.
fn on_words(model: BPE) -> Tokenizer {
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(byte_level()));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    tokenizer
}

/// Disables truncation, padding and dropout.
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
    tokenizer.token_to_id(name).ok_or_else(|| refused("the tokenizer rejected it".to_owned()))
}

/// Rejects two tokens with one id: new tokens get ids by counting, which can collide if a file leaves holes.
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

/// The unknown token. `numbered` is one given by its id in a file.
pub(super) fn unknown_id(tokenizer: &Tokenizer, numbered: Option<Token>) -> Option<Token> {
    match tokenizer.get_model() {
        ModelWrapper::BPE(model) => model.unk_token.as_ref().and_then(|name| model.token_to_id(name)),
        ModelWrapper::WordLevel(model) => model.token_to_id(&model.unk_token),
        ModelWrapper::WordPiece(model) => model.token_to_id(&model.unk_token),
        // The model keeps its unknown id to itself; these are the names in use.
        ModelWrapper::Unigram(model) => {
            numbered.or_else(|| ["<unk>", "[UNK]"].iter().find_map(|name| model.token_to_id(name)))
        }
    }
}

/// Ids of structural tokens, ascending: all special tokens of the file except its unknown token, which is content.
pub(super) fn special_ids(tokenizer: &Tokenizer, unknown: Option<Token>) -> Vec<Token> {
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
