//! Objectives by name.

use std::sync::{PoisonError, RwLock};

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Objective;
use super::losses::ALL as OURS;
use crate::{TrainError, require};

/// Registered objectives.
static OTHERS: RwLock<Vec<&'static dyn Objective>> = RwLock::new(Vec::new());

/// All objectives that configurations can name: those of this crate, then registered ones.
pub fn objectives() -> Vec<&'static dyn Objective> {
    let others = OTHERS.read().unwrap_or_else(PoisonError::into_inner);
    OURS.iter().chain(others.iter()).copied().collect()
}

/// The objective of a name.
///
/// # Errors
/// [`TrainError::Config`] lists the known names.
pub fn objective(name: &str) -> Result<&'static dyn Objective, TrainError> {
    objectives().into_iter().find(|objective| objective.name() == name).ok_or_else(|| {
        let names: Vec<&str> = objectives().iter().map(|objective| objective.name()).collect();
        TrainError::Config { key: "train.objective", found: name.into(), expected: names.join(", ") }
    })
}

/// Lets configurations of this process name an objective.
///
/// # Errors
/// [`TrainError::Config`] when the name exists.
///
/// ```
/// use burn::tensor::Tensor;
/// use glauber_train::{Conditional, Denoising, Label, Objective, Output, TargetList, Targets, TrainConfig, register_objective};
///
/// #[derive(Debug)]
/// struct Mine;
///
/// impl Objective for Mine {
///     fn name(&self) -> &'static str {
///         "mine"
///     }
///     fn output(&self) -> &'static dyn Output {
///         &Conditional
///     }
///     fn aim(&self, label: &Label<'_>, targets: &mut TargetList) {
///         targets.push(label.noisy, []);
///     }
///     fn loss(&self, logits: Tensor<3>, targets: &Targets) -> Tensor<2> {
///         targets.log_probability(logits).neg()
///     }
/// }
///
/// let text = "objective = \"mine\"";
/// let unknown = toml::from_str::<TrainConfig>(text).unwrap_err().to_string();
/// assert!(unknown.contains("mine") && unknown.contains("denoising"));
/// register_objective(&Mine)?;
/// let config: TrainConfig = toml::from_str(text)?;
/// assert_eq!(config.objective.name(), "mine");
/// assert!(register_objective(&Mine).is_err() && register_objective(&Denoising).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn register_objective(objective: &'static dyn Objective) -> Result<(), TrainError> {
    let mut others = OTHERS.write().unwrap_or_else(PoisonError::into_inner);
    let known = OURS.iter().chain(others.iter()).any(|known| known.name() == objective.name());
    require(!known, "train.objective", format!("`{}` registered twice", objective.name()), "a unique name")?;
    others.push(objective);
    Ok(())
}

impl Serialize for dyn Objective {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for &'static dyn Objective {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        objective(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
