//! Data and an objective of one's own in a run folder: named by a configuration, trained on, resumed, sampled by a
//! kernel of one's own, and judged by what is known of them.

mod melodies;
#[path = "../../../crates/glauber/examples/own_kernel.rs"]
#[allow(dead_code)]
mod own_kernel;
#[path = "../../../crates/glauber/examples/own_objective.rs"]
#[allow(dead_code)]
mod own_objective;

use std::error::Error;

use burn::tensor::Device;
use glauber::chain::{ReverseSampler, Sampler};
use glauber::run::{Event, Flow, Hook, Opening, Run, RunConfig, Trained, register_data_kind};
use glauber::tokens::Token;
use glauber::train::register_objective;

use melodies::Melodies;
use own_kernel::Coupling;
use own_objective::Weighted;

const CONFIG: &str = r#"
[data]
kind = "melodies"
length = 16
notes = 7

[model]
network = "hollow"
width = 32
layers = 1
merge_layers = 1
heads = 2
condition_width = 16
tied = false

[schedule]
sweeps = 4

[train]
objective = "weighted-denoising"
steps = 120
batch = 16
warmup_steps = 10
average_decay = 0.9
validate_every = 40
validation_sequences = 16
checkpoint_every = 40
sample_every = 120
"#;

/// Prints what happens, and stops at a step.
struct Until(usize);

impl Hook for Until {
    fn on_event(&mut self, event: Event<'_>) -> Flow {
        match event {
            Event::Validation(line) => println!("step {}: held-out loss {:.3}", line.step, line.loss),
            Event::Samples { texts, .. } => texts.iter().for_each(|text| println!("  {text}")),
            Event::Step { step, .. } if step == self.0 => return Flow::Stop,
            _ => {}
        }
        Flow::Continue
    }

    fn seconds(&self) -> f64 {
        0.0
    }
}

/// The share of neighbours that are a step of the scale apart.
fn steps(melodies: &[&[Token]]) -> f64 {
    let step = |pair: &[Token]| f64::from(u8::from([1, 6].contains(&(7 + pair[0] - pair[1]).rem_euclid(7))));
    let pairs: Vec<f64> = melodies.iter().flat_map(|melody| melody.windows(2).map(step)).collect();
    pairs.iter().sum::<f64>() / pairs.len() as f64
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    register_data_kind::<Melodies>("melodies", &[])?;
    register_objective(&Weighted)?;
    let config: RunConfig = toml::from_str(CONFIG)?;
    let (device, root) = (Device::flex(), tempfile::tempdir()?);
    let (folder, cache) = (root.path().join("run"), root.path().join("cache"));

    let mut say = |line: &str| println!("{line}");
    let mut opening =
        Opening { config: &config, begun: None, first: true, cache: &cache, device: &device, say: &mut say };
    let data = config.data.open(&mut opening)?;
    let mut run = Run::begin(config.clone(), &data.vocabulary, Some(&*data.codec), &folder, &device, 2)?;
    data.train(&mut run, &mut Until(50))?;
    drop(run);
    data.train(&mut Run::resume(&folder, &device, 2)?, &mut Until(usize::MAX))?;

    let trained = Trained::load(&folder, &device)?;
    let sampler = ReverseSampler::new(&trained.schedule, Coupling);
    let mut chains = sampler.start(32, 1);
    let noise = steps(&chains.tokens().iter().collect::<Vec<_>>());
    sampler.sample(&trained.conditional(&trained.schedule)?, &mut chains)?;
    let samples = steps(&chains.tokens().iter().collect::<Vec<_>>());
    println!("{}", trained.render(chains.tokens().row(0))?);
    println!("neighbours a step apart: {samples:.3} in samples, {noise:.3} in noise");
    assert!(samples > noise + 0.2, "the run has learned nothing");
    Ok(())
}
