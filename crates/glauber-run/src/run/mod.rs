//! Files of a run: folder, checkpoints, metrics and plots.

mod changes;
pub(crate) mod checkpoint;
pub(crate) mod checksums;
mod codec;
pub(crate) mod folder;
mod lock;
mod metrics;
mod picture;
pub(crate) mod records;

pub use changes::{Change, changes};
pub(crate) use checkpoint::HINT;
pub use checkpoint::{CheckpointInfo, TrainingState};
pub use codec::{Numbers, RunCodec};
pub use folder::{RunFolder, Vocabulary};
pub use lock::FolderLock;
pub use metrics::MetricLine;
pub use picture::{Curve, PALETTE, Panel, Scale, picture};
