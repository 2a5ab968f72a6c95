//! Text ↔ tokens.

mod bpe;
mod characters;
mod config;
mod coverage;
mod exact;
mod file;
mod saved;
mod traced;
mod within;

use std::path::Path;

use glauber_files::write_whole;
use glauber_tokens::{Codec, Token};
use tokenizers::Tokenizer;

pub use config::TokenizerConfig;
pub use coverage::Coverage;

use crate::{Corpus, TextError};
use characters::Characters;
use exact::Nature;
use file::Head;

/// Default name of the token between documents.
pub(crate) const END_OF_TEXT: &str = "<|endoftext|>";
/// Default name of the mask token.
pub(crate) const MASK: &str = "<|mask|>";
/// Names of the end of text in tokenizer files, by preference.
const END_NAMES: [&str; 5] = [END_OF_TEXT, "<|end_of_text|>", "</s>", "<eos>", "[EOS]"];
/// Names of the mask in tokenizer files.
const MASK_NAMES: [&str; 4] = [MASK, "[MASK]", "<mask>", "<MASK>"];

/// The content part of a vocabulary.
#[derive(Debug, Clone)]
enum Content {
    /// Token `b` is the byte `b`.
    Bytes,
    /// One token per character.
    Characters(Characters),
    /// A `tokenizer.json`, including its special tokens.
    Tokenizer(Box<Tokenizer>),
}

/// A vocabulary with its rule for splitting text into tokens.
///
/// Vocabulary layout: content first, then the end of text, then the mask if there is one. Tokenizer files that have these tokens
/// already (GPT-2's `<|endoftext|>`) keep their ids.
///
/// * Encoding ordinary text never gives a structural token: a text that contains the characters `<|endoftext|>` is
///   encoded as those characters. Structural tokens are inserted only by id ([`end_of_text`](Self::end_of_text)).
/// * Text is encoded unchanged: no case folding, no line-ending or Unicode normalisation (a tokenizer file may bring
///   its own).
/// * Decoding accepts any tokens below `V`. Bytes that are not UTF-8 become U+FFFD; structural tokens appear by their
///   names.
/// * `decode(encode(s)) == s` for bytes, byte-level BPE and GPT-2, and for characters over their alphabet.
///
/// ```
/// use glauber_text::{TextCodec, TokenizerConfig};
/// use glauber_tokens::Codec;
///
/// let codec = TextCodec::bytes().with_mask()?;
/// assert_eq!(codec.encode("né")?, [110, 0xC3, 0xA9]);
/// assert_eq!(codec.decode(&[110, 0xC3])?, "n\u{FFFD}");
/// assert_eq!((codec.end_of_text(), codec.mask(), codec.vocab_size()), (256, Some(257), 258));
/// # Ok::<(), glauber_text::TextError>(())
/// ```
#[derive(Debug, Clone)]
pub struct TextCodec {
    content: Content,
    end_of_text: Token,
    mask: Option<Token>,
    /// Ascending.
    special: Vec<Token>,
    unknown: Option<Token>,
    vocab_size: usize,
    nature: Nature,
    /// The codec's name in errors: its file, if it has one.
    subject: String,
    /// The saved form; the fingerprint is its hash.
    saved: String,
}

impl TextCodec {
    /// One token per byte: `V = 257` with the end of text. Needs no training.
    #[must_use]
    pub fn bytes() -> Self {
        Self::own(Content::Bytes, false)
    }

    /// The codec of a configuration, trained on `corpus` if it needs training.
    ///
    /// Characters are counted over the whole corpus. BPE trains on at most 32 MiB of passages, evenly spaced over the
    /// corpus.
    ///
    /// # Errors
    /// Unreadable corpus or tokenizer files, an empty corpus, impossible sizes.
    pub fn from_config(config: &TokenizerConfig, corpus: &Corpus) -> Result<Self, TextError> {
        if !matches!(config, TokenizerConfig::Bpe { .. }) {
            return Self::train(config, corpus.documents().map(|passage| passage.map(|p| p.text)));
        }
        let mut total = 0usize;
        for passage in corpus.documents() {
            total = total.saturating_add(passage?.text.len());
        }
        let stride = total.div_ceil(bpe::SAMPLE_BYTES).max(1);
        let sample = corpus.documents().step_by(stride).map(|passage| passage.map(|p| p.text));
        Self::train(config, sample)
    }

    /// The codec of a configuration, trained on `documents` if it needs training (`bytes`, `file` and `gpt2` do not).
    /// BPE reads at most 32 MiB.
    ///
    /// # Errors
    /// An error of `documents`, no text to train on, unreadable tokenizer files, impossible sizes.
    pub fn train(
        config: &TokenizerConfig,
        documents: impl IntoIterator<Item = Result<String, TextError>>,
    ) -> Result<Self, TextError> {
        match config {
            TokenizerConfig::Bytes {} => Ok(Self::bytes()),
            TokenizerConfig::Characters { max_characters } => {
                let characters = Characters::count(documents, *max_characters)?;
                Ok(Self::own(Content::Characters(characters), false))
            }
            TokenizerConfig::Bpe { vocab_size } => {
                let sample = bpe::sample(documents)?;
                Self::wrap(bpe::train(*vocab_size, &sample)?, "the trained BPE", None)
            }
            TokenizerConfig::File { path } => Self::load(path),
            TokenizerConfig::Gpt2 { vocab, merges } => {
                Self::wrap(bpe::gpt2(vocab, merges)?, &vocab.display().to_string(), None)
            }
        }
    }

    /// The same codec with a mask token, for absorbing noise. A codec with a mask is returned unchanged; otherwise the
    /// mask becomes the last token.
    ///
    /// # Errors
    /// If the tokenizer file does not accept another token.
    pub fn with_mask(self) -> Result<Self, TextError> {
        if self.mask.is_some() {
            return Ok(self);
        }
        match self.content {
            Content::Tokenizer(mut tokenizer) => {
                bpe::add_special(&mut tokenizer, MASK)?;
                Self::wrap(*tokenizer, &self.subject, self.unknown)
            }
            own => Ok(Self::own(own, true)),
        }
    }

    /// The token between documents.
    #[must_use]
    pub fn end_of_text(&self) -> Token {
        self.end_of_text
    }

    /// The mask token, if the vocabulary has one.
    #[must_use]
    pub fn mask(&self) -> Option<Token> {
        self.mask
    }

    /// One token for display: its text, the name of a structural token, `<0xC3>` for a byte that is not text, or
    /// `<unused 7>` for an id without a token (holes in tokenizer files, and ids from `V` on).
    #[must_use]
    pub fn token_text(&self, token: Token) -> String {
        match &self.content {
            Content::Bytes if token < 0x80 => char::from(token as u8).to_string(),
            Content::Bytes if token < 0x100 => format!("<0x{token:02X}>"),
            Content::Tokenizer(tokenizer) => match tokenizer.id_to_token(token) {
                None => format!("<unused {token}>"),
                Some(name) if self.special.contains(&token) => name,
                Some(name) => bpe::display(tokenizer, token, &name),
            },
            _ if token as usize >= self.vocab_size => format!("<unused {token}>"),
            _ => self.decode_own(&[token]),
        }
    }

    /// Blake3 of the saved form, 64 hexadecimal digits: equal for equal vocabularies and rules.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        blake3::hash(self.saved.as_bytes()).to_hex().to_string()
    }

    /// Writes the codec as one self-contained JSON file, atomically: a standard `tokenizer.json`, or a few fields for
    /// bytes and characters.
    ///
    /// # Errors
    /// [`TextError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), TextError> {
        write_whole(path, &self.saved).map_err(TextError::io("write", path))
    }

    /// Reads a file of [`save`](Self::save), or any `tokenizer.json`. Truncation, padding and BPE dropout of the file
    /// are disabled, so that encoding is complete and deterministic.
    ///
    /// # Errors
    /// [`TextError::Io`], or [`TextError::Tokenizer`] when the file is not a tokenizer.
    pub fn load(path: &Path) -> Result<Self, TextError> {
        let json = file::read(path)?;
        let subject = path.display().to_string();
        let head = Head::of(&json, &subject)?;
        if let Some(version) = head.glauber_text {
            let (content, mask) = saved::parse(&json, version, &subject)?;
            return Ok(Self::own(content, mask));
        }
        let tokenizer = Tokenizer::from_bytes(&json)
            .map_err(|e| TextError::tokenizer(&subject, format!("not a tokenizer.json: {e}")))?;
        Self::wrap(tokenizer, &subject, head.unknown())
    }

    /// Whether words include the space before them, so that the space before a gap belongs to the gap.
    pub(crate) fn words_carry_space(&self) -> bool {
        matches!(self.content, Content::Tokenizer(_))
    }

    /// Bytes or characters followed by the special tokens.
    fn own(content: Content, mask: bool) -> Self {
        let (size, unknown) = match &content {
            Content::Characters(characters) => (characters.size(), characters.unknown()),
            _ => (256, None),
        };
        let end_of_text = size as Token;
        let special: Vec<Token> = (end_of_text..=end_of_text + Token::from(mask)).collect();
        Self {
            saved: saved::write(&content, mask),
            content,
            end_of_text,
            mask: mask.then_some(end_of_text + 1),
            vocab_size: size + special.len(),
            special,
            unknown,
            nature: Nature::OWN,
            subject: "the vocabulary".to_owned(),
        }
    }

    /// Finds or adds the special tokens of a tokenizer, and freezes it. `unknown` is its unknown token, if the file
    /// gives its id.
    fn wrap(mut tokenizer: Tokenizer, subject: &str, unknown: Option<Token>) -> Result<Self, TextError> {
        bpe::make_deterministic(&mut tokenizer, subject)?;
        let find = |tokenizer: &Tokenizer, names: &[&'static str]| {
            names.iter().copied().find(|name| tokenizer.token_to_id(name).is_some())
        };
        let end = find(&tokenizer, &END_NAMES).unwrap_or(END_OF_TEXT);
        let end_of_text = bpe::add_special(&mut tokenizer, end)?;
        let mask = match find(&tokenizer, &MASK_NAMES) {
            Some(name) => Some(bpe::add_special(&mut tokenizer, name)?),
            None => None,
        };
        bpe::check_ids(&tokenizer, subject)?;
        // Texts that contain the name of a special token are ordinary text.
        tokenizer.set_encode_special_tokens(true);
        let saved = tokenizer.to_string(false).map_err(|e| TextError::tokenizer(subject, e))?;
        let unknown = bpe::unknown_id(&tokenizer, unknown);
        Ok(Self {
            vocab_size: bpe::vocab_size(&tokenizer),
            special: bpe::special_ids(&tokenizer, unknown),
            unknown,
            nature: Nature::of(&tokenizer),
            subject: subject.to_owned(),
            content: Content::Tokenizer(Box::new(tokenizer)),
            end_of_text,
            mask,
            saved,
        })
    }

    /// Decodes bytes or characters that are known to lie in the vocabulary.
    fn decode_own(&self, tokens: &[Token]) -> String {
        let mut text = String::new();
        for run in tokens.chunk_by(|a, b| self.special.contains(a) == self.special.contains(b)) {
            if self.special.contains(&run[0]) {
                run.iter().for_each(|&t| text.push_str(if t == self.end_of_text { END_OF_TEXT } else { MASK }));
                continue;
            }
            match &self.content {
                Content::Characters(characters) => text.extend(run.iter().map(|&t| characters.character(t))),
                _ => {
                    let bytes: Vec<u8> = run.iter().map(|&t| t as u8).collect();
                    text.push_str(&String::from_utf8_lossy(&bytes));
                }
            }
        }
        text
    }
}

impl Codec for TextCodec {
    type Item = str;
    type Decoded = String;
    type Error = TextError;

    fn encode(&self, item: &str) -> Result<Vec<Token>, TextError> {
        match &self.content {
            Content::Bytes => Ok(item.bytes().map(Token::from).collect()),
            Content::Characters(characters) => item.chars().map(|c| characters.token(c)).collect(),
            Content::Tokenizer(tokenizer) => {
                let encoding = self.encoded(|| tokenizer.encode_fast(item, false))?;
                let tokens = encoding.get_ids().to_vec();
                self.expect_content(&tokens)?;
                Ok(tokens)
            }
        }
    }

    fn decode(&self, tokens: &[Token]) -> Result<String, TextError> {
        if let Some(site) = tokens.iter().position(|&t| t as usize >= self.vocab_size) {
            return Err(TextError::OutsideVocabulary { token: tokens[site], site, vocab: self.vocab_size });
        }
        match &self.content {
            Content::Tokenizer(tokenizer) => {
                tokenizer.decode(tokens, false).map_err(|e| TextError::tokenizer("decoding tokens", e))
            }
            _ => Ok(self.decode_own(tokens)),
        }
    }

    fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    fn special(&self) -> &[Token] {
        &self.special
    }
}
