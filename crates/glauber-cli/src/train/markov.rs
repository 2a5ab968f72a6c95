//! `glauber train markov`.

use glauber_program::{Layers, MARKOV};
use glauber_run::RunConfig;
use glauber_run::training::check_kind;

use crate::arguments::MarkovFlags;

/// The configuration of a new run on a Markov source.
pub fn config(flags: &MarkovFlags) -> anyhow::Result<RunConfig> {
    let mut layers = Layers::new(MARKOV, &flags.train)?;
    let told = flags.classes.map(|classes| if classes > 1 { classes } else { 0 });
    layers.set_numbers([("data.vocab", flags.vocab), ("data.classes", flags.classes), ("model.classes", told)])?;
    let config = layers.finish()?;
    check_kind(&config.data, "markov")?;
    Ok(config)
}
