//! With the exact law of a Markov source, every peer's loss has the entropy for its mean: their bounds compare.

use burn::tensor::{Device, Tensor, TensorData};
use glauber_baselines::{DiscreteBound, ExactCount, ScoreEntropy};
use glauber_chain::ChainRng;
use glauber_chain::oracles::MarkovSource;
use glauber_chain::statistics::Estimate;
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::Token;
use glauber_train::{Asked, Drawing, Examples, LevelBound, Objective};

const LEN: usize = 6;
const MASK: Token = 3;
const STEPS: usize = 400;
const ROWS: usize = 30_000;

/// Three tokens, and a mask that it never shows.
fn source() -> MarkovSource {
    let even = [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0];
    let transition = [[0.8, 0.15, 0.05, 0.0], [0.1, 0.2, 0.7, 0.0], [0.45, 0.45, 0.1, 0.0], even];
    MarkovSource::new(vec![0.5, 0.3, 0.2, 0.0], transition.concat()).expect("a source")
}

/// All sites equally noisy, in so many steps.
fn schedule(law: &NoiseLaw) -> Schedule {
    let order = SiteOrder::strided(LEN, LEN, STEPS).expect("an order");
    Schedule::new(SignalShape::Linear, order, law.clone(), 1e-4, false).expect("a schedule")
}

/// Where blocks come one after the other, what stands where sites of a block are asked for: clean tokens before it, masks behind.
fn seen(examples: &Examples, row: usize, first: usize, block: usize) -> Vec<Token> {
    let token = |site: usize| match site {
        _ if site < first => examples.clean[row * LEN + site],
        _ if site < first + block => examples.context[row * LEN + site],
        _ => MASK,
    };
    (0..LEN).map(token).collect()
}

/// The loss of a sequence in nats under the exact law of the clean token, which `logits` turns into what a network would give. A wrong
/// one gives every token alike.
fn loss(
    objective: &dyn Objective,
    law: &NoiseLaw,
    block: Option<usize>,
    wrong: bool,
    logits: impl Fn(&mut [f64], f64),
) -> Estimate {
    let (source, all, device) = (source(), schedule(law), Device::flex());
    let schedule = match block {
        None => all.clone(),
        Some(block) => {
            let order = SiteOrder::block_by_block(LEN, block, STEPS).expect("an order");
            Schedule::new(SignalShape::Linear, order, law.clone(), 1e-4, false).expect("a schedule")
        }
    };
    let drawing = Drawing {
        asked: Asked::InView,
        continuous: false,
        clamped_share: 0.0,
        counts_masks: objective.counts_masks(),
        whole_sweeps: false,
        block,
        densities: false,
        classes: 0,
        class_dropout: 0.0,
    };
    let examples = Examples::draw(&source, &schedule, ROWS, &drawing, &mut ChainRng::new(7, 0)).expect("examples");
    let sites: Vec<usize> = (0..LEN).collect();
    let mut given = Vec::new();
    for row in 0..ROWS {
        let noisy = &examples.context[row * LEN..][..LEN];
        // Where masks are counted the step says nothing of them, and the law does not depend on it.
        let step = if objective.counts_masks() { STEPS / 2 } else { examples.steps[row] };
        let mut laws = match block {
            None => source.denoising_posteriors(&schedule, step, noisy, &sites).expect("laws"),
            // Under masks the step says nothing.
            Some(block) => {
                let of_block = |sites: &[usize]| {
                    let seen = seen(&examples, row, sites[0], block);
                    source.denoising_posteriors(&all, STEPS / 2, &seen, sites).expect("laws")
                };
                sites.chunks(block).flat_map(of_block).collect()
            }
        };
        for (mu, level) in laws.chunks_exact_mut(law.vocab()).zip(&examples.levels[row * LEN..]) {
            if wrong {
                mu.copy_from_slice(&[1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]);
            }
            logits(mu, *level);
        }
        given.extend(laws.into_iter().map(|logit| logit.max(-60.0) as f32));
    }
    let logits = Tensor::from_data(TensorData::new(given, [ROWS, LEN, law.vocab()]), &device);
    let losses = objective.loss(logits, &examples.targets(objective, &schedule, &device));
    let losses: Vec<f64> = losses.into_data().iter::<f64>().collect();
    Estimate::independent(&losses.chunks_exact(LEN).map(|row| row.iter().sum()).collect::<Vec<f64>>())
}

#[test]
fn the_exact_law_brings_every_loss_to_the_entropy() {
    let entropy = source().entropy(LEN);
    let absorbing = NoiseLaw::absorbing(4, MASK).expect("a law");
    let spread = NoiseLaw::unigram(&[2, 1, 1, 0], 0.0).expect("a law");
    let moving = NoiseLaw::moving(4, MASK, 0.3).expect("a law");
    let log_mu = |mu: &mut [f64], _: f64| mu.iter_mut().for_each(|p| *p = p.ln());
    // Ratios of r = α μ + (1 − α) q, less the shift that SEDD adds to all but the mask.
    let ratios = |law: NoiseLaw| {
        move |mu: &mut [f64], level: f64| {
            let shift = if law.mask().is_some() { (level / ((1.0 - level) * 3.0)).ln() } else { 0.0 };
            for (b, p) in mu.iter_mut().enumerate() {
                let r = level * *p + (1.0 - level) * law.probability(b as Token);
                *p = r.ln() - if law.mask() == Some(b as Token) { 0.0 } else { shift };
            }
        }
    };
    type Logits = Box<dyn Fn(&mut [f64], f64)>;
    let of_mu = || Box::new(log_mu) as Logits;
    type Row<'a> = (&'a str, &'a dyn Objective, &'a NoiseLaw, Option<usize>, Logits);
    let rows: [Row<'_>; 11] = [
        ("MDLM, MD4", &LevelBound, &absorbing, None, of_mu()),
        ("UDLM, Duo", &LevelBound, &spread, None, of_mu()),
        ("GIDD", &LevelBound, &moving, None, of_mu()),
        ("RADD, LLaDA", &ExactCount, &absorbing, None, of_mu()),
        ("SEDD, absorbing", &ScoreEntropy, &absorbing, None, Box::new(ratios(absorbing.clone()))),
        ("SEDD, uniform", &ScoreEntropy, &spread, None, Box::new(ratios(spread.clone()))),
        ("D3PM, absorbing", &DiscreteBound, &absorbing, None, of_mu()),
        ("D3PM, uniform", &DiscreteBound, &spread, None, of_mu()),
        ("BD3, blocks of 1", &LevelBound, &absorbing, Some(1), of_mu()),
        ("BD3, blocks of 4 and 2", &LevelBound, &absorbing, Some(4), of_mu()),
        ("BD3, counted, blocks of 3", &ExactCount, &absorbing, Some(3), of_mu()),
    ];
    let mut of_masks = Vec::new();
    for (name, objective, law, block, logits) in rows {
        let Estimate { mean, standard_error } = loss(objective, law, block, false, &logits);
        // D3PM adds a thousandth of a cross-entropy a step, at most ln 3 a site, over 400 steps.
        let (low, high) = if name.starts_with("D3PM") { (0.0, 0.4 * LEN as f64 * 3f64.ln()) } else { (0.0, 0.01) };
        let near = entropy - 4.0 * standard_error + low..entropy + 4.0 * standard_error + high;
        assert!(near.contains(&mean) && standard_error < 0.1, "{name}: {mean} ± {standard_error}, entropy {entropy}");
        let wrong = loss(objective, law, block, true, &logits);
        assert!(wrong.mean > mean + 0.3, "{name}: {} with a wrong law", wrong.mean);
        if law == &absorbing {
            of_masks.push((name, mean, standard_error));
        }
    }
    // The same sequences and masks: SEDD with the ratios of a clean token is MDLM.
    let of = |wanted: &str| of_masks.iter().find(|(name, ..)| *name == wanted).expect("a row");
    let (mdlm, sedd, radd) = (of("MDLM, MD4"), of("SEDD, absorbing"), of("RADD, LLaDA"));
    assert!((mdlm.1 - sedd.1).abs() < 1e-3, "{mdlm:?} {sedd:?}");
    assert!(radd.2 < mdlm.2, "a counted number of masks is less noisy: {radd:?} {mdlm:?}");
}
