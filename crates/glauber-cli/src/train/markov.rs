//! `glauber train markov`.

use glauber_program::Layers;
use glauber_run::RunConfig;
use glauber_run::training::check_kind;

use crate::arguments::MarkovFlags;

const DEFAULTS: &str = include_str!("../../configs/markov.toml");

/// The configuration of a new run on a Markov source.
pub fn config(flags: &MarkovFlags) -> anyhow::Result<RunConfig> {
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
