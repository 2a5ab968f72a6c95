//! The sequences that a bound is estimated on.

use anyhow::{Context, bail, ensure};
use glauber_chain::ChainRng;
use glauber_text::{Corpus, PrepareConfig, Sequences, TextCodec, prepare};
use glauber_tokens::{Codec, Token, TokenBatch};
use glauber_train::DataConfig;

use crate::arguments::EvalFlags;
use crate::trained::Trained;

/// Sequences, and a generator for the steps and the noise of each.
pub struct Evaluated {
    /// Where they come from.
    pub from: String,
    /// Shape `[row, site]`.
    pub clean: TokenBatch,
    pub rngs: Vec<ChainRng>,
    /// Characters that each sequence stands for, shape `[row]`; none where they are no text.
    pub characters: Option<Vec<usize>>,
}

impl Evaluated {
    /// Draws of the source that the run was trained on.
    pub fn drawn(
        from: &str,
        flags: &EvalFlags,
        mut draw: impl FnMut(&mut ChainRng) -> Vec<Token>,
    ) -> anyhow::Result<Self> {
        ensure!(flags.data.is_empty(), "`--data`: this run's data are draws of {from}: leave the flag out");
        // Not the seed itself: source and training may have used its streams.
        let mut rngs = ChainRng::streams(flags.seed ^ 0xE7A1_0000_0000_0000, flags.sequences);
        let clean = TokenBatch::from_rows(rngs.iter_mut().map(&mut draw))?;
        Ok(Self { from: format!("draws of {from}"), clean, rngs, characters: None })
    }

    /// Windows of `--data`, or of what the run held out.
    pub fn of_text(trained: &Trained, flags: &EvalFlags) -> anyhow::Result<Self> {
        let DataConfig::Text { corpus, prepare: split, .. } = &trained.config.data else {
            bail!("`--run`: its data are no text");
        };
        let (codec, mut corpus, mut split) = (trained.codec()?, corpus.clone(), split.clone());
        let own = flags.data.is_empty();
        if !own {
            corpus.paths.clone_from(&flags.data);
            corpus.column = flags.column.clone().or(corpus.column);
            split = PrepareConfig { validation_fraction: 0.0, ..split };
        }
        let files = Corpus::open(&corpus).context(if own {
            "the run's own corpus; `--data` names another"
        } else {
            "`--data`"
        })?;
        let data = prepare(&split, &files, codec, &flags.cache, &mut |_| {})?;
        let name = data.folder().file_name().map(|name| name.to_string_lossy().into_owned());
        ensure!(
            !own || name == trained.vocabulary.corpus,
            "the run's corpus has changed since the run began, and with it what was held out: name files with `--data`"
        );
        let stream = if own { data.validation() } else { data.train() };
        let len = trained.schedule.len();
        ensure!(
            stream.tokens() >= len,
            "`--data`: {} tokens, fewer than a sequence of the run has ({len}): give more text",
            stream.tokens()
        );
        let clean = spread(&stream.sequences(len)?, flags.sequences)?;
        let from = match own {
            true => format!("what the run held out, {} tokens", stream.tokens()),
            false => {
                let paths: Vec<String> = flags.data.iter().map(|path| path.display().to_string()).collect();
                format!("{}, {} tokens", paths.join(", "), stream.tokens())
            }
        };
        let characters = clean.iter().map(|tokens| characters(codec, tokens)).collect::<Result<_, _>>()?;
        Ok(Self { from, rngs: ChainRng::streams(flags.seed, clean.rows()), clean, characters: Some(characters) })
    }
}

/// At most `count` sequences that do not overlap, spread evenly.
fn spread(sequences: &Sequences<'_>, count: usize) -> anyhow::Result<TokenBatch> {
    let all = sequences.count();
    let count = count.min(all);
    let mut clean = TokenBatch::filled(count, sequences.length(), 0);
    for row in 0..count {
        sequences.get(row * all / count, clean.row_mut(row));
    }
    Ok(clean)
}

/// Characters that begin in a window. Ends of text are none; bytes that the window begins with in the middle of a character are not
/// counted, so that a character cut by the border of two windows counts once.
fn characters(codec: &TextCodec, tokens: &[Token]) -> anyhow::Result<usize> {
    let special = |token: &Token| codec.special().contains(token);
    let mut count = 0;
    for (at, run) in tokens.split(special).enumerate() {
        let text = codec.decode(run)?;
        let text = if at == 0 { text.trim_start_matches('\u{FFFD}') } else { &text };
        count += text.chars().count();
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_cut_by_windows_count_once() {
        let codec = TextCodec::bytes();
        let text = "né – ₤å𝄞 end";
        let mut tokens = codec.encode(text).unwrap();
        tokens.push(codec.end_of_text());
        tokens.extend(codec.encode("ü!").unwrap());
        for window in 1..tokens.len() {
            let sum: usize = tokens.chunks(window).map(|tokens| characters(&codec, tokens).unwrap()).sum();
            assert_eq!(sum, text.chars().count() + 2, "windows of {window}");
        }
    }
}
