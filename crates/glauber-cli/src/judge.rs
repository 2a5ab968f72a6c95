//! `glauber judge`: how good texts are, beside held-out text and n-grams.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use glauber_judge::{Report, Score, TextJudges, TextSettings, Texts};
use glauber_program::device::device;
use glauber_program::progress::bar;
use glauber_program::screen::{self, remark};
use glauber_run::evaluation::{EvaluationSettings, evaluate};
use glauber_run::reading::{AutoregressiveJudge, corpus, texts};
use glauber_run::{Drawer, Sampling, Trained, check_count, summary};

use crate::arguments::{JudgeFlags, blocks};

/// Characters of a line of the table.
const WIDTH: usize = 160;

/// Judges and prints a table.
pub fn judge(flags: &JudgeFlags) -> anyhow::Result<()> {
    check_count("--count", flags.count)?;
    ensure!(flags.length != Some(0), "`--length` is 0, expected at least 1 character");
    let device = device(&flags.draw.device)?;
    let trained = flags.run.as_deref().map(|run| Trained::load(run, &device)).transpose()?;
    let judge = |run: &PathBuf| AutoregressiveJudge::new(Trained::load(run, &device)?).context("`--judge`");
    let autoregressive = flags.judge.as_ref().map(judge).transpose()?;
    let mut samples: Vec<(String, Texts)> = Vec::new();
    for path in &flags.texts {
        samples.push((path.display().to_string(), read(path)?));
    }
    let [training, held_out] = match &trained {
        Some(trained) => corpus(trained, &flags.cache, &mut |_| ())?,
        None => [joined(&flags.data)?, joined(&flags.held_out)?],
    };
    let mut len = flags.length.unwrap_or(TextSettings::default().len);
    let mut bound = None;
    if let Some(trained) = &trained {
        let drawn = drawn(flags, trained)?;
        if flags.length.is_none() {
            // What nine samples of ten have.
            let mut lengths: Vec<usize> = drawn.iter().map(<[char]>::len).collect();
            lengths.sort_unstable();
            len = lengths[lengths.len() / 10].max(1);
        }
        samples.push((trained.path().display().to_string(), drawn));
        bound = bounded(flags, trained)?;
    }
    let settings = TextSettings { windows: flags.count, len, seed: flags.draw.seed, ..TextSettings::default() };
    let mut judges = TextJudges::fit(&training, &held_out, &settings)?;
    if let Some(judge) = autoregressive {
        judges = judges.with(judge);
    }
    remark(&format!("judging {} texts of {len} characters", flags.count));
    let mut report = judges.report(&samples)?;
    if let (Some(bound), Some(row)) = (bound, report.rows.last_mut()) {
        row.scores.insert(0, bound);
    }
    print(flags, &report)
}

/// Samples of the run.
fn drawn(flags: &JudgeFlags, trained: &Trained) -> anyhow::Result<Texts> {
    let sampling = Sampling::of(trained, &flags.sampler.settings(flags.draw.controls()?))?;
    let drawer = Drawer::of(trained, &sampling, (None, None), flags.sampler.place(&flags.draw.device))?;
    let bar = bar(sampling.steps());
    let mut chains = sampling.start(flags.count, flags.draw.seed);
    let done = sampling.run(&drawer, &mut chains, &mut |steps| bar.set_position(steps as u64))?;
    bar.finish_and_clear();
    remark(&summary(done, flags.count));
    Ok(texts(trained, chains.tokens())?)
}

/// The bound of the run on what it held out, bits a character.
fn bounded(flags: &JudgeFlags, trained: &Trained) -> anyhow::Result<Option<Score>> {
    if flags.draws == 0 {
        return Ok(None);
    }
    let settings = EvaluationSettings {
        seed: flags.draw.seed,
        sweeps: flags.sampler.sweeps,
        blocks: blocks(flags.sampler.block, flags.sampler.apart),
        ..EvaluationSettings::held_out(flags.count, flags.draws, flags.cache.clone())
    };
    let bar = bar(0);
    let evaluation = evaluate(trained, &settings, &mut |_| (), &mut |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let Some(characters) = &evaluation.evaluated.characters else { return Ok(None) };
    Ok(Some(Score::of("bound", evaluation.terms.bits_per_unit(characters)?, "bits/character")))
}

/// Texts of a file: JSON lines where its name says so, else one a line.
fn read(path: &Path) -> anyhow::Result<Texts> {
    let text = fs::read_to_string(path).with_context(|| format!("--texts {}", path.display()))?;
    match path.extension().is_some_and(|extension| extension == "jsonl") {
        true => Texts::from_json_lines(&text).with_context(|| format!("--texts {}", path.display())),
        false => Ok(Texts::from_lines(&text)),
    }
}

fn joined(paths: &[PathBuf]) -> anyhow::Result<Texts> {
    let read = |path: &PathBuf| fs::read_to_string(path).with_context(|| path.display().to_string());
    Ok(paths.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?.into_iter().collect())
}

fn print(flags: &JudgeFlags, report: &Report) -> anyhow::Result<()> {
    let mut out = screen::out();
    match flags.json {
        true => writeln!(out, "{}", serde_json::to_string_pretty(report)?)?,
        false => write!(out, "{}", report.table(WIDTH))?,
    }
    Ok(())
}
