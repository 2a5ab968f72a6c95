//! All judges of texts in one table.

use crate::references::References;
use crate::{
    Bootstrap, Copies, Distinct, JudgeError, LetterEntropy, Repeats, Report, Row, Score, SelfBleu, Spelling, TextJudge,
    TextNgram, Texts, TwoSample,
};

/// Settings of text judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextSettings {
    /// Texts per row. The held-out text must have twice as many windows.
    pub windows: usize,
    /// Characters per text.
    pub len: usize,
    /// Maximal context of the judging n-gram, in characters.
    pub order: usize,
    /// Resamples for the errors.
    pub resamples: usize,
    /// Seed of all draws.
    pub seed: u64,
}

impl Default for TextSettings {
    /// 512 texts of 64 characters, an order-5 n-gram, 1000 resamples.
    fn default() -> Self {
        Self { windows: 512, len: 64, order: 5, resamples: 1000, seed: 0 }
    }
}

/// Judges of texts, with reference texts.
///
/// ```
/// use glauber_judge::{TextJudges, TextSettings, Texts};
///
/// let text = |seed: usize| (0..4000).map(|at| ["the ", "cat ", "sat "][at * at * seed % 7 % 3]).collect::<String>();
/// let [training, held_out] = [1, 2].map(|seed| Texts::from_iter([text(seed)]));
/// let settings = TextSettings { windows: 20, len: 32, resamples: 100, ..TextSettings::default() };
/// let judges = TextJudges::fit(&training, &held_out, &settings)?;
/// let samples = Texts::from_lines(&"the cat sat the cat sat the cat sat on\n".repeat(3)); // one a line
/// let report = judges.report(&[("mine", samples)])?;
/// assert_eq!((report.rows[0].name.as_str(), report.rows[6].name.as_str()), ("held-out text", "mine"));
/// assert_eq!(report.rows[6].score("spelling").unwrap().value, 1.0);
/// assert!(report.table(160).contains("shuffled words"));
/// # Ok::<(), glauber_judge::JudgeError>(())
/// ```
pub struct TextJudges {
    settings: TextSettings,
    references: References,
    judges: Vec<Box<dyn TextJudge>>,
}

impl TextJudges {
    /// Reference rows without judges.
    ///
    /// # Errors
    /// [`JudgeError::TooFew`] when a text has too few windows, or the training text has no words.
    pub fn new(training: &Texts, held_out: &Texts, settings: &TextSettings) -> Result<Self, JudgeError> {
        let references = References::new(training, held_out, settings)?;
        Ok(Self { settings: *settings, references, judges: Vec::new() })
    }

    /// Reference rows with all judges of this crate.
    ///
    /// # Errors
    /// As [`new`](Self::new); those of [`TextNgram::fit`].
    pub fn fit(training: &Texts, held_out: &Texts, settings: &TextSettings) -> Result<Self, JudgeError> {
        let judges = Self::new(training, held_out, settings)?;
        let two_sample = TwoSample::new(judges.real(), settings.seed);
        Ok(judges
            .with(TextNgram::fit(settings.order, training)?)
            .with(LetterEntropy)
            .with(Spelling::new(training))
            .with(two_sample)
            .with(Distinct { longest: 4 })
            .with(Repeats { length: 4 })
            .with(SelfBleu::default())
            .with(Copies::new(training)))
    }

    /// Adds a judge, with the last columns.
    pub fn with(mut self, judge: impl TextJudge + 'static) -> Self {
        self.judges.push(Box::new(judge));
        self
    }

    /// The named reference rows, held-out text first.
    pub fn references(&self) -> &[(String, Texts)] {
        &self.references.rows
    }

    /// Further held-out texts, equal in number and length, for judges that train a classifier against samples.
    pub fn real(&self) -> &Texts {
        &self.references.real
    }

    /// Scores named samples after the reference rows.
    ///
    /// Samples are cut to the length of the settings. A row states how many were long enough.
    ///
    /// # Errors
    /// [`JudgeError::TooFew`] when no sample is long enough; those of the judges.
    pub fn report<N: AsRef<str>>(&self, samples: &[(N, Texts)]) -> Result<Report, JudgeError> {
        let TextSettings { windows, len, resamples, seed, .. } = self.settings;
        let cut = |(name, texts): &(N, Texts)| {
            let texts = texts.cut(len).first(windows);
            let short = JudgeError::TooFew { what: "samples of the requested length", found: 0, expected: 1 };
            if texts.rows() == 0 { Err(short) } else { Ok((name.as_ref().to_owned(), texts)) }
        };
        let samples = samples.iter().map(cut).collect::<Result<Vec<_>, _>>()?;
        let rows: Vec<_> = self.references.rows.iter().chain(&samples).collect();
        let bootstrap = Bootstrap { resamples, seed };
        let judged = |(_, texts): &&(String, Texts)| -> Result<Vec<Vec<Score>>, JudgeError> {
            self.judges.iter().map(|judge| judge.judge(texts, &bootstrap)).collect()
        };
        let scores = rows.iter().map(judged).collect::<Result<Vec<_>, _>>()?;
        let row = |(number, (name, texts)): (usize, &&(String, Texts))| Row {
            name: name.clone(),
            texts: texts.rows(),
            characters: len,
            scores: self.with_gaps(&scores[number], (number > 0).then_some(&scores[0])),
        };
        Ok(Report { rows: rows.iter().enumerate().map(row).collect() })
    }

    /// Scores of a row, shape `[judge][score]`, in one list, with their differences to held-out text. The first row is
    /// held-out text, with difference 0.
    fn with_gaps(&self, scores: &[Vec<Score>], held_out: Option<&Vec<Vec<Score>>>) -> Vec<Score> {
        let mut all = Vec::new();
        for (number, judge) in self.judges.iter().enumerate() {
            for (place, score) in scores[number].iter().enumerate() {
                let gap = judge.by_gap(score).then(|| score.gap(held_out.map(|held_out| &held_out[number][place])));
                all.extend(std::iter::once(score.clone()).chain(gap));
            }
        }
        all
    }
}
