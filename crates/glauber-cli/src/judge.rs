//! `glauber judge`: quality of texts, compared with held-out text and n-grams.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use glauber_chain::DrawControls;
use glauber_files::write_whole;
use glauber_judge::{Report, Row, Score, TextJudges, TextSettings, Texts};
use glauber_program::device::device;
use glauber_program::progress::bar;
use glauber_program::screen::{self, remark};
use glauber_run::evaluation::{EvaluationSettings, evaluate};
use glauber_run::reading::{AutoregressiveJudge, corpus, texts};
use glauber_run::{Curve, Drawer, PALETTE, Panel, Sampling, Scale, Trained, check_count, picture, summary};

use crate::arguments::JudgeFlags;

/// Line width of the table.
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
        let first = samples.len();
        samples.extend(drawn(flags, trained)?);
        if flags.length.is_none() {
            // What nine samples of ten have.
            let of_run = samples[first..].iter().flat_map(|(_, texts)| texts.iter());
            let mut lengths: Vec<usize> = of_run.map(<[char]>::len).collect();
            lengths.sort_unstable();
            len = lengths[lengths.len() / 10].max(1);
        }
        bound = bounded(flags, trained)?;
    }
    let settings = TextSettings { windows: flags.count, len, seed: flags.draw.seed, ..TextSettings::default() };
    let mut judges = TextJudges::fit(&training, &held_out, &settings)?;
    if let Some(judge) = autoregressive {
        let judge = judge.beside(judges.real())?;
        judges = judges.with(judge);
    }
    remark(&format!("judging {} texts of {len} characters", flags.count));
    let mut report = judges.report(&samples)?;
    // No temperature enters the bound.
    let first = report.rows.len() - samples.len() + flags.texts.len();
    if let (Some(bound), Some(row)) = (bound, report.rows.get_mut(first)) {
        row.scores.insert(0, bound);
    }
    if let Some(path) = &flags.picture {
        let svg = picture(path, &panels(&report, settings.order))?;
        write_whole(path, svg).with_context(|| format!("--picture {}", path.display()))?;
        remark(&format!("drawn in {}", path.display()));
    }
    print(flags, &report)
}

/// Samples of the run by name, at each temperature.
fn drawn(flags: &JudgeFlags, trained: &Trained) -> anyhow::Result<Vec<(String, Texts)>> {
    let name = trained.path().display().to_string();
    let controls = flags.draw.controls()?;
    if flags.temperatures.is_empty() {
        return Ok(vec![(name, drawn_with(flags, trained, controls)?)]);
    }
    let at = |&temperature: &f64| {
        let controls = DrawControls { temperature, ..controls };
        controls.validate()?;
        Ok((format!("{name}, T = {temperature}"), drawn_with(flags, trained, controls)?))
    };
    flags.temperatures.iter().map(at).collect()
}

fn drawn_with(flags: &JudgeFlags, trained: &Trained, controls: DrawControls) -> anyhow::Result<Texts> {
    let sampling = Sampling::of(trained, &flags.sampler.settings(controls))?;
    let drawer = Drawer::of(trained, &sampling, (None, None), flags.sampler.place(&flags.draw.device))?;
    let bar = bar(sampling.steps());
    let mut chains = sampling.start(flags.count, flags.draw.seed);
    let done = sampling.run(&drawer, &mut chains, &mut |steps| bar.set_position(steps as u64))?;
    bar.finish_and_clear();
    remark(&summary(done, flags.count));
    Ok(texts(trained, chains.tokens())?)
}

/// A panel of the plot: two scores against each other, one point per row.
fn panels(report: &Report, order: usize) -> [Panel; 2] {
    let panel = |title: &str, x: &str, y: &str| {
        let unit = |name: &str| report.rows[0].score(name).map_or("", |score| score.unit);
        let point = |row: &Row| Some((row.score(x)?.value, row.score(y)?.value));
        let curve = |(at, row): (usize, &Row)| Curve {
            name: row.name.clone(),
            colour: PALETTE[at % PALETTE.len()],
            dashed: false,
            points: point(row).into_iter().collect(),
            ..Curve::default()
        };
        Panel {
            title: title.into(),
            x_label: format!("{x}, {}", unit(x)),
            y_label: format!("{y}, {}", unit(y)),
            x_scale: Scale::Fitted,
            scale: Scale::Fitted,
            curves: report.rows.iter().enumerate().map(curve).collect(),
        }
    };
    [
        panel("surprise of the judge, against entropy", "entropy", &format!("order-{order} judge")),
        panel("separation from held-out text, against spelling", "spelling", "C2ST accuracy"),
    ]
}

/// The bound of the run on its held-out text, in bits per character.
fn bounded(flags: &JudgeFlags, trained: &Trained) -> anyhow::Result<Option<Score>> {
    if flags.draws == 0 {
        return Ok(None);
    }
    let settings = EvaluationSettings {
        seed: flags.draw.seed,
        sweeps: flags.sampler.chain.sweeps(),
        blocks: flags.sampler.chain.blocks(),
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

/// Texts of a file: JSON lines if its name ends so, else one per line.
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
