//! What must not be linked, however indirectly.

use std::collections::BTreeMap;

use cargo_metadata::Metadata;

use super::graph::ways_from;

/// Packages that a member must not link; a trailing `*` matches any ending.
const BANS: [(&str, &[&str]); 13] = [
    ("glauber-tokens", CORE_BANS),
    ("glauber-files", CORE_BANS),
    ("glauber-schedule", CORE_BANS),
    ("glauber-chain", CORE_BANS),
    ("glauber-ngram", CORE_BANS),
    ("glauber-judge", CORE_BANS),
    ("glauber-shards", CORE_BANS),
    ("glauber-text", CORE_BANS),
    ("glauber-sudoku", CORE_BANS),
    ("glauber-energy", CORE_BANS),
    ("glauber-gflownet", CORE_BANS),
    ("glauber-pixels", CORE_BANS),
    ("xtask", &["burn*", "cubecl*"]),
];
const CORE_BANS: &[&str] = &["burn*", "cubecl*", "wgpu*", "tokio*", "clap*"];
/// Packages of which the graph may hold one version: two of them do not understand each other's tensors.
const ONE_VERSION: [&str; 2] = ["burn*", "cubecl*"];

/// Members that link forbidden packages, with the dependency path.
pub fn check(graph: &Metadata) -> Vec<String> {
    let mut violations = Vec::new();
    for (member, bans) in BANS {
        let Some(ways) = ways_from(graph, member) else {
            violations.push(format!("{member} is not a member of the workspace; correct BANS in tidy/closure.rs"));
            continue;
        };
        let banned = |way: &&Vec<&str>| way.last().is_some_and(|name| bans.iter().any(|ban| matches(ban, name)));
        violations.extend(ways.iter().filter(banned).map(|way| format!("{member} must not link {}", way.join(" → "))));
    }
    violations
}

/// Packages with two versions that must have one.
pub fn check_one_version(graph: &Metadata) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for package in &graph.packages {
        if ONE_VERSION.iter().any(|pattern| matches(pattern, &package.name)) {
            versions.entry(&package.name).or_default().push(package.version.to_string());
        }
    }
    let doubled = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
    doubled.map(|(name, versions)| format!("{name} is there in versions {}", versions.join(" and "))).collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::super::graph::sketch::{graph, package_mut};
    use super::*;

    const GOOD: [&str; 14] = [
        "glauber-tokens -> serde",
        "glauber-files",
        "glauber-schedule",
        "glauber-chain -> rayon",
        "glauber-ngram",
        "glauber-judge",
        "glauber-shards",
        "glauber-text",
        "glauber-sudoku",
        "glauber-energy",
        "glauber-gflownet",
        "glauber-pixels",
        "xtask -> clap",
        "glauber-model -> burn",
    ];

    #[test]
    fn a_clean_graph_passes() {
        assert_eq!(check(&graph(&GOOD)), Vec::<String>::new());
    }

    #[test]
    fn an_indirect_link_is_found_with_its_way() {
        let mut lines = GOOD.to_vec();
        lines.extend(["rayon -> telemetry", "telemetry -> tokio-util", "xtask -> burn-core"]);
        assert_eq!(
            check(&graph(&lines)),
            [
                "glauber-chain must not link glauber-chain → rayon → telemetry → tokio-util",
                "xtask must not link xtask → burn-core"
            ]
        );
    }

    #[test]
    fn a_ban_on_nobody_is_a_violation() {
        let violations = check(&graph(&GOOD[1..]));
        assert_eq!(violations.len(), 1);
        assert!(violations[0].contains("glauber-tokens is not a member"));
    }

    #[test]
    fn two_versions_of_burn_are_found() {
        let mut doubled = graph(&["burn-core", "burn-older", "rand", "rand-older"]);
        for (name, shared) in [("burn-older", "burn-core"), ("rand-older", "rand")] {
            let package = package_mut(&mut doubled, name);
            (package.name, package.version) = (shared.parse().unwrap(), "0.9.0".parse().unwrap());
        }
        assert_eq!(check_one_version(&doubled), ["burn-core is there in versions 1.0.0 and 0.9.0"]);
    }
}
