//! The sequences of a likelihood bound.

use glauber_chain::ChainRng;
use glauber_text::{Corpus, Coverage, Sequences, TextCodec, TokenStream, coverage, prepare};
use glauber_tokens::{Codec, Token, TokenBatch};

use super::EvaluationSettings;
use crate::Say;
use crate::error::{Context, Result, ensure};
use crate::text::TextData;
use crate::trained::Trained;

/// Sequences, with a random generator for each.
pub struct Evaluated {
    /// Their origin.
    pub from: String,
    /// Shape `[row, site]`.
    pub clean: TokenBatch,
    /// A generator for the steps and the noise of each, shape `[row]`.
    pub rngs: Vec<ChainRng>,
    /// Characters of each sequence, shape `[row]`; `None` if it is not text, or tokens do not determine the number.
    pub characters: Option<Vec<usize>>,
    /// The reason for a missing number of characters.
    pub withheld: Option<String>,
}

impl Evaluated {
    /// Samples of the run's source.
    pub(crate) fn drawn(
        from: &str,
        settings: &EvaluationSettings,
        draw: impl FnMut(&mut ChainRng) -> Result<Vec<Token>>,
    ) -> Result<Self> {
        ensure!(
            settings.data.is_empty(),
            "`--data` has no effect: this run's data are samples of {from}; leave it out"
        );
        // Not the seed itself: source and training may have used its streams.
        let mut rngs = ChainRng::streams(settings.seed ^ 0xE7A1_0000_0000_0000, settings.sequences);
        let clean = TokenBatch::from_rows(rngs.iter_mut().map(draw).collect::<Result<Vec<_>>>()?)?;
        Ok(Self { from: format!("draws of {from}"), clean, rngs, characters: None, withheld: None })
    }

    /// Windows of `--data`, or of the run's held-out text.
    pub(crate) fn of_text(
        text: &TextData,
        trained: &Trained,
        settings: &EvaluationSettings,
        say: Say<'_>,
    ) -> Result<Self> {
        let (codec, mut corpus, mut split) = (trained.codec()?, text.corpus.clone(), text.prepare.clone());
        let own = settings.data.is_empty();
        // The lost part is reported below.
        split.max_lost = 1.0;
        if !own {
            corpus.paths.clone_from(&settings.data);
            corpus.column = settings.column.clone().or(corpus.column);
            split.validation_fraction = 0.0;
        }
        let files = Corpus::open(&corpus).context(if own {
            "the run's own corpus; `--data` selects another"
        } else {
            "`--data`"
        })?;
        if settings.column.is_some() {
            files.check_column()?;
        }
        if !own {
            files.remarks().iter().for_each(|remark| say(remark));
        }
        let data = prepare(&split, &files, codec, &settings.cache, &mut |_| {})?;
        let name = data.folder().file_name().map(|name| name.to_string_lossy().into_owned());
        ensure!(
            !own || name == trained.vocabulary.corpus,
            "the run's corpus or its tokenization has changed since the run started, and with it the held-out part: name files with `--data`"
        );
        let [all, held_out] = coverage(&data, codec)?;
        let (stream, coverage) = if own { (data.validation(), held_out) } else { (data.train(), all) };
        let len = trained.schedule.len();
        ensure!(
            stream.tokens() >= len,
            "`--data` has {} tokens, expected at least one sequence of the run ({len}): give more text",
            stream.tokens()
        );
        let clean = spread(&stream.sequences(len)?, settings.sequences);
        let from = match own {
            true => format!("what the run held out, {} tokens", stream.tokens()),
            false => {
                let paths: Vec<String> = settings.data.iter().map(|path| path.display().to_string()).collect();
                format!("{}, {} tokens", paths.join(", "), stream.tokens())
            }
        };
        let withheld = withheld(&coverage);
        let characters = match &withheld {
            Some(_) => None,
            None => {
                let count = |tokens| match codec.has_decoder() {
                    true => characters(codec, tokens),
                    false => Ok(mean_characters(stream, len)),
                };
                Some(clean.iter().map(count).collect::<Result<_, _>>()?)
            }
        };
        Ok(Self { from, rngs: ChainRng::streams(settings.seed, clean.rows()), clean, characters, withheld })
    }
}

/// The reason that a bound on tokens is not a bound on the text: lost text would cost nothing.
fn withheld(coverage: &Coverage) -> Option<String> {
    if coverage.is_complete() {
        return None;
    }
    Some(match coverage.missing() > 0.0 {
        true => format!("the tokens do not stand for all of the text, {coverage}"),
        false => "the tokens spell another text, with other case, accents or white space".to_owned(),
    })
}

/// The mean number of characters of a number of tokens, rounded down, which makes the bound per character larger.
fn mean_characters(stream: &TokenStream, tokens: usize) -> usize {
    (tokens as u128 * u128::from(stream.characters()) / stream.tokens() as u128) as usize
}

/// At most `count` evenly spaced, disjoint sequences of held-out text.
pub fn spread(sequences: &Sequences<'_>, count: usize) -> TokenBatch {
    let all = sequences.count();
    let count = count.min(all);
    let mut clean = TokenBatch::filled(count, sequences.length(), 0);
    for row in 0..count {
        sequences.get(row * all / count, clean.row_mut(row));
    }
    clean
}

/// Number of characters that start in a window. Ends of text do not count, nor do leading bytes of a cut character, so
/// that a character cut by two windows counts once. This holds for windows of at least seven tokens, which contain a
/// whole character between cut ones of at most three tokens each.
fn characters(codec: &TextCodec, tokens: &[Token]) -> Result<usize> {
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
        for window in 7..tokens.len() {
            let sum: usize = tokens.chunks(window).map(|tokens| characters(&codec, tokens).unwrap()).sum();
            assert_eq!(sum, text.chars().count() + 2, "windows of {window}");
        }
    }
}
