//! `glauber energy`: `log Z`, exact values and means of a target given by an energy.

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, ensure};
use glauber_chain::ChainError;
use glauber_energy::dag::{edge_picture, pair_of};
use glauber_energy::{EnergyError, Increment, IntervalMethod, Model, Stage, Study, StudySettings};
use glauber_files::write_whole;
use glauber_pixels::{Colours, Extent, Image, SheetStyle, contact_sheet};
use glauber_program::outputs::check_picture;
use glauber_program::progress::bar;
use glauber_program::screen::{self, remark};
use indicatif::ProgressStyle;

use crate::arguments::{EnergyFlags, StudyFlags};

/// Means that are printed as text.
pub const ROWS: usize = 30;

/// Studies a target and prints what it found.
pub fn energy(flags: &EnergyFlags) -> anyhow::Result<()> {
    study(flags).map_err(|error| match flag_of(&error) {
        Some(flag) => error.context(format!("change `{flag}`")),
        None => error,
    })
}

/// The flag of a setting that a library refuses by the name of its parameter.
fn flag_of(error: &anyhow::Error) -> Option<&'static str> {
    let key = match error.downcast_ref::<EnergyError>() {
        Some(EnergyError::OutOfRange { key, .. } | EnergyError::Chain(ChainError::OutOfRange { key, .. })) => key,
        _ => match error.downcast_ref::<ChainError>()? {
            ChainError::OutOfRange { key, .. } => key,
            _ => return None,
        },
    };
    match *key {
        "coupling" => Some("--beta"),
        "height" => Some("--side` or `--rows"),
        "width" => Some("--side"),
        "particles" | "particles times sites" => Some("-n"),
        "burn_in" => Some("--burn-in"),
        "chains" | "chains times sites" => Some("--chains"),
        "updates" => Some("--updates"),
        "sweeps" => Some("--sweeps"),
        "chains times updates times means" => Some("--chains` or `--updates"),
        "colours" => Some("--colours"),
        "side" => Some("--side"),
        "dimensions" => Some("--dimensions"),
        "rewards" => Some("--rewards"),
        _ => None,
    }
}

fn study(flags: &EnergyFlags) -> anyhow::Result<()> {
    let (config, flags) = (flags.target.config()?, &flags.study);
    let is_dag = config.is_dag();
    ensure!(
        flags.picture.is_none() || config.grid().is_some(),
        "`--picture` draws a lattice, and this target has none: leave it out{}",
        if is_dag { "; `--edges FILE.svg` draws a graph" } else { "" }
    );
    ensure!(flags.edges.is_none() || is_dag, "`--edges` draws acyclic graphs, and this target has none: leave it out");
    if let Some(path) = &flags.picture {
        check_picture(("--picture", path), false, &[])?;
    }
    if let (Some(edges), Some(data)) = (&flags.edges, config.path()) {
        check_picture(("--edges", edges), true, &[("--data", data)])?;
    }
    let (named, text) = match config.path() {
        Some(path) => {
            let named = path.display().to_string();
            (Some(named.clone()), fs::read_to_string(path).context(named)?)
        }
        None => (None, String::new()),
    };
    let model = config.model(&text);
    let model = match named {
        Some(path) => model.context(path)?,
        None => model?,
    };
    let mut study = studied(&model, flags)?;
    let picture = flags.edges.as_ref().map(|_| edges(&model.nodes, study.means.iter().map(|mean| mean.mean)));
    if is_dag {
        study.means.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    }
    print(&study, &model, flags)?;
    if let (Some(path), Some(svg)) = (&flags.edges, picture.transpose()?) {
        write_edges(path, svg)?;
    }
    if let (Some(path), Some(grid)) = (&flags.picture, model.grid) {
        sheet(&study, grid, path).with_context(|| format!("--picture {}", path.display()))?;
        remark(&format!("{} states drawn in {}", study.samples.rows(), path.display()));
    }
    Ok(())
}

/// The picture of a graph's edges by their probabilities, site by site.
pub fn edges(names: &[String], probabilities: impl Iterator<Item = f64>) -> anyhow::Result<String> {
    let nodes = names.len();
    let mut marginals = vec![0.0; nodes * nodes];
    for (site, probability) in probabilities.enumerate() {
        let (source, sink) = pair_of(nodes, site);
        marginals[source * nodes + sink] = probability;
    }
    Ok(edge_picture(names, &marginals)?)
}

/// Writes such a picture to `--edges`.
pub fn write_edges(path: &Path, svg: String) -> anyhow::Result<()> {
    write_whole(path, svg).with_context(|| format!("--edges {}", path.display()))?;
    remark(&format!("edges drawn in {}", path.display()));
    Ok(())
}

/// Anneals, and measures in equilibrium.
fn studied(model: &Model, flags: &StudyFlags) -> anyhow::Result<Study> {
    let share = flags.resample_below;
    ensure!((0.0..=1.0).contains(&share), "`--resample-below` is {share}, expected a share from 0 to 1");
    let settings = StudySettings {
        particles: flags.particles,
        sweeps: flags.sweeps,
        increment: if flags.plain { Increment::Annealed } else { Increment::RaoBlackwell },
        resample_below: (share > 0.0).then_some(share),
        pilot: (!flags.linear).then_some(0.99),
        chains: flags.chains,
        updates: flags.updates,
        burn_in: flags.burn_in,
        seed: flags.seed,
    };
    let bar = bar(flags.sweeps);
    bar.set_style(ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len}  {per_sec}, {eta} left")?);
    let mut last = "";
    let study = Study::of(model, &settings, &mut |stage| {
        let (name, done, of) = match stage {
            Stage::Pilot(done, of) => ("pilot, sweeps at most", done, of),
            Stage::Annealing(done, of) => ("annealing, sweeps", done, of),
            Stage::Equilibrium(done, of) => ("equilibrium, updates", done, of),
        };
        if name != last {
            last = name;
            bar.reset();
            bar.set_message(name);
            bar.set_length(of as u64);
        }
        bar.set_position(done as u64);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    Ok(study?)
}

fn print(study: &Study, model: &Model, flags: &StudyFlags) -> anyhow::Result<()> {
    let mut out = screen::out();
    if flags.json {
        let mut value = serde_json::to_value(study)?;
        value["samples"] = study.samples.iter().take(flags.show).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
        return Ok(());
    }
    write!(out, "{}", report(study))?;
    for row in 0..flags.show.min(study.samples.rows()) {
        writeln!(out, "\n--- sample {}", row + 1)?;
        writeln!(out, "{}", model.render(study.samples.row(row)))?;
    }
    Ok(())
}

/// The results as text.
fn report(study: &Study) -> String {
    let Study { log_partition: found, particles, sweeps, .. } = study;
    let [low, high] = found.interval;
    let method = match found.method {
        IntervalMethod::Delta => "",
        IntervalMethod::Bootstrap => {
            " by bootstrap: so few particles weigh that it may be much too narrow; raise --sweeps"
        }
    };
    let exact = study.exact.map_or_else(String::new, |exact| format!("   exactly {:.6} by {}", exact.value, exact.by));
    let resampled = match study.resamplings {
        0 => "never resampled".to_owned(),
        1 => "resampled once".to_owned(),
        times => format!("resampled {times} times"),
    };
    let mut text = format!(
        "{}: {} sites of {}{} tokens\n\
         log Z      {:.4} nats, 95 % {low:.4} to {high:.4}{method}{exact}\n\
         particles  {particles}, {:.1} % effective at the end, {sweeps} sweeps, {resampled}\n\n\
         {:<24} {:>12} {:>10} {:>16} {:>12}\n",
        study.name,
        study.sites,
        if study.tokens_differ { "at most " } else { "" },
        study.tokens,
        found.estimate,
        100.0 * found.effective_share,
        "mean in equilibrium",
        "found",
        "error",
        "autocorrelation",
        "exactly",
    );
    for mean in study.means.iter().take(ROWS) {
        let exact = mean.exact.map_or_else(|| "-".into(), |exact| format!("{exact:.6}"));
        let (time, error) = (mean.autocorrelation_time, mean.standard_error);
        // A series that never changed says nothing of its error.
        let error = if error > 0.0 && error.is_finite() { format!("{error:.6}") } else { "-".into() };
        text += &format!("{:<24} {:>12.6} {error:>10} {time:>16.1} {exact:>12}\n", mean.name, mean.mean);
    }
    if study.means.len() > ROWS {
        text += &format!("({} more in --json)\n", study.means.len() - ROWS);
    }
    let [chains, updates] = study.equilibrium;
    text + &format!("{chains} chains of {updates} {}; autocorrelation in these\n", study.moves)
}

/// The final states as images, four pixels a site.
fn sheet(study: &Study, [height, width]: [usize; 2], path: &Path) -> anyhow::Result<()> {
    let extent = Extent::new(height, width)?;
    let grey = |&token: &u32| token as f32 / (study.tokens - 1).max(1) as f32;
    let image = |row: &[u32]| -> anyhow::Result<Image> {
        Ok(Image::new(extent, Colours::Grey, row.iter().map(grey).collect())?)
    };
    let images = study.samples.iter().map(image).collect::<anyhow::Result<Vec<_>>>()?;
    let columns = images.len().isqrt().max(1);
    let style = SheetStyle { columns, scale: 4, background: 0.5, ..SheetStyle::default() };
    contact_sheet(&images, &style)?.save_png(path)?;
    Ok(())
}
