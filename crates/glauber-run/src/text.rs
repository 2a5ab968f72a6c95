//! A run's text as tokens.

use std::path::Path;

use glauber_schedule::NoiseConfig;
use glauber_text::{Corpus, PrepareConfig, TextCodec, TokenData, coverage, prepare};
use glauber_tokens::Codec;
use glauber_train::{DataConfig, RunConfig, RunFolder, Vocabulary};

use crate::error::{Context, Result, bail, ensure};
use crate::trained::load_codec;

/// A corpus as tokens.
pub struct PreparedText {
    /// The tokenizer.
    pub codec: TextCodec,
    /// Training and held-out tokens.
    pub data: TokenData,
    /// What the text decides of a run.
    pub vocabulary: Vocabulary,
}

impl PreparedText {
    /// What the first rank has prepared: the corpus is not read again.
    ///
    /// # Errors
    /// When it is not there.
    pub fn found(folder: &Path, cache: &Path) -> Result<Self> {
        let run = RunFolder::open(folder)?;
        let vocabulary = run.vocabulary()?;
        let codec = load_codec(&run, &vocabulary)?;
        let key = vocabulary.corpus.as_deref().context("a run on text without a corpus")?;
        let tokens = cache.join(key);
        ensure!(
            tokens.is_dir(),
            "{}: no tokens there: `--cache` must be a folder that all ranks see",
            tokens.display()
        );
        Ok(Self { codec, data: TokenData::open(&tokens)?, vocabulary })
    }

    /// Learns the vocabulary, or takes that of the run in the folder where it is `resumed`, and encodes the corpus. What is done is said.
    ///
    /// # Errors
    /// When there is no text, it cannot be read or encoded, or has changed since the run began.
    pub fn new(
        config: &RunConfig,
        folder: &Path,
        resumed: bool,
        cache: &Path,
        say: &mut dyn FnMut(&str),
    ) -> Result<Self> {
        let DataConfig::Text { corpus, tokenizer, prepare: split, .. } = &config.data else {
            bail!("{}: a run on other data than text", folder.display());
        };
        ensure!(
            !corpus.paths.is_empty(),
            "no corpus: give `--data FILE…` (`cargo xtask train text` has a default one)"
        );
        let corpus = Corpus::open(corpus)?;
        if !resumed {
            corpus.check_column()?;
            corpus.check_split()?;
        }
        let begun = resumed.then(|| RunFolder::open(folder)?.vocabulary()).transpose()?;
        let codec = match &begun {
            Some(vocabulary) => load_codec(&RunFolder::open(folder)?, vocabulary)?,
            None => {
                say(&format!("preparing the corpus: {} files", corpus.files().count()));
                corpus.remarks().iter().for_each(|remark| say(remark));
                with_mask(TextCodec::from_config(tokenizer, &corpus)?, config)?
            }
        };
        // What a run was begun with it goes on with.
        let split = &PrepareConfig { max_lost: if begun.is_some() { 1.0 } else { split.max_lost }, ..split.clone() };
        let (mut shown, mut without_text) = (0, 0);
        let data = prepare(split, &corpus, &codec, cache, &mut |progress| {
            without_text = progress.rows_without_text;
            if progress.bytes >= shown + (32 << 20) {
                shown = progress.bytes;
                say(&format!("  {} MB of text encoded", progress.bytes >> 20));
            }
        })?;
        if without_text > 0 {
            say(&format!("passed over: {without_text} rows without text"));
        }
        describe_data(&data, say);
        describe_coverage(&data, &codec, say)?;
        let vocabulary = Vocabulary {
            size: codec.vocab_size(),
            counts: data.counts().to_vec(),
            mask: codec.mask(),
            codec: Some(codec.fingerprint()),
            corpus: data.folder().file_name().map(|name| name.to_string_lossy().into_owned()),
            version: env!("CARGO_PKG_VERSION").into(),
            classes: Vec::new(),
        };
        if begun.is_some_and(|begun| begun.corpus != vocabulary.corpus) {
            bail!(
                "{}: the corpus has changed since the run began, or how its tokenizer divides it: restore both, or begin a new run",
                folder.display()
            );
        }
        Ok(Self { codec, data, vocabulary })
    }
}

/// Absorbing noise needs a mask token.
fn with_mask(codec: TextCodec, config: &RunConfig) -> Result<TextCodec> {
    fn absorbs(noise: &NoiseConfig) -> bool {
        match noise {
            NoiseConfig::Absorbing => true,
            NoiseConfig::Mixture { parts } => parts.iter().any(|part| absorbs(&part.law)),
            _ => false,
        }
    }
    match absorbs(&config.schedule.noise) {
        true => Ok(codec.with_mask()?),
        false => Ok(codec),
    }
}

fn describe_data(data: &TokenData, say: &mut dyn FnMut(&str)) {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    say(&format!(
        "training on {:.2} M tokens ({:.1} MB of text), held out {:.2} M; vocabulary {}",
        data.train().tokens() as f64 / 1e6,
        megabytes(data.train().bytes()),
        data.validation().tokens() as f64 / 1e6,
        data.vocab_size()
    ));
}

/// Says what of the text the tokenizer cannot express.
fn describe_coverage(data: &TokenData, codec: &TextCodec, say: &mut dyn FnMut(&str)) -> Result<()> {
    let [mut all, validation] = coverage(data, codec)?;
    all += validation;
    if all.missing() > 0.0 {
        say(&format!("the tokenizer cannot express all of the text: {all}"));
    } else if all.altered > 0 {
        say("the tokenizer expresses all of the text, but not as it is: case, accents or white space change");
    }
    Ok(())
}
