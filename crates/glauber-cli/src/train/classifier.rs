//! `glauber train classifier`.

use std::time::Instant;

use anyhow::{Context, bail, ensure};
use glauber_fidelity::ClassifierTrainConfig;
use glauber_pixels::{Colours, Extent};
use glauber_program::device::device;
use glauber_program::outputs::check_apart;
use glauber_program::progress::{Progress, journal, say, stop_on_interrupt};
use glauber_run::Outcome;
use glauber_run::classifier::{ClassifierSettings, ClassifierTraining, by_class};
use glauber_run::images::ImagesConfig;
use glauber_run::training::free_run;

use crate::arguments::ClassifierFlags;

/// Number of generated images, for shapes.
const SHAPES: usize = 10_000;

/// Trains a classifier, and prints its recognition of held-out images.
pub fn train(flags: &ClassifierFlags) -> anyhow::Result<()> {
    let device = device(&flags.device)?;
    let &ClassifierFlags { steps, batch, learning_rate, shift, seed, .. } = flags;
    let training = ClassifierTrainConfig { steps, batch, learning_rate, shift, ..ClassifierTrainConfig::default() };
    training.validate()?;
    let (images, side) = data(flags)?;
    let [height, width] = flags.size.unwrap_or([side; 2]);
    let folder = free_run(flags.run.as_deref(), "classifier")?;
    check_apart(("--run", &folder), images.place().map(|images| ("--path", images)).as_slice())?;
    let settings = ClassifierSettings {
        images,
        data: flags.data.clone(),
        extent: Extent::new(height, width)?,
        colours: if flags.colour { Colours::Rgb } else { Colours::Grey },
        training,
        seed,
    };
    let mut training = ClassifierTraining::begin(&settings, &folder, &device, &mut say)?;
    // What was learned is not lost when it is asked to stop while it is judged.
    let stop = stop_on_interrupt()?;
    let started = Instant::now();
    let mut progress = Progress::new(0, steps, stop.flag(), Some(journal(&folder, "classifier", 0, steps)));
    let flow = training.run(&mut progress);
    progress.finish(Outcome::of(&flow));
    flow?;
    let (classes, done, seconds) = (training.classes().to_vec(), training.steps(), started.elapsed().as_secs_f64());
    let recognition = training.finish(seconds)?;
    let [low, high] = recognition.interval();
    say(&format!(
        "accuracy {:.4} (95 %: {low:.4} to {high:.4}) on {} held-out images (seed {seed}); {done} steps of {batch} images, {seconds:.0} s",
        recognition.share(),
        recognition.total(),
    ));
    say(&format!("by class: {}", by_class(&recognition, &classes)));
    say(&format!("network: {}", folder.display()));
    Ok(())
}

/// The source of the images, and their default side length.
fn data(flags: &ClassifierFlags) -> anyhow::Result<(ImagesConfig, usize)> {
    let data = flags.data.as_str();
    let path = || flags.path.clone().with_context(|| format!("`--data {data}` needs `--path DIR`"));
    Ok(match data {
        "shapes" => {
            ensure!(flags.path.is_none(), "`--path` has no effect: `--data shapes` generates its images; leave it out");
            (ImagesConfig::Shapes { count: SHAPES, seed: 0 }, 16)
        }
        "mnist" => (ImagesConfig::Mnist { path: path()? }, 28),
        "folder" => (ImagesConfig::Folder { path: path()?, flip: false, crop_margin: None }, 32),
        _ => bail!("`--data {data}`: expected shapes, mnist or folder"),
    })
}
