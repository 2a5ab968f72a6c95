//! What a comparison is of: a TOML file, and flags over it.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use glauber_chain::DrawControls;
use glauber_run::{Blocks, SamplerKind, SamplerSettings};
use glauber_text::{Corpus, CorpusConfig};
use serde::{Deserialize, Serialize};

/// A comparison.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Plan {
    /// A plan whose models, budget and letters this one has where it has none of its own; beside it.
    base: Option<PathBuf>,
    /// Whether texts are read as letters a to z and single spaces; by default not.
    letters: Option<bool>,
    /// Only so many characters of the texts, the first.
    pub characters: Option<usize>,
    budget: Option<Budget>,
    /// Keys of every run's configuration, over those of `letters-base.toml`.
    #[serde(default)]
    pub set: Vec<String>,
    /// In the order of the table. Bounds are compared with that of the first.
    #[serde(rename = "model", default)]
    pub models: Vec<Model>,
}

/// How much is trained and judged. Flags override it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Steps of each run.
    pub steps: Option<usize>,
    /// Minutes that each run trains for, where there are no steps: its steps follow from its speed.
    pub minutes: f64,
    /// Runs of each model, seeds 0, 1, …
    pub seeds: u64,
    /// Held-out windows of the bound, and samples.
    pub windows: usize,
    /// Steps drawn of each window for the bound.
    pub draws: usize,
    /// Held-out windows that gaps are filled in; 0 fills none.
    pub infills: usize,
    /// Checkpoints that the bound is taken at, evenly spaced over the training; 0 takes it at the end alone.
    pub checkpoints: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { steps: None, minutes: 10.0, seeds: 1, windows: 512, draws: 64, infills: 100, checkpoints: 0 }
    }
}

/// A configuration, and how it is sampled.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Model {
    pub name: String,
    /// Keys of its configuration.
    #[serde(default)]
    pub set: Vec<String>,
    /// The chain of the bound: so many passes of all sites in place of the chain that it was trained on. Many are continuous time.
    #[serde(default)]
    pub bound_passes: Option<usize>,
    /// By default heat bath down its own chain.
    #[serde(default = "own_chain")]
    pub samplers: Vec<SamplerEntry>,
}

/// A sampler, at one or several numbers of passes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SamplerEntry {
    pub sampler: SamplerKind,
    /// All sites at once, so often: a row for each. None is the chain of the training.
    pub passes: Vec<usize>,
    /// Sweeps in place of those of the training.
    pub sweeps: Option<usize>,
    pub share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<f64>,
    pub temperature: Option<f64>,
    /// Sweeps of heat bath among clean tokens at the end.
    pub repair: usize,
}

fn own_chain() -> Vec<SamplerEntry> {
    vec![SamplerEntry::default()]
}

impl Plan {
    /// Reads a plan that lies in a folder and checks it; `only` names the models that are left, all where it is empty.
    pub fn read(text: &str, folder: &Path, only: &[String]) -> anyhow::Result<Self> {
        let mut plan: Self = toml::from_str(text)?;
        if let Some(base) = plan.base.as_ref().map(|base| folder.join(base)) {
            let place = || format!("`base`: {}", base.display());
            let text = fs::read_to_string(&base).with_context(place)?;
            let Self { letters, budget, models, .. } = toml::from_str(&text).with_context(place)?;
            ensure!(plan.models.is_empty(), "both `base` and `[[model]]` are given, expected one of the two");
            plan = Self { letters: plan.letters.or(letters), budget: plan.budget.or(budget), models, ..plan };
        }
        let mut names = HashSet::new();
        for model in &plan.models {
            let plain =
                !model.name.is_empty() && model.name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
            ensure!(plain, "the model `{}`: expected a name of letters, digits, `-` and `.`", model.name);
            ensure!(names.insert(model.name.clone()), "two models are called `{}`", model.name);
        }
        let known: Vec<&str> = plan.models.iter().map(|model| model.name.as_str()).collect();
        if let Some(unknown) = only.iter().find(|name| !names.contains(*name)) {
            anyhow::bail!("`--only {unknown}`: the plan has {}", known.join(", "));
        }
        plan.models.retain(|model| only.is_empty() || only.contains(&model.name));
        ensure!(!plan.models.is_empty(), "no models, expected at least one `[[model]]`");
        Ok(plan)
    }

    /// What is trained and judged.
    pub fn budget(&self) -> Budget {
        self.budget.unwrap_or_default()
    }

    /// The same plan with another budget.
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = Some(budget);
    }

    /// Sets keys of every model over those of the plan and its own.
    pub fn override_keys(&mut self, set: &[String]) {
        self.models.iter_mut().for_each(|model| model.set.extend(set.iter().cloned()));
    }

    /// That the budget makes sense.
    pub fn check(&self) -> anyhow::Result<()> {
        let Budget { windows, infills, minutes, checkpoints, .. } = self.budget();
        ensure!(windows > 1, "`windows` is {windows}, expected at least 2, for standard errors");
        ensure!(infills != 1, "`infills` is 1, expected 0 or at least 2, for standard errors");
        ensure!(checkpoints <= 100, "`checkpoints` is {checkpoints}, expected at most 100: all are kept");
        ensure!(minutes > 0.0, "`minutes` is {minutes}, expected a positive number");
        Ok(())
    }

    /// The texts: as they are, or as one file of letters a to z and single spaces, or of their first characters. The same texts keep their
    /// file, as runs are of it.
    pub fn corpus(&self, texts: &[PathBuf], folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
        let letters = self.letters.unwrap_or_default();
        if !letters && self.characters.is_none() {
            return texts
                .iter()
                .map(|path| std::path::absolute(path).with_context(|| path.display().to_string()))
                .collect();
        }
        let mut corpus = String::new();
        for path in texts {
            let text = text_of(path).with_context(|| format!("--data {}", path.display()))?;
            if !letters {
                corpus.push_str(&text);
                continue;
            }
            for word in text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
                corpus.push_str(&word.to_ascii_lowercase());
                corpus.push(' ');
            }
        }
        if let Some(most) = self.characters {
            let all = corpus.chars().count();
            ensure!(
                all >= most,
                "`--data` has {all} characters, expected at least {most}: give more text, or train on less"
            );
            corpus = corpus.chars().take(most).collect();
        }
        let path = folder.join(if letters { "letters.txt" } else { "text.txt" });
        if fs::read_to_string(&path).ok().as_deref() != Some(&corpus) {
            glauber_files::write_whole(&path, corpus).with_context(|| path.display().to_string())?;
        }
        Ok(vec![std::path::absolute(&path)?])
    }
}

/// The text of a file, compressed or not, as `glauber train text` reads it.
fn text_of(path: &Path) -> anyhow::Result<String> {
    let corpus = Corpus::open(&CorpusConfig::new([path]))?;
    corpus.documents().map(|passage| Ok(passage?.text)).collect()
}

impl SamplerEntry {
    /// What each row asks of the sampler.
    pub fn settings(&self) -> Vec<SamplerSettings> {
        let of = |passes: Option<usize>| SamplerSettings {
            sampler: Some(self.sampler),
            controls: DrawControls { temperature: self.temperature.unwrap_or(1.0), ..DrawControls::default() },
            sweeps: passes.or(self.sweeps),
            blocks: passes.map(|_| Blocks::All),
            share: self.share,
            strength: self.strength,
            repair: self.repair,
            ..SamplerSettings::default()
        };
        match self.passes.is_empty() {
            true => vec![of(None)],
            false => self.passes.iter().map(|&passes| of(Some(passes))).collect(),
        }
    }

    /// Its name in tables and plots, without its passes.
    pub fn name(&self) -> String {
        let mut name = self.sampler.name().to_owned();
        self.share.iter().for_each(|share| name.push_str(&format!(" {share}")));
        self.strength.iter().for_each(|strength| name.push_str(&format!(" {strength}")));
        self.temperature.iter().for_each(|temperature| name.push_str(&format!(", T {temperature}")));
        self.sweeps.iter().for_each(|sweeps| name.push_str(&format!(", {sweeps} sweeps")));
        if self.repair > 0 {
            name.push_str(&format!(", repair {}", self.repair));
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_of_the_workspace_are_read() {
        for text in [
            super::super::LETTERS,
            super::super::LITTLE,
            include_str!("../../configs/letters-ideas.toml"),
            include_str!("../../../../configs/compare-letters.toml"),
            include_str!("../../../../configs/compare-bpe.toml"),
        ] {
            let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs"));
            let plan = Plan::read(text, folder, &[]).unwrap();
            assert!(plan.models.len() > 5);
            assert_eq!(Plan::read(text, folder, &[plan.models[1].name.clone()]).unwrap().models.len(), 1);
        }
    }

    #[test]
    fn plans_that_make_no_sense_are_refused() {
        let error = |text: &str| format!("{:#}", Plan::read(text, Path::new(""), &["other".into()]).unwrap_err());
        assert!(error("[[model]]\nname = \"a\"").contains("`--only other`: the plan has a"));
        assert!(error("[[model]]\nname = \"a/b\"").contains("`a/b`"));
        assert!(error("base = \"absent.toml\"").contains("`base`: absent.toml"));
        assert!(error("[[model]]\nname = \"a\"\n[[model]]\nname = \"a\"").contains("two models"));
        assert!(error("[[model]]\nname = \"a\"\nsamplers = [{ sampler = \"magic\" }]").contains("magic"));
    }

    #[test]
    fn letters_are_read_from_the_novels_as_they_come() {
        let folder = tempfile::tempdir().unwrap();
        let novels = concat!(env!("CARGO_MANIFEST_DIR"), "/../glauber-cli/corpus/austen.txt.zst");
        let plan = Plan::read(super::super::LETTERS, folder.path(), &[]).unwrap();
        let letters = fs::read_to_string(&plan.corpus(&[novels.into()], folder.path()).unwrap()[0]).unwrap();
        assert!(letters.starts_with("emma by jane austen volume i chapter i emma woodhouse handsome clever "));
        assert!(
            letters.len() > 3_500_000 && letters.bytes().all(|letter| letter == b' ' || letter.is_ascii_lowercase())
        );
        assert!(plan.corpus(&["absent.txt".into()], folder.path()).unwrap_err().to_string().contains("absent.txt"));
    }
}
