//! `cargo xtask tidy`: the invariants of the workspace, one line a violation.
//!
//! Each check is a function from facts (the dependency graph, a manifest, the text of a file) to violations, so that its tests can
//! show it facts that break it.

mod backends;
mod closure;
mod files;
mod graph;
mod includes;
mod layers;
mod licences;
mod manifests;
mod paths;
mod purity;

use std::process::ExitCode;

use anyhow::Context;

use crate::screen::say;
use crate::workspace::{self, Depth};
use graph::Graph;

/// Checks the workspace; prints violations to stdout and a summary at the end.
///
/// # Errors
/// If cargo or git cannot be asked, or a file cannot be read.
pub fn run() -> anyhow::Result<ExitCode> {
    let metadata = workspace::metadata(Depth::Everything)?;
    let root = metadata.workspace_root.as_std_path();
    let graph = Graph::new(&metadata).context("cargo metadata left the graph out")?;
    let sources = files::rust_sources(root)?;
    let tracked = paths::tracked_files(root)?;
    let checks: [(&str, Vec<String>); 11] = [
        ("closures", closure::check(&graph)),
        ("backends", backends::check(&graph)),
        ("layers", layers::check(&graph)),
        ("one version", closure::check_one_version(&graph)),
        ("licences", licences::check(&graph)),
        ("manifests", manifests::check(root, &graph)?),
        ("includes", includes::check(root, &graph, &sources)?),
        ("purity", purity::check(root, &graph, &sources)?),
        ("names", files::check_names(root, &sources)),
        ("lengths", files::check_lengths(root, &sources)?),
        ("paths", paths::check(root, &tracked)?),
    ];
    let mut violations = 0;
    for (name, lines) in &checks {
        for line in lines {
            say(&format!("{name}: {line}"))?;
        }
        violations += lines.len();
    }
    let (packages, members) = (graph.packages().len(), graph.members().count());
    say(&format!(
        "tidy: {violations} violations by {} checks of {members} members, {packages} packages, {} sources",
        checks.len(),
        sources.len()
    ))?;
    Ok(if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
