//! `glauber tokenize`.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use glauber_program::outputs::{Named, check_apart, check_file};
use glauber_program::progress::warn;
use glauber_program::screen;
use glauber_text::{Corpus, CorpusConfig, TextCodec, TokenizerConfig};
use glauber_tokens::Codec;

use crate::arguments::TokenizeFlags;

/// Trains or loads a tokenizer; saves it, or shows how it splits a text.
pub fn tokenize(flags: &TokenizeFlags) -> anyhow::Result<()> {
    ensure!(flags.text.is_some() || flags.out.is_some(), "nothing to do: give `--text` or `--out`");
    let config = tokenizer(&flags.tokenizer)?;
    if let Some(out) = &flags.out {
        check_file(("--out", out), flags.overwrite, &read(&config, flags))?;
    }
    let learns = matches!(config, TokenizerConfig::Bpe { .. } | TokenizerConfig::Characters { .. });
    ensure!(
        !learns || !flags.data.is_empty(),
        "`--tokenizer {}` is trained on a corpus: give `--data`",
        flags.tokenizer
    );
    ensure!(
        learns || flags.data.is_empty(),
        "`--data` has no effect: `--tokenizer {}` needs no training; leave it out",
        flags.tokenizer
    );
    let codec = match flags.data.is_empty() {
        true => TextCodec::train(&config, std::iter::empty())?,
        false => {
            let mut corpus = CorpusConfig::new(flags.data.clone());
            corpus.column.clone_from(&flags.column);
            let corpus = Corpus::open(&corpus)?;
            corpus.check_column()?;
            let files: Vec<Named<'_>> = corpus.files().map(|file| ("--data", file)).collect();
            flags.out.iter().try_for_each(|out| check_apart(("--out", out), &files))?;
            warn(corpus.remarks());
            TextCodec::from_config(&config, &corpus)?
        }
    };
    let mut out = screen::out();
    writeln!(out, "vocabulary: {} tokens, fingerprint {}", codec.vocab_size(), codec.fingerprint())?;
    if let Some(text) = &flags.text {
        let (tokens, coverage) = codec.measure(text)?;
        let shown: Vec<String> = tokens.iter().map(|&token| codec.token_text(token)).collect();
        writeln!(out, "{} tokens: {}", tokens.len(), shown.join("|"))?;
        writeln!(out, "{tokens:?}")?;
        if coverage.missing() > 0.0 {
            writeln!(out, "not all of the text: {coverage}; decoded: {}", codec.decode(&tokens)?)?;
        } else if !coverage.is_complete() {
            writeln!(out, "all of the text, but not as it is; decoded: {}", codec.decode(&tokens)?)?;
        }
    }
    if let Some(path) = &flags.out {
        codec.save(path)?;
        writeln!(out, "written to {}", path.display())?;
    }
    Ok(())
}

/// The corpus of the flags.
fn read<'a>(config: &'a TokenizerConfig, flags: &'a TokenizeFlags) -> Vec<Named<'a>> {
    let files: Vec<&Path> = match config {
        TokenizerConfig::File { path } => vec![path],
        TokenizerConfig::Gpt2 { vocab, merges } => vec![vocab, merges],
        _ => Vec::new(),
    };
    let tokenizer = files.into_iter().map(|path| ("--tokenizer", path));
    tokenizer.chain(flags.data.iter().map(|path| ("--data", path.as_path()))).collect()
}

/// Parses the `--tokenizer` flag.
pub fn tokenizer(text: &str) -> anyhow::Result<TokenizerConfig> {
    match text.split_once(':') {
        None if text == "bytes" => Ok(TokenizerConfig::Bytes {}),
        None if text == "characters" => Ok(TokenizerConfig::Characters { max_characters: None }),
        Some(("bpe", size)) => {
            let vocab_size = size.parse().with_context(|| format!("`--tokenizer {text}`: `{size}` is not a number"))?;
            Ok(TokenizerConfig::Bpe { vocab_size })
        }
        Some(("gpt2", files)) => {
            let Some((vocab, merges)) = files.split_once(',') else {
                bail!("`--tokenizer {text}`: expected gpt2:VOCAB.json,MERGES.txt");
            };
            Ok(TokenizerConfig::Gpt2 { vocab: vocab.into(), merges: merges.into() })
        }
        _ if Path::new(text).exists() => {
            glauber_files::check(text).with_context(|| format!("`--tokenizer {text}`"))?;
            Ok(TokenizerConfig::File { path: text.into() })
        }
        _ => bail!(
            "`--tokenizer {text}`: no such file; expected a file, bytes, characters, bpe:SIZE or gpt2:VOCAB.json,MERGES.txt"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokenizers_are_read_from_flags() {
        assert_eq!(tokenizer("bpe:512").unwrap(), TokenizerConfig::Bpe { vocab_size: 512 });
        assert!(tokenizer("bpe:many").unwrap_err().to_string().contains("many"));
        assert!(tokenizer("no-such-file.json").is_err());
    }
}
