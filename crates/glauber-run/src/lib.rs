#![doc = include_str!("../README.md")]
//! The library prints nothing and reads no clock: messages go to a callback or a [`Hook`]. On burn's CPU device layers are slow without the
//! feature `cpu`, which fuses them.

pub mod classifier;
mod config;
mod data;
mod drawer;
pub mod energy;
mod error;
pub mod evaluation;
mod film;
mod hook;
pub mod images;
mod infill;
mod journal;
pub mod judgement;
mod kinds;
pub mod markov;
mod painting;
pub mod plane;
mod prior;
mod ranks;
pub mod reading;
mod run;
mod sampling;
pub mod sudoku;
pub mod text;
pub mod tokenizer_run;
mod trained;
mod trainer;
pub mod training;

pub use config::RunConfig;
pub use data::{
    DataConfig, DataKind, DataShape, ExcessFn, Opened, Opening, data_kinds, register_data_kind, train_command,
};
pub use drawer::{DrawPlace, Drawer};
pub use error::{Result, RunError, one_line};
pub use film::Film;
pub use hook::{Advance, Event, Flow, Hook, Say};
pub use infill::{Alternative, Infill};
pub use journal::{Clock, Journal, Moment, Outcome, PROGRESS, Standing};
pub use kinds::{Kind, open_run};
pub use painting::{Painting, held_out};
pub use ranks::{Rank, gather_samples};
pub use run::{
    Change, CheckpointInfo, Curve, FolderLock, MetricLine, Numbers, PALETTE, Panel, RunCodec, RunFolder, Scale,
    TrainingState, Vocabulary, changes, picture,
};
pub use sampling::{MOST_CHAINS, SamplerKind, SamplerSettings, Sampling, check_count, summary};
pub use trained::{Blocks, Trained};
pub use trainer::{Draw, Run, SampleFn, Surroundings};
