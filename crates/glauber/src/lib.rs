#![doc = include_str!("../README.md")]
//! Depend on the single crates instead where you need one or two of them: the types are the same.
//!
//! | module       | feature              | what is in it                                                              |
//! |--------------|----------------------|----------------------------------------------------------------------------|
//! | [`tokens`]   | always               | tokens, sites, steps, token batches, the codec trait                       |
//! | [`schedule`] | `schedule` (default) | noise laws, signal levels, site orders                                     |
//! | [`chain`]    | `chain` (default)    | the forward chain, heat-bath kernels, the reverse sampler, exact oracles   |
//! | `ngram`      | `ngram`              | Witten–Bell n-grams, which also read noisy tokens                          |
//! | `judge`      | `judge`              | how good samples are, by any generator: judges, n-grams                    |
//! | `text`       | `text`               | tokenizers, corpora, token shards, templates with gaps                     |
//! | `sudoku`     | `sudoku`             | Sudoku grids, puzzles, the exact solver, their codec                       |
//! | `energy`     | `energy`             | unnormalised targets: exact values, annealing, `log Z`, posteriors of DAGs |
//! | `gflownet`   | `gflownet`           | GFlowNets: environments, objectives, exact laws, tables that learn         |
//! | `pixels`     | `pixels`             | images in and out: sources, the grey-level codec, metrics, sheets, films |
//! | `image`      | `image`              | image tokenizers, trained or imported; links burn                          |
//! | `fidelity`   | `fidelity`           | Fréchet distance, precision and recall, feature networks; links burn       |
//! | `shards`     | `shards`             | tokens on disk, memory-mapped                                              |
//! | `model`      | `model`              | leave-one-out site classifiers; links burn                                 |
//! | `ranks`      | `ranks`              | threads and processes that add up in a fixed order                         |
//! | `descent`    | `descent`            | AdamW and Muon over any module, alone and among ranks; links burn         |
//! | `train`      | `train`              | objectives, training over any source of sequences; links burn              |
//! | `baselines`  | `baselines`          | losses of other discrete diffusion models; links burn                      |
//! | `neural`     | `neural`             | networks that learn to sample a target; links burn                         |
//! | `run`        | `run`                | runs in folders and their data; loaded, sampled, filled in; links burn     |
//!
//! `full` is all of them. With the default features nothing here links a tensor library. The features `model`, `train`, `run` and `image` turn on
//! `cpu`: layers of networks are then single operations on burn's CPU device, which comes with it. The device is an argument all the same.
//! A program chooses it, and adds what else it wants of one (`simd`, `rayon`, or a card such as `cuda`) to its own dependency on burn.

#[cfg(feature = "baselines")]
pub use glauber_baselines as baselines;
#[cfg(feature = "chain")]
pub use glauber_chain as chain;
#[cfg(feature = "descent")]
pub use glauber_descent as descent;
#[cfg(feature = "energy")]
pub use glauber_energy as energy;
#[cfg(feature = "fidelity")]
pub use glauber_fidelity as fidelity;
#[cfg(feature = "gflownet")]
pub use glauber_gflownet as gflownet;
#[cfg(feature = "image")]
pub use glauber_image as image;
#[cfg(feature = "judge")]
pub use glauber_judge as judge;
#[cfg(feature = "model")]
pub use glauber_model as model;
#[cfg(feature = "neural")]
pub use glauber_neural as neural;
#[cfg(feature = "ngram")]
pub use glauber_ngram as ngram;
#[cfg(feature = "pixels")]
pub use glauber_pixels as pixels;
#[cfg(feature = "ranks")]
pub use glauber_ranks as ranks;
#[cfg(feature = "run")]
pub use glauber_run as run;
#[cfg(feature = "schedule")]
pub use glauber_schedule as schedule;
#[cfg(feature = "shards")]
pub use glauber_shards as shards;
#[cfg(feature = "sudoku")]
pub use glauber_sudoku as sudoku;
#[cfg(feature = "text")]
pub use glauber_text as text;
pub use glauber_tokens as tokens;
#[cfg(feature = "train")]
pub use glauber_train as train;
