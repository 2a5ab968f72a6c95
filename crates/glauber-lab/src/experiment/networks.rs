//! `glauber-lab experiment networks`: what should look at the rest of a sequence?

use glauber_model::{ModelConfig, NetworkKind};
use glauber_run::RunConfig;
use glauber_schedule::NoiseConfig;
use glauber_train::Denoising;

use super::comparison::{Contestant, Counter, Flags, compare};

const HEADING: &str = "Networks of equal size at equal time";

const COLOURS: [[u8; 3]; 8] = [
    [20, 20, 20],
    [200, 60, 30],
    [230, 150, 20],
    [150, 110, 60],
    [40, 140, 70],
    [30, 90, 180],
    [130, 70, 160],
    [90, 90, 90],
];

/// Allowed numbers of blocks, if the number of blocks is fitted.
const LAYERS: std::ops::RangeInclusive<usize> = 1..=24;
/// Maximal width, if the width is fitted.
const WIDEST: usize = 512;

/// Runs the networks with the denoising objective.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    compare("networks", HEADING, flags, &contestants)
}

fn contestants(config: &RunConfig, counter: &Counter<'_>) -> anyhow::Result<Vec<Contestant>> {
    let base = &config.model;
    let hollow =
        |layers, merge_layers| ModelConfig { network: NetworkKind::Hollow, layers, merge_layers, ..base.clone() };
    let reference = hollow(base.layers, 1);
    // Blocks chosen at the common width, or the width chosen for given blocks.
    let by_layers = |network| {
        let model = |layers| ModelConfig { network, layers, merge_layers: 0, ..base.clone() };
        counter.nearest(&reference, LAYERS.map(model))
    };
    let by_width = |model: ModelConfig| {
        let step = 2 * model.heads;
        let widths = (1..=WIDEST / step).map(|n| n * step);
        counter.nearest(&reference, widths.map(|width| ModelConfig { width, ..model.clone() }))
    };
    let masked_query = by_layers(NetworkKind::MaskedQuery)?;
    let bidirectional = by_layers(NetworkKind::Bidirectional)?;
    let in_view = by_layers(NetworkKind::OwnEvidence)?;
    let (uniform, absorbing) = (NoiseConfig::Uniform, NoiseConfig::Absorbing);
    let all = [
        ("own-evidence", in_view, uniform.clone()),
        ("hollow-merge-0", by_width(hollow(base.layers, 0))?, uniform.clone()),
        ("hollow-merge-1", reference.clone(), uniform.clone()),
        ("hollow-merge-2", by_width(hollow(base.layers, 2))?, uniform.clone()),
        ("hollow-deep", by_width(hollow(2 * base.layers, 1))?, uniform.clone()),
        ("masked-query", masked_query, uniform),
        ("hollow-absorbing", reference.clone(), absorbing.clone()),
        ("bidirectional-absorbing", bidirectional, absorbing),
    ];
    Ok(all
        .into_iter()
        .zip(COLOURS)
        .map(|((slug, model, noise), colour)| contestant(slug, model, noise, colour))
        .collect())
}

fn contestant(slug: &str, model: ModelConfig, noise: NoiseConfig, colour: [u8; 3]) -> Contestant {
    let merge =
        if model.network == NetworkKind::Hollow { format!(" + {} merging", model.merge_layers) } else { String::new() };
    let under = if noise == NoiseConfig::Absorbing { ", absorbing noise" } else { "" };
    Contestant {
        slug: slug.into(),
        network: format!("{:?}, width {}, {} layers{merge}{under}", model.network, model.width, model.layers),
        objective: &Denoising,
        dashed: model.network != NetworkKind::Hollow,
        model,
        noise,
        colour,
    }
}
