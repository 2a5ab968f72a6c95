//! `glauber train markov`.

use anyhow::bail;
use burn::tensor::Device;
use glauber_chain::oracles::{MarkovSource, bayes_losses};
use glauber_model::Network;
use glauber_program::Layers;
use glauber_program::device::device;
use glauber_program::progress::{run, say};
use glauber_program::trainer;
use glauber_run::Rank;
use glauber_run::markov::{mixture, unigram_counts};
use glauber_run::training::{check_kind, new_run, resumed};
use glauber_train::{Examples, Run, RunConfig, Surroundings, TrainError, Vocabulary, excess_over_bayes};

use crate::arguments::MarkovFlags;

const DEFAULTS: &str = include_str!("../../configs/markov.toml");

/// Trains on a Markov source and reports the excess over its Bayes loss.
pub fn train(flags: &MarkovFlags, ranks: &Rank) -> anyhow::Result<()> {
    let device = device(&flags.train.device)?;
    let (config, folder) = match flags.train.resume {
        true => resumed(flags.train.run.as_deref(), "markov", ranks)?,
        false => (markov_config(flags)?, new_run(flags.train.run.as_deref(), "markov")?),
    };
    config.validate()?;
    let Some(mixture) = mixture(&config.data)? else {
        bail!("{}: a run on other data than a Markov source", folder.display());
    };
    let vocabulary = Vocabulary::of_counts(unigram_counts(&config.data, &mixture), env!("CARGO_PKG_VERSION"));
    let mut trainer = trainer(&config, &vocabulary, None, &folder, &device, &flags.train, ranks)?;
    match mixture.classes() {
        [source] => train_on_source(&mut trainer, source, &device, ranks)?,
        _ => {
            let around = Surroundings { train: &mixture, validation: &mixture, sample: &no_text, excess: None };
            run(&mut trainer, &around, ranks)?;
        }
    }
    say(&format!("run folder: {}", folder.display()));
    Ok(())
}

fn train_on_source(trainer: &mut Run, source: &MarkovSource, device: &Device, ranks: &Rank) -> anyhow::Result<()> {
    let (schedule, config) = (trainer.schedule().clone(), trainer.config());
    let objective = config.train.objective;
    if ranks.is_first() {
        let bayes = bayes_losses(source, &schedule, 2048, config.seed)?;
        say(&format!(
            "Bayes losses, nats per site: binary {:.5} ± {:.5}, denoising {:.5} ± {:.5}",
            bayes.binary.mean, bayes.binary.standard_error, bayes.denoising.mean, bayes.denoising.standard_error
        ));
    }
    let excess = |network: &Network, held_out: &[Examples]| {
        excess_over_bayes(network, objective, &schedule, source, held_out, device)
    };
    let around = Surroundings { train: source, validation: source, sample: &no_text, excess: Some(&excess) };
    run(trainer, &around, ranks)?;
    Ok(())
}

fn no_text(_: &Network, _: usize, _: u64) -> Result<Vec<String>, TrainError> {
    Ok(Vec::new())
}

fn markov_config(flags: &MarkovFlags) -> anyhow::Result<RunConfig> {
    let mut layers = Layers::new(DEFAULTS, &flags.train)?;
    if let Some(vocab) = flags.vocab {
        layers.set("data.vocab", i64::try_from(vocab)?)?;
    }
    if let Some(classes) = flags.classes {
        layers.set("data.classes", i64::try_from(classes)?)?;
        layers.set("model.classes", if classes > 1 { i64::try_from(classes)? } else { 0 })?;
    }
    let config = layers.finish()?;
    check_kind(&config.data, "markov")?;
    Ok(config)
}
