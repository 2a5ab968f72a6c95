//! `glauber sample`.

use std::io::Write;

use anyhow::{Context, ensure};
use glauber_chain::{ChainRng, Chains, DrawControls, StepDiagnostics};
use glauber_program::device::{Devices, device};
use glauber_program::outputs;
use glauber_program::progress::bar;
use glauber_program::screen::{self, remark};
use glauber_ranks::World;
use glauber_run::images::{PictureCodec, check_sheet, write_sheet};
use glauber_run::{Drawer, Film, Sampling, Trained, check_count, gather_samples, summary};
use glauber_tokens::TokenBatch;

use crate::arguments::SampleFlags;
use crate::ranks;

/// Draws sequences and prints them. Ranks divide the sequences; a sequence does not depend on its rank.
pub fn sample(flags: &SampleFlags) -> anyhow::Result<()> {
    let devices = Devices::of(&flags.draw.device, false);
    ranks::together(&devices, |ranks, device| sample_among(flags, device, &**ranks))
}

/// Prints only after the last exchange, so that a closed pipe leaves no rank waiting.
fn sample_among(flags: &SampleFlags, device_name: &str, ranks: &dyn World) -> anyhow::Result<()> {
    let controls = flags.draw.controls()?;
    check_count("--count", flags.count)?;
    let trained = Trained::load(&flags.run, &device(device_name)?)?;
    // A run that is still trained may have a newer checkpoint for a rank that looks later.
    let step = trained.state.step.to_le_bytes();
    let apart = ranks.any(ranks.broadcast(step.into()) != step);
    ensure!(
        !apart,
        "{}: the ranks loaded different checkpoints, because the run is being trained: try again",
        flags.run.display()
    );
    if let Some(codec) = trained.pictures() {
        return sheet(flags, controls, &trained, codec, ranks, device_name);
    }
    ensure!(flags.out.is_none(), "`--out`: {} was not trained on images", flags.run.display());
    ensure!(!flags.each_class, "`--each-class`: {} was not trained on images", flags.run.display());
    let sampling = Sampling::of(&trained, &flags.sampler.settings(controls))?;
    let (class, guidance) = (trained.class(flags.class.class.as_deref())?, flags.class.guidance);
    let drawer = Drawer::of(&trained, &sampling, (class, guidance), flags.sampler.place(device_name))?;
    let source = trained.config.data.source(class)?;
    let bar = bar(sampling.steps());
    let streams = ChainRng::streams(flags.draw.seed, flags.count);
    let drawn = drawn(&sampling, streams, ranks, |chains| {
        Ok(sampling.run(&drawer, chains, &mut |steps| bar.set_position(steps as u64))?)
    })?;
    bar.finish_and_clear();
    let Some((sequences, done)) = drawn else { return Ok(()) };
    let mut out = screen::out();
    for (row, tokens) in sequences.iter().enumerate() {
        write!(out, "--- sample {} (seed {}, step {}", row + 1, flags.draw.seed, trained.state.step)?;
        if let Some(source) = &source {
            let log_probability = source.log_probability(tokens) / tokens.len() as f64;
            write!(out, ", {log_probability:.4} nats per token under its source")?;
        }
        writeln!(out, ")\n{}", trained.render(tokens)?)?;
    }
    remark(&summary(done, flags.count));
    Ok(())
}

/// Draws a sequence for each stream; the first rank receives all. Each stream runs on one rank.
fn drawn(
    sampling: &Sampling,
    streams: Vec<ChainRng>,
    ranks: &dyn World,
    run: impl FnOnce(&mut Chains) -> anyhow::Result<StepDiagnostics>,
) -> anyhow::Result<Option<(TokenBatch, StepDiagnostics)>> {
    let share = ranks.share(streams.len());
    let own: Vec<_> = streams.into_iter().skip(share.start).take(share.len()).collect();
    let (mut tokens, mut done) = (Vec::new(), StepDiagnostics::default());
    if !own.is_empty() {
        let mut chains = sampling.start_with(own);
        done = run(&mut chains)?;
        tokens = chains.into_parts().0.into_vec();
    }
    Ok(gather_samples(ranks, &tokens, sampling.schedule().len(), done)?)
}

/// Draws images and writes them to one sheet.
fn sheet(
    flags: &SampleFlags,
    controls: DrawControls,
    trained: &Trained,
    codec: &PictureCodec,
    ranks: &dyn World,
    device_name: &str,
) -> anyhow::Result<()> {
    let filmed = flags.animate.is_some() && ranks.size() > 1;
    ensure!(!filmed, "`--animate` needs a single process on a single device");
    let out = flags.out.as_ref().context("a run on images needs `--out FILE.png`")?;
    let read: Vec<_> = trained.config.data.reads().into_iter().map(|(_, images)| ("--run", images)).collect();
    outputs::check(out, flags.animate.as_deref(), &read)?;
    let groups = groups(flags, trained)?;
    let each = flags.grid.map_or(flags.count, |[rows, columns]| rows * columns);
    let count = each * groups.len();
    let flag = if flags.grid.is_some() { "--grid" } else { "--count" };
    check_count(flag, count)?;
    let columns = match flags.grid {
        Some([_, columns]) => columns,
        None if flags.each_class => each,
        None => each.min(8),
    };
    check_sheet(flag, codec.extent(), count, columns)?;
    let sampling = Sampling::of(trained, &flags.sampler.settings(controls))?;
    let film = |path| Film::new(path, codec.extent(), count, columns);
    let mut film = flags.animate.as_deref().map(film).transpose()?;
    let mut streams = ChainRng::streams(flags.draw.seed, count).into_iter();
    let (mut tokens, mut done) = (Vec::new(), StepDiagnostics::default());
    for class in &groups {
        let (guidance, place) = (flags.class.guidance, flags.sampler.place(device_name));
        let drawer = Drawer::of(trained, &sampling, (*class, guidance), place)?;
        let group = drawn(&sampling, streams.by_ref().take(each).collect(), ranks, |chains| {
            let bar = bar(sampling.steps());
            let done =
                Film::shoot(film.as_mut(), &sampling, &drawer, chains, &mut |step| bar.set_position(step as u64));
            bar.finish_and_clear();
            Ok(done?)
        })?;
        if let Some((grids, all)) = group {
            tokens.extend(grids.into_vec());
            done += all;
        }
    }
    if !ranks.is_first() {
        return Ok(());
    }
    let len = trained.schedule.len();
    write_sheet(&codec.decode_all(&TokenBatch::new(tokens, len)?)?, columns, out)?;
    if let Some(film) = film {
        film.write(len, &|grids| codec.decode_all(grids))?;
    }
    remark(&summary(done, count));
    Ok(writeln!(screen::out(), "{}", out.display())?)
}

/// The class of each group of images: a single group, or one per class.
fn groups(flags: &SampleFlags, trained: &Trained) -> anyhow::Result<Vec<Option<usize>>> {
    if !flags.each_class {
        return Ok(vec![trained.class(flags.class.class.as_deref())?]);
    }
    let classes = trained.config.model.classes;
    ensure!(classes > 0, "`--each-class`: {} was trained without classes", flags.run.display());
    Ok((0..classes).map(Some).collect())
}
