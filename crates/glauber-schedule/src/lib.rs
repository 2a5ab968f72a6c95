//! Noise laws, signal levels and site orders: everything about a forward chain that does not depend on the data.
//!
//! A [`Schedule`] joins a [`NoiseLaw`] `q` (what a noised token becomes), a [`SiteOrder`] (which sites step `t` touches) and a
//! [`SignalShape`] (how fast the signal decays). Step `t` replaces each of its sites by a draw of `q` with probability `β_t`, so
//! after it site `j` still carries its clean token with probability `α_j(t+1) = α_j(t) (1 − β_t)`, the *signal level*.
//!
//! ```
//! use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
//!
//! let order = SiteOrder::round_robin(16, 8)?; // 16 sites, 8 sweeps
//! let schedule = Schedule::new(SignalShape::Cosine, order, NoiseLaw::uniform(27)?, 1e-3, false)?;
//! assert_eq!(schedule.horizon(), 128);
//! assert_eq!(schedule.signal_level(5, 0), 1.0); // clean before the first step
//! assert_eq!(schedule.signal_level(5, 128), 1e-3); // forgotten after the last
//! # Ok::<(), glauber_schedule::ScheduleError>(())
//! ```

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
