//! `glauber-lab experiment plane`: seven sets of points of the plane as 32 bits each, beside published rows.

mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use burn::tensor::Device;
use clap::Args;
use glauber_chain::ChainRng;
use glauber_chain::statistics::Estimate;
use glauber_files::write_whole;
use glauber_plane::{BITS, PlaneSet, squared_mmd};
use glauber_program::device::{device, replicas};
use glauber_program::progress::{bar, say};
use glauber_program::{Layers, training};
use glauber_run::evaluation::{EvaluationSettings, evaluate};
use glauber_run::plane::PlaneData;
use glauber_run::training::Training;
use glauber_run::{Rank, RunFolder, SamplerSettings, Sampling, Trained};

use self::report::{Densities, Row, table};

pub use self::report::published;

/// The configuration of the runs.
const BASE: &str = include_str!("../../../configs/plane.toml");
/// Words of a set that are compared by the kernel.
const WORDS: usize = 4000;
/// Points that the floor and the marginals are taken over.
const POINTS: usize = 100_000;

#[derive(Debug, Args)]
pub struct Flags {
    /// Point sets: 2spirals, 8gaussians, circles, moons, pinwheel, swissroll, checkerboard. Default: all
    #[arg(long, value_name = "SET", num_args = 1..)]
    sets: Vec<PlaneSet>,
    /// Training steps per set. Default: as in `crates/glauber-lab/configs/plane.toml`
    #[arg(long)]
    steps: Option<usize>,
    /// Number of points for the bound
    #[arg(long, default_value_t = 8192)]
    sequences: usize,
    /// Number of comparisons of 4000 samples with 4000 points
    #[arg(long, default_value_t = 10)]
    repetitions: usize,
    /// Seed of training, points and samples
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Set a configuration key in every run
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Output folder for runs, table and plot. Finished runs in it are evaluated, not trained again
    #[arg(long, value_name = "DIR", default_value = "runs/plane")]
    out: PathBuf,
    /// Device: cpu, wgpu, cuda or cuda:INDEX. `glauber device list` lists those available
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Micro-batches computed in parallel. Default: one per core
    #[arg(long)]
    threads: Option<usize>,
}

/// Trains the missing runs, evaluates all, and prints the table.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    ensure!(
        flags.repetitions > 1,
        "`--repetitions` is {}, expected at least 2, for standard errors",
        flags.repetitions
    );
    let device = device(&flags.device)?;
    let sets = if flags.sets.is_empty() { PlaneSet::ALL.to_vec() } else { flags.sets.clone() };
    let (mut rows, mut densities) = (Vec::new(), Densities::default());
    for set in sets {
        say(set.name());
        let trained = trained(flags, set, &device)?;
        let (row, words) = judged(flags, set, &trained)?;
        densities.add(set, &words)?;
        rows.push(row);
        let (table, json) = (table(&rows), serde_json::to_string_pretty(&rows)?);
        let picture = flags.out.join("densities.png");
        densities.sheet()?.save_png(&picture).with_context(|| picture.display().to_string())?;
        for (name, text) in [("table.md", table), ("rows.json", json)] {
            let path = flags.out.join(name);
            write_whole(&path, text).with_context(|| path.display().to_string())?;
        }
    }
    say(&table(&rows));
    Ok(())
}

/// The finished run of a set; trains it if it is missing.
fn trained(flags: &Flags, set: PlaneSet, device: &Device) -> anyhow::Result<Trained> {
    let folder = flags.out.join(set.name());
    let mut layers = Layers::built_in(BASE)?;
    layers.set("data.set", set.name())?;
    layers.set("seed", i64::try_from(flags.seed)?)?;
    for setting in &flags.set {
        layers.set_text(setting)?;
    }
    layers.set_numbers([("train.steps", flags.steps)])?;
    let config = layers.finish()?;
    let begun = RunFolder::open(&folder).and_then(|run| run.config()).ok();
    if let Some(begun) = &begun {
        ensure!(*begun == config, "{}: a run with other settings; choose another `--out`", folder.display());
    }
    let ranks = Rank::alone();
    let threads = replicas(flags.threads, &flags.device, 1);
    let (config, resume) = (&config, begun.is_some());
    let run = Training { config, folder: &folder, device, resume, steps: None, threads, ranks: &ranks };
    training::train(&run, &training::open(&run, Path::new(""))?)?;
    let done = RunFolder::open(&folder)?.latest_checkpoint()?.step;
    ensure!(done == config.train.steps, "interrupted; repeat the command to resume this run");
    Ok(Trained::load(&folder, device)?)
}

fn data(trained: &Trained) -> anyhow::Result<&PlaneData> {
    trained.config.data.get().context("`data.kind` is not \"plane\", which `experiment plane` needs")
}

/// A run, the density of its set, and the run's samples.
fn judged(flags: &Flags, set: PlaneSet, trained: &Trained) -> anyhow::Result<(Row, Vec<u32>)> {
    let code = data(trained)?.code()?;
    let mut rng = ChainRng::new(flags.seed, 0);
    let points: Vec<[f64; 2]> = (0..POINTS).map(|_| set.draw(&mut rng)).collect();
    let surprise = |point: [f64; 2]| -set.log_density(point) - code.log_cell();
    let floor = Estimate::independent(&points.iter().map(|&point| surprise(point)).collect::<Vec<_>>());
    // A draw for each step: of one sweep every step is drawn once.
    let draws = trained.schedule.horizon();
    let settings =
        EvaluationSettings { seed: flags.seed, ..EvaluationSettings::held_out(flags.sequences, draws, PathBuf::new()) };
    let bar = bar(flags.sequences);
    let evaluation = evaluate(trained, &settings, &mut |_| (), &mut |done, _| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let nats = evaluation.terms.totals();
    // Each point beside what its density says: the noise of the points is gone.
    let clean = evaluation.evaluated.clean.iter().map(|tokens| surprise(code.decode(tokens)));
    let excess: Vec<f64> = nats.iter().zip(clean).map(|(bound, exact)| bound - exact).collect();
    let mut words = Vec::with_capacity(flags.repetitions * WORDS);
    let sampling = Sampling::of(trained, &SamplerSettings::default())?;
    let conditional = trained.conditional(sampling.schedule())?;
    for repetition in 0..flags.repetitions {
        let seed = flags.seed + 1 + repetition as u64;
        let (samples, _) = sampling.draw(&conditional, WORDS, seed, &mut |_| ())?;
        words.extend(samples.iter().map(|tokens| code.word_of(tokens)));
    }
    let mut real = || (0..WORDS).map(|_| code.word(set.draw(&mut rng))).collect::<Vec<u32>>();
    let mmd = |words: &mut dyn FnMut(usize) -> Vec<u32>, real: &mut dyn FnMut() -> Vec<u32>| {
        let each: Vec<f64> = (0..flags.repetitions).map(|at| squared_mmd(&words(at), &real())).collect();
        Estimate::independent(&each)
    };
    let of_model = mmd(&mut |at| words[at * WORDS..][..WORDS].to_vec(), &mut real);
    let mut other = ChainRng::new(flags.seed, 1);
    let of_points = mmd(&mut |_| (0..WORDS).map(|_| code.word(set.draw(&mut other))).collect(), &mut real);
    let marginals: [f64; BITS] = std::array::from_fn(|bit| {
        let ones = points.iter().filter(|&&point| code.word(point) >> bit & 1 == 1).count();
        ones as f64 / POINTS as f64
    });
    let mut coins = ChainRng::new(flags.seed, 2);
    let mut independent = || (0..BITS).map(|bit| u32::from(coins.uniform() < marginals[bit]) << bit).sum();
    let of_bits = mmd(&mut |_| (0..WORDS).map(|_| independent()).collect(), &mut real);
    let row = Row {
        set,
        steps: trained.state.step,
        seconds: trained.state.seconds,
        floor,
        bound: Estimate::independent(&nats),
        excess: Estimate::independent(&excess),
        mmd: of_model,
        mmd_of_points: of_points,
        mmd_of_bits: of_bits,
    };
    Ok((row, words))
}
