//! `glauber-lab bench`: our side of the yardstick, whose other side is `benches/pytorch/`; `cargo xtask bench` runs both.

mod blocks;
mod chain;
mod flops;
mod grid;
mod memory;
mod record;
mod setup;

use burn::module::Module;
use burn::tensor::{Distribution, Tensor};
use clap::Subcommand;
use glauber_chain::{ChainRng, Chains, DrawControls};
use glauber_model::Network;
use glauber_train::{Denoising, DeviceChains, DeviceSampler};

use self::blocks::BlockFlags;
use self::setup::{Setup, ShapeFlags};

pub use self::setup::UniformTokens;

/// The benchmarks, and the record that checks that both sides compute the same.
#[derive(Debug, Subcommand)]
pub enum BenchWhat {
    /// Time training steps: draw examples, forward, backward, optimiser, moving average
    Train(BlockFlags),
    /// Time sampling steps: redraw one site of each sequence
    Sample(BlockFlags),
    /// Time the largest matrix product of a training step
    Matmul(BlockFlags),
    /// Time heat-bath sweeps of a lattice; the counterpart is `benches/numba/`
    Chain(chain::Flags),
    /// Time training steps of a GFlowNet on a hypergrid; the counterpart is `benches/torchgfn/`
    Grid(grid::Flags),
    /// Measure the peak memory of training or sampling
    Memory(memory::Flags),
    /// Print the sizes for the counterpart, as JSON
    Setup(ShapeFlags),
    /// Write weights, examples, logits and losses of a few steps, for `benches/pytorch/check.py`
    Record(record::Flags),
}

/// Runs the benchmark.
pub fn run(what: BenchWhat) -> anyhow::Result<()> {
    match what {
        BenchWhat::Train(flags) => train(&flags),
        BenchWhat::Sample(flags) => sample(&flags),
        BenchWhat::Matmul(flags) => matmul(&flags),
        BenchWhat::Chain(flags) => chain::run(&flags),
        BenchWhat::Grid(flags) => grid::run(&flags),
        BenchWhat::Memory(flags) => memory::run(&flags),
        BenchWhat::Setup(flags) => blocks::print(&Setup::of(&flags)?.describe()?),
        BenchWhat::Record(flags) => record::run(&flags),
    }
}

fn train(flags: &BlockFlags) -> anyhow::Result<()> {
    let setup = Setup::of(&flags.shape)?;
    let folder = tempfile::tempdir()?;
    let mut trainer = setup.trainer(&folder.path().join("run"))?;
    let (source, parameters) = (UniformTokens(setup.vocab), trainer.network().num_params());
    flags.measure(parameters, |steps| {
        for _ in 0..steps {
            trainer.train_step(&source)?;
        }
        setup.finish()
    })
}

fn sample(flags: &BlockFlags) -> anyhow::Result<()> {
    let setup = Setup::of(&flags.shape)?;
    let network = setup.network()?;
    sampling(&setup, &network, |run| flags.measure(network.num_params(), run))
}

/// Passes `measure` a closure that does the given number of sampling steps.
fn sampling<T>(
    setup: &Setup,
    network: &Network,
    measure: impl FnOnce(&mut dyn FnMut(usize) -> anyhow::Result<()>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let (schedule, device) = (setup.schedule()?, setup.device());
    let chains = Chains::from_noise(&schedule, ChainRng::streams(0, setup.config.train.batch));
    let mut chains = DeviceChains::upload(&chains, &device);
    let sampler = DeviceSampler::new(network, &Denoising, &schedule, DrawControls::default(), &device)?;
    let mut now = schedule.horizon();
    measure(&mut |steps| {
        let mut left = steps;
        while left > 0 {
            let to = now.saturating_sub(left);
            sampler.run(&mut chains, now, to, |_| ())?;
            left -= now - to;
            // A chain that has come to its end begins again where it began, with the tokens it has: the cost is the same.
            now = if to == 0 { schedule.horizon() } else { to };
        }
        setup.finish()
    })
}

fn matmul(flags: &BlockFlags) -> anyhow::Result<()> {
    let setup = Setup::of(&flags.shape)?;
    let ([rows, width, hidden], device) = (setup.product(), setup.device());
    let random = |dims: [usize; 2]| Tensor::<2>::random(dims, Distribution::Default, &device);
    let (a, b) = (random([rows, width]), random([width, hidden]));
    flags.measure(setup.parameters()?, |steps| {
        (0..steps).for_each(|_| drop(a.clone().matmul(b.clone())));
        setup.finish()
    })
}
