//! What came out.

use serde_json::json;

use super::differences::{Difference, Differences};
use super::pace::Pace;
use super::subject::Both;

/// A comparison with the CPU device.
pub struct Report {
    /// The `--device`.
    pub device: String,
    /// The name that the device gives itself.
    pub calls_itself: Option<String>,
    /// Weights of the network.
    pub weights: usize,
    pub differences: Differences,
    /// Training steps, where there were any.
    pub training: Option<Both<Pace>>,
    /// Sampling steps, drawn on the device.
    pub sampling: Both<Pace>,
    /// Bytes that the device holds at the end.
    pub bytes: Option<u64>,
}

impl Report {
    /// For people.
    pub fn text(&self) -> String {
        let mut lines = vec![
            format!("{} ({})", self.device, self.calls_itself.as_deref().unwrap_or("it has no name")),
            format!("network of {} weights", self.weights),
            String::new(),
            row("beside the CPU device", ["found", "at most"]),
        ];
        let difference = |Difference { what, found, most }: &Difference| {
            row(what, [&format!("{found:.1e}"), &format!("{most:.0e}")])
        };
        lines.extend(self.differences.0.iter().map(difference));
        lines.extend([String::new(), row("seconds", ["cpu", &self.device])]);
        let mut paces = |what: &str, paces: &Both<Pace>| {
            let seconds = |of: fn(&Pace) -> f64| paces.each_ref().map(|pace| format!("{:.4}", of(pace)));
            let [first, step] = [seconds(|pace| pace.first), seconds(|pace| pace.step)];
            lines.push(row(&format!("first {what} step"), [&first[0], &first[1]]));
            lines.push(row(&format!("{what} step after it"), [&step[0], &step[1]]));
        };
        if let Some(training) = &self.training {
            paces("training", training);
        }
        paces("sampling", &self.sampling);
        if let Some(bytes) = self.bytes {
            lines.push(format!("\nheld by the device at the end: {:.1} MB", bytes as f64 / 1e6));
        }
        lines.join("\n")
    }

    /// As one line of JSON.
    pub fn json(&self) -> String {
        json!({
            "device": self.device, "calls_itself": self.calls_itself, "weights": self.weights,
            "differences": self.differences, "agrees": self.differences.beyond().is_empty(),
            "training_seconds": self.training.map(pair), "sampling_seconds": pair(self.sampling), "bytes": self.bytes,
        })
        .to_string()
    }
}

fn pair([cpu, other]: Both<Pace>) -> serde_json::Value {
    json!({ "cpu": cpu, "device": other })
}

fn row(what: &str, [left, right]: [&str; 2]) -> String {
    format!("{what:<58}{left:>10}{right:>10}")
}
