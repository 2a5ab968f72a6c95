//! Arrows between the crates of the workspace point downward only.

use cargo_metadata::{DependencyKind, Metadata};

/// Which members a member may depend on, dev-dependencies aside.
const LAYERS: [(&str, &[&str]); 29] = [
    ("glauber-tokens", &[]),
    ("glauber-files", &[]),
    ("glauber-schedule", &["glauber-tokens"]),
    ("glauber-shards", &["glauber-tokens", "glauber-files"]),
    ("glauber-text", &["glauber-tokens", "glauber-files", "glauber-shards"]),
    ("glauber-chain", &["glauber-tokens", "glauber-schedule"]),
    ("glauber-ngram", &["glauber-tokens", "glauber-schedule", "glauber-chain"]),
    ("glauber-judge", &["glauber-tokens", "glauber-chain", "glauber-ngram"]),
    ("glauber-sudoku", &["glauber-tokens", "glauber-chain"]),
    ("glauber-plane", &["glauber-tokens", "glauber-chain"]),
    ("glauber-energy", &["glauber-tokens", "glauber-schedule", "glauber-chain", "glauber-plane"]),
    ("glauber-gflownet", &["glauber-tokens", "glauber-schedule", "glauber-chain", "glauber-energy"]),
    ("glauber-pixels", &["glauber-tokens", "glauber-files", "glauber-chain"]),
    ("glauber-fused", &[]),
    ("glauber-ranks", &[]),
    ("glauber-descent", &["glauber-fused", "glauber-ranks"]),
    (
        "glauber-image",
        &["glauber-tokens", "glauber-files", "glauber-chain", "glauber-pixels", "glauber-fused", "glauber-descent"],
    ),
    (
        "glauber-fidelity",
        &["glauber-tokens", "glauber-files", "glauber-chain", "glauber-pixels", "glauber-fused", "glauber-descent"],
    ),
    ("glauber-model", &["glauber-tokens", "glauber-schedule", "glauber-chain", "glauber-fused"]),
    (
        "glauber-train",
        &[
            "glauber-tokens",
            "glauber-schedule",
            "glauber-chain",
            "glauber-fused",
            "glauber-model",
            "glauber-ranks",
            "glauber-descent",
        ],
    ),
    ("glauber-baselines", &["glauber-tokens", "glauber-schedule", "glauber-chain", "glauber-model", "glauber-train"]),
    (
        "glauber-neural",
        &[
            "glauber-tokens",
            "glauber-chain",
            "glauber-energy",
            "glauber-gflownet",
            "glauber-model",
            "glauber-descent",
            "glauber-train",
        ],
    ),
    ("glauber-run", BELOW_RUNS),
    ("glauber", LIBRARIES),
    ("glauber-program", LIBRARIES),
    ("glauber-cli", PROGRAM),
    ("glauber-lab", PROGRAM),
    ("glauber-benches", LIBRARIES),
    ("xtask", &[]),
];
/// From the lowest up.
const STACK: &[&str] = &[
    "glauber-tokens",
    "glauber-files",
    "glauber-schedule",
    "glauber-shards",
    "glauber-text",
    "glauber-chain",
    "glauber-ngram",
    "glauber-judge",
    "glauber-sudoku",
    "glauber-plane",
    "glauber-energy",
    "glauber-gflownet",
    "glauber-pixels",
    "glauber-fused",
    "glauber-image",
    "glauber-fidelity",
    "glauber-model",
    "glauber-ranks",
    "glauber-descent",
    "glauber-train",
    "glauber-baselines",
    "glauber-neural",
    "glauber-run",
    "glauber-program",
];
const BELOW_RUNS: &[&str] = STACK.split_at(22).0;
const LIBRARIES: &[&str] = STACK.split_at(23).0;
const PROGRAM: &[&str] = STACK;

/// Arrows that the table does not have, and members that are not in it.
pub fn check(graph: &Metadata) -> Vec<String> {
    let packages = graph.workspace_packages();
    let members: Vec<&str> = packages.iter().map(|p| p.name.as_str()).collect();
    let mut violations = Vec::new();
    for package in packages {
        let name = &package.name;
        let Some((_, allowed)) = LAYERS.iter().find(|(member, _)| *member == name.as_str()) else {
            violations.push(format!("{name} has no place among the layers; give it one in tidy/layers.rs"));
            continue;
        };
        let links =
            package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development).map(|d| d.name.as_str());
        let wrong = links.filter(|on| members.contains(on) && !allowed.contains(on));
        violations.extend(wrong.map(|on| format!("{name} must not depend on {on}; allowed: {}", list(allowed))));
    }
    violations
}

fn list(allowed: &[&str]) -> String {
    if allowed.is_empty() { "no member".to_owned() } else { allowed.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::super::graph::sketch::{declare, graph};
    use super::*;

    #[test]
    fn arrows_down_pass() {
        let mut good = graph(&["glauber-chain -> glauber-schedule, rayon", "glauber-schedule -> glauber-tokens"]);
        declare(&mut good, "glauber-schedule", "glauber-chain", DependencyKind::Development, &[]);
        assert_eq!(check(&good), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_up_and_a_stranger_are_found() {
        let bad = graph(&["glauber-tokens -> glauber-chain", "glauber-sound"]);
        assert_eq!(
            check(&bad),
            [
                "glauber-tokens must not depend on glauber-chain; allowed: no member",
                "glauber-sound has no place among the layers; give it one in tidy/layers.rs"
            ]
        );
    }

    #[test]
    fn the_table_has_no_circle() {
        for (i, (member, allowed)) in LAYERS.iter().enumerate() {
            let below = |name: &&str| LAYERS[..i].iter().any(|(earlier, _)| earlier == name);
            assert!(allowed.iter().all(below), "{member} is above what it may use");
        }
    }
}
