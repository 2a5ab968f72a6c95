#![doc = include_str!("../README.md")]
//! A [`Schedule`] joins a [`NoiseLaw`] `q` (what a noised token becomes), a [`SiteOrder`] (which sites step `t` touches) and a
//! [`SignalShape`] (how fast the signal decays). Step `t` replaces each of its sites by a draw of `q` with probability `β_t`, so
//! after it site `j` still carries its clean token with probability `α_j(t+1) = α_j(t) (1 − β_t)`, the *signal level*.

mod colouring;
mod error;
mod moving;
mod noise;
mod order;
mod schedule;
mod schedule_config;
mod signal;

pub use colouring::{Boundary, Neighbourhood};
pub use error::ScheduleError;
pub use noise::{MixturePart, NoiseConfig, NoiseLaw};
pub use order::{OrderConfig, SiteOrder};
pub use schedule::{RESIDUAL_BOUND, Schedule};
pub use schedule_config::{ScheduleConfig, Sweeps};
pub use signal::SignalShape;
