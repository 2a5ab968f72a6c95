//! `glauber train energy`.

use anyhow::Context;
use glauber_model::Positions;
use glauber_program::{ENERGY, Layers};
use glauber_run::RunConfig;
use glauber_run::training::check_kind;
use toml::Value;

use crate::arguments::TrainEnergyFlags;

/// The configuration of a new run on a target.
pub fn config(flags: &TrainEnergyFlags) -> anyhow::Result<RunConfig> {
    let mut layers = Layers::new(ENERGY, &flags.train)?;
    if let Some(target) = &flags.target {
        layers.set("data.target", Value::try_from(target.config()?)?)?;
    }
    layers
        .get("data.target")
        .context("no target: name one, as in `glauber train energy ising --side 8 --beta 0.44`; `--help` lists them")?;
    layers.set_numbers([("data.particles", flags.particles), ("data.sweeps", flags.annealing_sweeps)])?;
    let positions_set = layers.get("model.positions").is_some();
    let mut config = layers.finish()?;
    check_kind(&config.data, "energy")?;
    if let (false, Some([_, columns])) = (positions_set, config.data.shape().grid) {
        config.model.positions = Positions::Grid { columns };
    }
    Ok(config)
}
