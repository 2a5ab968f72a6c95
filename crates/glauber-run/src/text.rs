//! Text as data of a run.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use glauber_chain::ChainRng;
use glauber_schedule::NoiseConfig;
use glauber_shards::Split;
use glauber_text::{
    Corpus, CorpusConfig, PrepareConfig, TextCodec, TokenData, TokenStream, TokenizerConfig, coverage, prepare,
};
use glauber_tokens::{Codec, Token};
use glauber_train::{Passage, SequenceSource, TrainError};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::data::{DataConfig, DataKind, DataShape, Opened, Opening};
use crate::error::{Context, Result, bail, ensure};
use crate::evaluation::{Evaluated, EvaluationSettings};
use crate::prior::parts;
use crate::{RunCodec, RunConfig, RunFolder, Trained, Vocabulary};

/// File of a run's tokenizer.
const TOKENIZER: &str = "tokenizer.json";

/// Maximal number of tokens for counting n-grams.
const MOST_COUNTED: usize = 1 << 23;

/// A text corpus, in windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextData {
    /// Sites per sequence, `L`.
    pub length: usize,
    /// Files and folders.
    pub corpus: CorpusConfig,
    /// The vocabulary.
    pub tokenizer: TokenizerConfig,
    /// The split.
    #[serde(default)]
    pub prepare: PrepareConfig,
}

impl DataKind for TextData {
    fn name(&self) -> &'static str {
        "text"
    }

    fn keys(&self) -> Result<Table, toml::ser::Error> {
        Table::try_from(self)
    }

    fn shape(&self) -> DataShape {
        DataShape::line(self.length)
    }

    fn describe(&self) -> String {
        let paths: Vec<String> = self.corpus.paths.iter().map(|path| path.display().to_string()).collect();
        format!("text: {}", paths.join(", "))
    }

    fn reads(&self) -> Vec<(&'static str, &Path)> {
        self.corpus.paths.iter().map(|path| ("--data", path.as_path())).collect()
    }

    fn resolved(&self, _: &Device, _: &mut dyn FnMut(&str)) -> Result<Option<DataConfig>> {
        let mut data = self.clone();
        for path in &mut data.corpus.paths {
            *path = std::path::absolute(&*path)?;
        }
        Ok(Some(DataConfig::new(data)))
    }

    fn open(&self, opening: &mut Opening<'_>) -> Result<Opened> {
        PreparedText::new(self, opening)?.opened(self.length)
    }

    fn codec(&self, run: &RunFolder, vocabulary: &Vocabulary, _: &Device) -> Result<Box<dyn RunCodec>> {
        Ok(Box::new(load_codec(run, vocabulary)?))
    }

    fn evaluated(
        &self,
        trained: &Trained,
        settings: &EvaluationSettings,
        say: &mut dyn FnMut(&str),
    ) -> Result<Evaluated> {
        Evaluated::of_text(self, trained, settings, say)
    }
}

impl RunCodec for TextCodec {
    fn keep(&self, folder: &Path) -> Result<()> {
        Ok(self.save(&folder.join(TOKENIZER))?)
    }

    fn render(&self, tokens: &[Token]) -> Result<String> {
        Ok(self.decode(tokens)?)
    }
}

/// Windows at uniform offsets of one part of a text.
pub struct TextWindows {
    data: Arc<TokenData>,
    split: Split,
}

impl TextWindows {
    /// Windows for sequences of up to `length` tokens.
    ///
    /// # Errors
    /// If the part has fewer tokens.
    pub fn new(data: Arc<TokenData>, split: Split, length: usize) -> Result<Self> {
        let windows = Self { data, split };
        windows.stream().sequences(length)?;
        Ok(windows)
    }

    /// The leading tokens, for counting n-grams.
    fn counted(&self) -> usize {
        self.stream().tokens().min(MOST_COUNTED)
    }

    fn stream(&self) -> &TokenStream {
        match self.split {
            Split::Training => self.data.train(),
            Split::Validation => self.data.validation(),
        }
    }
}

impl SequenceSource for TextWindows {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        Ok(self.passage(rng, out)?.class)
    }

    fn passage(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Passage, TrainError> {
        let windows = self.stream().sequences(out.len()).map_err(|error| TrainError::Source(Box::new(error)))?;
        let start = ((rng.uniform() * windows.windows() as f64) as usize).min(windows.windows() - 1);
        windows.window(start, out);
        let part = match self.split {
            Split::Training => parts(out.len()).of(start, self.counted()),
            Split::Validation => None,
        };
        Ok(Passage { class: None, part })
    }

    fn text(&self) -> Option<Vec<Token>> {
        let mut text = vec![0; self.counted()];
        self.stream().window(0, &mut text);
        Some(text)
    }
}

/// A corpus as tokens.
pub struct PreparedText {
    /// The tokenizer.
    pub codec: TextCodec,
    /// Training and held-out tokens.
    pub data: Arc<TokenData>,
    /// Properties of a run that depend on the text.
    pub vocabulary: Vocabulary,
}

impl PreparedText {
    /// Trains the tokenizer, or loads that of a resumed run, and encodes the corpus. Reports progress. Ranks after the
    /// first use the tokens that the first has prepared.
    ///
    /// # Errors
    /// If there is no text, or it cannot be read or encoded, or has changed since the run started.
    pub fn new(text: &TextData, opening: &mut Opening<'_>) -> Result<Self> {
        let Opening { config, begun, first, cache, ref mut say, .. } = *opening;
        let begun = begun.map(|run| Ok::<_, crate::RunError>((run, run.vocabulary()?))).transpose()?;
        if let (false, Some((run, vocabulary))) = (first, &begun) {
            return Self::found(run, vocabulary, cache);
        }
        ensure!(!text.corpus.paths.is_empty(), "no corpus: give `--data FILE…`");
        let corpus = Corpus::open(&text.corpus)?;
        let codec = match &begun {
            Some((run, vocabulary)) => load_codec(run, vocabulary)?,
            None => {
                corpus.check_column()?;
                corpus.check_split()?;
                let files = corpus.files().count();
                say(&format!("preparing the corpus: {files} {}", if files == 1 { "file" } else { "files" }));
                corpus.remarks().iter().for_each(|remark| say(remark));
                with_mask(TextCodec::from_config(&text.tokenizer, &corpus)?, config)?
            }
        };
        // What a run was begun with it goes on with.
        let max_lost = if begun.is_some() { 1.0 } else { text.prepare.max_lost };
        let split = &PrepareConfig { max_lost, ..text.prepare.clone() };
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
            mask: codec.mask(),
            codec: Some(codec.fingerprint()),
            corpus: data.folder().file_name().map(|name| name.to_string_lossy().into_owned()),
            ..Vocabulary::of_counts(data.counts().to_vec(), env!("CARGO_PKG_VERSION"))
        };
        if let Some((run, begun)) = begun
            && begun.corpus != vocabulary.corpus
        {
            bail!(
                "{}: the corpus or its tokenization has changed since the run started: restore both, or start a new run",
                run.path().display()
            );
        }
        Ok(Self { codec, data: Arc::new(data), vocabulary })
    }

    fn found(run: &RunFolder, vocabulary: &Vocabulary, cache: &Path) -> Result<Self> {
        let key = vocabulary.corpus.as_deref().context("a text run without a corpus")?;
        let tokens = cache.join(key);
        ensure!(
            tokens.is_dir(),
            "{}: this rank finds no tokens: `--cache` must be a folder that all ranks share",
            tokens.display()
        );
        let data = Arc::new(TokenData::open(&tokens)?);
        Ok(Self { codec: load_codec(run, vocabulary)?, data, vocabulary: vocabulary.clone() })
    }

    /// Data for training, in windows of `length` tokens.
    ///
    /// # Errors
    /// If a part has fewer tokens.
    pub fn opened(self, length: usize) -> Result<Opened> {
        let part = |split| TextWindows::new(Arc::clone(&self.data), split, length).map(Box::new);
        Ok(Opened {
            train: part(Split::Training)?,
            held_out: part(Split::Validation)?,
            vocabulary: self.vocabulary,
            codec: Box::new(self.codec),
            excess: None,
            notes: Vec::new(),
        })
    }
}

/// The text codec of a run, checked against the vocabulary of its training.
fn load_codec(folder: &RunFolder, vocabulary: &Vocabulary) -> Result<TextCodec> {
    let path = folder.path().join(TOKENIZER);
    let codec = TextCodec::load(&path)?;
    let same = vocabulary.codec.as_deref() == Some(codec.fingerprint().as_str());
    if !same || codec.vocab_size() != vocabulary.size {
        bail!(
            "{}: a tokenizer of {} tokens, not the one this run was trained with ({} tokens): restore the run's own file",
            path.display(),
            codec.vocab_size(),
            vocabulary.size
        );
    }
    Ok(codec)
}

/// Absorbing noise needs a mask token.
fn with_mask(codec: TextCodec, config: &RunConfig) -> Result<TextCodec> {
    fn absorbs(noise: &NoiseConfig) -> bool {
        match noise {
            NoiseConfig::Absorbing | NoiseConfig::Moving { .. } => true,
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
    let tokens = |count: usize| match count {
        0..10_000 => count.to_string(),
        _ => format!("{:.2} M", count as f64 / 1e6),
    };
    let bytes = match data.train().bytes() {
        bytes @ 0..100_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        bytes => format!("{:.1} MB", bytes as f64 / 1e6),
    };
    let (train, held_out) = (tokens(data.train().tokens()), tokens(data.validation().tokens()));
    say(&format!(
        "training on {train} tokens ({bytes} of text), held out {held_out}; vocabulary {}",
        data.vocab_size()
    ));
}

/// Reports the text that the tokenizer cannot express.
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
