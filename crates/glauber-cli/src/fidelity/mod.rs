//! `glauber fidelity`: how good the samples of a run on images are.

mod draw;
mod judge;
mod report;
mod sets;

use anyhow::{Context, bail, ensure};
use glauber_chain::ChainRng;
use glauber_train::DataConfig;

use crate::arguments::FidelityFlags;
use crate::device::device;
use crate::images::{PictureCodec, check, divided, identity};
use crate::sampling::Sampling;
use crate::train::classifier::warn_of_another_division;
use crate::trained::Trained;
use draw::draw;
use judge::Judge;
use report::{Report, Row};
use sets::Set;

/// Most samples, and most images to compare with.
const MOST: usize = 1 << 20;

/// The stream of the seed that chooses the images of which precision and recall are taken.
const COMPARED_STREAM: u64 = u64::MAX - 4;

/// Draws samples, judges them beside held-out images and independent pixels, and prints the figures.
pub fn fidelity(flags: &FidelityFlags) -> anyhow::Result<()> {
    let controls = flags.draw.controls()?;
    let least = flags.neighbours.saturating_add(1).max(2);
    for (flag, count) in [("--count", flags.count), ("--reference", flags.reference)] {
        ensure!((least..=MOST).contains(&count), "`{flag}` is {count}, expected a number in {least}..={MOST}");
    }
    ensure!(flags.neighbours > 0, "`--neighbours` is 0, expected at least 1");
    let device = device(&flags.draw.device)?;
    let trained = Trained::load(&flags.run, &device)?;
    let not_images = || format!("{}: this run was not trained on images", flags.run.display());
    let DataConfig::Image(image) = &trained.config.data else { bail!(not_images()) };
    let codec = trained.pictures()?.with_context(not_images)?;
    let parts = divided(image, &codec, trained.config.seed)?;
    check(&identity(image, &codec, &parts)?, &trained.vocabulary, trained.path())?;
    let [train, held_out] = &parts;
    for (what, found) in [("to train on", train.len()), ("held out", held_out.len())] {
        ensure!(
            found >= least,
            "{}: {found} images {what}, expected at least {least}: train on more images, or hold out another share than \
             `data.held_out` = {}",
            flags.run.display(),
            image.held_out
        );
    }
    let judge = Judge::load(flags, train.class_names(), &device)?;
    for network in [&flags.classifier, &flags.features].into_iter().flatten() {
        warn_of_another_division(network, &image.images, trained.config.seed, [train.len(), held_out.len()]);
    }
    let sampling = Sampling::from_flags(&trained, controls, &flags.sampler)?;
    let drawn = draw(flags, &trained, &sampling)?;

    let seed = flags.draw.seed;
    let reference = as_compared(Set::reference(train.as_ref(), flags.reference, seed), &codec);
    let independent = Set::independent(&reference, flags.count, seed)?;
    let chosen = || Set::held_out(held_out.as_ref(), flags.count, seed);
    let mut sets = vec![
        ("samples", Set::samples(&drawn, &codec)),
        ("held-out images", as_compared(chosen(), &codec)),
        ("independent pixels", independent),
    ];
    if let PictureCodec::Tokenizer(_) = codec {
        sets.push(("held-out, through the codec", chosen().through(&codec)));
    }
    let data = judge.examine(&reference)?;
    let mut rng = ChainRng::new(seed, COMPARED_STREAM);
    let mut row = |(name, set): &(&'static str, Set<'_>)| {
        Row::new(name, judge.examine(set)?, &data.features, flags.neighbours, &mut rng)
    };
    let rows = sets.iter().map(&mut row).collect::<anyhow::Result<Vec<Row>>>()?;
    let report = Report::new(flags, &trained, &sampling, &judge, &drawn, &data, rows);
    if flags.json { report.print_json() } else { report.print(train.class_names()) }
}

/// Images as those that samples should be like. Where a tokenizer makes tokens of them, that is as they came: what it loses, samples lack.
/// Where each pixel is a token, it is in the greys of the tokens.
fn as_compared<'a>(set: Set<'a>, codec: &'a PictureCodec) -> Set<'a> {
    match codec {
        PictureCodec::Pixels(_) => set.through(codec),
        PictureCodec::Tokenizer(_) => set,
    }
}
