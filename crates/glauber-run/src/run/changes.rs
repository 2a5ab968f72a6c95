//! Permitted changes of a run's configuration.

use glauber_train::objective;
use serde::Serialize;
use toml::{Table, Value};

/// Keys that may change without effect on training: length, evaluation and output intervals, and paths of copied
/// tokenizers.
const FREE: [&str; 18] = [
    "format",
    "extended",
    "train.steps",
    "train.extended",
    "train.validate_every",
    "train.sample_every",
    "train.samples",
    "train.checkpoint_every",
    "train.keep_checkpoints",
    "train.checkpoint_activations",
    "data.tokenizer.path",
    "data.tokenizer.yaml",
    "data.tokenizer.vocab",
    "data.tokenizer.merges",
    "run.evaluate_every",
    "run.checkpoint_every",
    "run.keep_checkpoints",
    "run.shown",
];
/// Tables of the data, which are checked by a hash.
const HASHED: [&str; 2] = ["data.corpus.", "data.images."];
/// Keys that may change and alter further training.
const COURSE: [&str; 7] = [
    "train.learning_rate",
    "train.minimum_rate",
    "train.warmup_steps",
    "train.weight_decay",
    "train.clip_norm",
    "train.average_decay",
    "train.own_share",
];

/// The key of the objective, which may change to one whose logits have the same meaning.
const OBJECTIVE: &str = "train.objective";

/// A changed key of a run's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The dotted key.
    pub key: String,
    /// The value in training, as text.
    pub before: String,
    /// The current value, as text.
    pub after: String,
    /// Whether training can resume with the change, on another course; otherwise it is an error.
    pub course: bool,
}

/// The changes of a configuration since training that make a difference.
pub fn changes<T: Serialize>(before: &T, after: &T) -> Vec<Change> {
    let table = |config: &T| Table::try_from(config).unwrap_or_default(); // it was read from one
    let mut found = Vec::new();
    compare("", &table(before), &table(after), &mut found);
    found
}

fn compare(prefix: &str, before: &Table, after: &Table, found: &mut Vec<Change>) {
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    for name in keys {
        let key = format!("{prefix}{name}");
        match (before.get(name), after.get(name)) {
            (Some(Value::Table(before)), Some(Value::Table(after))) => {
                compare(&format!("{key}."), before, after, found);
            }
            (before, after) if before == after || is_free(&key) => {}
            (before, after) => {
                let course = COURSE.contains(&key.as_str()) || (key == OBJECTIVE && have_one_output(before, after));
                let [before, after] =
                    [before, after].map(|value| value.map_or("not set".into(), |value| value.to_string()));
                found.push(Change { key, before, after, course });
            }
        }
    }
}

/// Whether two objectives give the network's logits the same meaning, so that one can go on from the other's weights.
fn have_one_output(before: Option<&Value>, after: Option<&Value>) -> bool {
    let output = |value: Option<&Value>| {
        let named = objective(value.and_then(Value::as_str)?).ok()?;
        Some(format!("{:?}", named.output()))
    };
    output(before).is_some() && output(before) == output(after)
}

fn is_free(key: &str) -> bool {
    FREE.contains(&key) || HASHED.iter().any(|table| key.starts_with(table))
}
