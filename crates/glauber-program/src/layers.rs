//! A run's configuration from defaults, file, preset, `--set` and flags, in that order.

use std::path::Path;

use anyhow::{Context, bail};
use glauber_model::Preset;
use glauber_run::RunConfig;
use glauber_run::training::check_kind;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::train_flags::{FolderFlags, TrainFlags};

/// The defaults of `glauber train markov`.
pub const MARKOV: &str = include_str!("../configs/markov.toml");
/// The defaults of `glauber train energy`.
pub const ENERGY: &str = include_str!("../configs/energy.toml");
const SUDOKU: [(usize, &str); 2] =
    [(4, include_str!("../configs/sudoku.toml")), (9, include_str!("../configs/sudoku-9.toml"))];

/// The configuration of a new run on complete Sudoku grids with side length `side`.
///
/// # Errors
/// If the side is not supported, or as [`Layers::new`] and [`Layers::finish`].
pub fn sudoku(side: usize, flags: &TrainFlags) -> anyhow::Result<RunConfig> {
    let defaults = SUDOKU.iter().find(|(known, _)| *known == side);
    let (_, defaults) = defaults.with_context(|| format!("`--side` is {side}, expected 4 or 9"))?;
    let config = Layers::new(defaults, flags)?.finish()?;
    check_kind(&config.data, "sudoku")?;
    Ok(config)
}

/// Layers of configuration; later ones override earlier ones.
pub struct Layers {
    table: Table,
}

impl Layers {
    /// Starts from a default that is part of the program, then the file, the preset, `--set`, and the other flags.
    ///
    /// # Errors
    /// When a file or a flag cannot be read.
    pub fn new(default: &str, flags: &TrainFlags) -> anyhow::Result<Self> {
        Self::with_data(default, flags, |_| Ok(()))
    }

    /// As [`new`](Self::new), with the layer `data` below `--set`: defaults of the selected data.
    ///
    /// # Errors
    /// As [`new`](Self::new), and those of `data`.
    pub fn with_data(
        default: &str,
        flags: &TrainFlags,
        data: impl FnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let mut layers = Self::of_folder(default, flags, "train.batch", |layers| {
            if let Some(name) = &flags.preset {
                layers.preset(&name.parse()?)?;
            }
            data(layers)
        })?;
        let names = [("model.network", &flags.network), ("train.objective", &flags.objective)];
        for (key, name) in names {
            if let Some(name) = name {
                layers.set(key, name.as_str())?;
            }
        }
        layers.set_numbers([("data.length", flags.length), ("schedule.sweeps", flags.sweeps)])?;
        Ok(layers)
    }

    /// Layers of any training in a folder; `batch` is the key of `--batch`.
    ///
    /// # Errors
    /// As [`with_data`](Self::with_data).
    pub fn of_folder(
        default: &str,
        flags: &FolderFlags,
        batch: &str,
        data: impl FnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let mut layers = Self::built_in(default)?;
        if let Some(path) = &flags.config {
            layers.read(path)?;
        }
        data(&mut layers)?;
        for setting in &flags.set {
            layers.set_text(setting)?;
        }
        layers.set_numbers([("train.steps", flags.steps), (batch, flags.batch)])?;
        if let Some(seed) = flags.seed {
            layers.set("seed", i64::try_from(seed).context("`--seed` must be below 2^63")?)?;
        }
        Ok(layers)
    }

    /// Starts from a built-in default, without further layers.
    ///
    /// # Errors
    /// If it is not TOML.
    pub fn built_in(default: &str) -> anyhow::Result<Self> {
        Ok(Self { table: default.parse().context("the built-in configuration")? })
    }

    /// Overrides with a configuration file.
    fn read(&mut self, path: &Path) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(path).with_context(|| format!("--config {}", path.display()))?;
        let table: Table = text.parse().with_context(|| format!("--config {}", path.display()))?;
        merge(&mut self.table, table);
        Ok(())
    }

    /// Sets the sizes of a preset, except the geometry of sites and the classes, which depend on the data.
    fn preset(&mut self, preset: &Preset) -> anyhow::Result<()> {
        let mut model = Table::try_from(preset.config())?;
        for key in ["positions", "classes"] {
            model.remove(key);
            if let Some(kept) = self.get(&format!("model.{key}")) {
                model.insert(key.into(), kept.clone());
            }
        }
        self.set("model", model)
    }

    /// The value of a dotted key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let first = self.table.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }

    /// Applies a `--set` flag.
    ///
    /// # Errors
    /// If it is not `KEY=VALUE`.
    pub fn set_text(&mut self, setting: &str) -> anyhow::Result<()> {
        let Some((key, text)) = setting.split_once('=') else {
            bail!("`--set {setting}`: expected KEY=VALUE, for instance `--set train.steps=100`");
        };
        // Whatever is not a TOML value is taken as a string, so that names need no quotes.
        let parsed: Result<Table, _> = format!("value = {text}").parse();
        let value = parsed.ok().and_then(|mut table| table.remove("value"));
        self.set(key, value.unwrap_or_else(|| text.into()))
    }

    /// Sets a dotted key.
    ///
    /// # Errors
    /// If a part of the key is not a table.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) -> anyhow::Result<()> {
        let mut table = &mut self.table;
        let mut parts: Vec<&str> = key.split('.').collect();
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            let entry = table.entry(part).or_insert_with(|| Table::new().into());
            let Value::Table(inner) = entry else {
                bail!("`{key}`: `{part}` is not a table");
            };
            table = inner;
        }
        table.insert(last.into(), value.into());
        Ok(())
    }

    /// Sets the given numbers, each under its key.
    ///
    /// # Errors
    /// If a number is 2^63 or more, or as [`set`](Self::set).
    pub fn set_numbers<const N: usize>(&mut self, numbers: [(&str, Option<usize>); N]) -> anyhow::Result<()> {
        for (key, number) in numbers {
            if let Some(number) = number {
                self.set(key, i64::try_from(number).with_context(|| format!("`{key}` is {number}"))?)?;
            }
        }
        Ok(())
    }

    /// The configuration; unknown keys are an error.
    ///
    /// # Errors
    /// Names the invalid key.
    pub fn finish(self) -> anyhow::Result<RunConfig> {
        self.parse()
    }

    /// The configuration of another kind of run; unknown keys are an error.
    ///
    /// # Errors
    /// Names the invalid key.
    pub fn parse<T: DeserializeOwned>(self) -> anyhow::Result<T> {
        self.table.try_into().context("configuration (`--config`, `--set` or a flag)")
    }
}

/// Merges one table over another. A table with another `kind` replaces the old one, so that their keys do not mix.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) if same_kind(below, &above) => merge(below, above),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

fn same_kind(below: &Table, above: &Table) -> bool {
    above.get("kind").is_none_or(|kind| below.get("kind") == Some(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().expect("a table")
    }

    #[test]
    fn later_layers_win_and_other_kinds_replace() {
        let mut under = table("a = 1\n[t]\nkind = \"x\"\nk = 1\n[u]\nb = 1\nc = 2");
        merge(&mut under, table("[t]\nkind = \"y\"\n[u]\nb = 3"));
        assert_eq!(under, table("a = 1\n[t]\nkind = \"y\"\n[u]\nb = 3\nc = 2"));
    }

    #[test]
    fn settings_are_toml_values_or_bare_names() {
        let mut layers = Layers { table: Table::new() };
        layers.set_text("train.steps=7").unwrap();
        layers.set_text("train.objective=binary").unwrap();
        layers.set_text("train.learning_rate=1e-3").unwrap();
        let expected = table("[train]\nsteps = 7\nobjective = \"binary\"\nlearning_rate = 1e-3");
        assert_eq!(layers.table, expected);
        assert!(layers.set_text("train.steps").is_err());
    }

    #[test]
    fn a_preset_leaves_what_the_data_decide() {
        let mut layers =
            Layers::built_in("[model]\nwidth = 8\nclasses = 3\npositions = { grid = { columns = 4 } }").unwrap();
        layers.preset(&Preset::Tiny).unwrap();
        let model: glauber_model::ModelConfig = layers.get("model").unwrap().clone().try_into().unwrap();
        assert_eq!(model.positions, glauber_model::Positions::Grid { columns: 4 });
        assert_eq!((model.width, model.classes), (Preset::Tiny.config().width, 3));
        let mut bare = Layers::built_in("").unwrap();
        bare.preset(&Preset::Tiny).unwrap();
        assert!(bare.get("model.positions").is_none() && bare.get("model.width").is_some());
    }
}
