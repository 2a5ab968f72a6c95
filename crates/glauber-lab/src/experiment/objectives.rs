//! `glauber-lab experiment objectives`: five losses with one minimiser; which one gets there first?

use glauber_model::{ModelConfig, NetworkKind};
use glauber_run::RunConfig;
use glauber_schedule::NoiseConfig;
use glauber_train::{Binary, Denoising, NormalisedBinary, Objective, RatioMatching, StepCrossEntropy};

use super::comparison::{Contestant, Counter, Flags, compare};

const HEADING: &str = "Objectives at equal time and equal tokens";

/// Those that learn the same law by another loss.
const OBJECTIVES: [&dyn Objective; 5] = [&Binary, &NormalisedBinary, &Denoising, &StepCrossEntropy, &RatioMatching];

/// Their colours.
const COLOURS: [[u8; 3]; 5] = [[200, 60, 30], [230, 150, 20], [30, 90, 180], [40, 140, 70], [130, 70, 160]];

/// Blocks that a masked-query network may have.
const LAYERS: std::ops::RangeInclusive<usize> = 1..=24;

/// Runs every objective with both leave-one-out networks.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    compare("objectives", HEADING, flags, &contestants)
}

fn contestants(config: &RunConfig, counter: &Counter<'_>) -> anyhow::Result<Vec<Contestant>> {
    let hollow = ModelConfig { network: NetworkKind::Hollow, ..config.model.clone() };
    let query = |layers| ModelConfig { network: NetworkKind::MaskedQuery, layers, ..config.model.clone() };
    let masked_query = counter.nearest(&hollow, LAYERS.map(query))?;
    let contestant =
        |(objective, colour): (&'static dyn Objective, [u8; 3]), name: &str, model: &ModelConfig| Contestant {
            slug: format!("{}-{name}", objective.name()),
            network: name.into(),
            objective,
            model: model.clone(),
            noise: NoiseConfig::Uniform,
            colour,
            dashed: model.network == NetworkKind::MaskedQuery,
        };
    let each = OBJECTIVES.into_iter().zip(COLOURS);
    let both = each.flat_map(|objective| {
        [contestant(objective, "hollow", &hollow), contestant(objective, "masked-query", &masked_query)]
    });
    Ok(both.collect())
}
