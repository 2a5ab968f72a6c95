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

use std::process::ExitCode;

use crate::screen::say;
use crate::workspace::{self, Depth};

/// Checks the workspace; prints violations to stdout and a summary at the end.
///
/// # Errors
/// If cargo or git cannot be asked, or a file cannot be read.
pub fn run() -> anyhow::Result<ExitCode> {
    let metadata = workspace::metadata(Depth::Everything)?;
    let root = metadata.workspace_root.as_std_path();
    let sources = files::rust_sources(root)?;
    let checks: [(&str, Vec<String>); 11] = [
        ("closures", closure::check(&metadata)),
        ("backends", backends::check(&metadata)),
        ("layers", layers::check(&metadata)),
        ("one version", closure::check_one_version(&metadata)),
        ("licences", licences::check(&metadata)),
        ("manifests", manifests::check(root, &metadata)?),
        ("includes", includes::check(root, &metadata, &sources)?),
        ("default device", backends::check_default_device(root, &metadata)?),
        ("names", files::check_names(root, &sources)),
        ("lengths", files::check_lengths(root, &sources)?),
        ("paths", paths::check(root)?),
    ];
    let mut violations = 0;
    for (name, lines) in &checks {
        for line in lines {
            say(&format!("{name}: {line}"))?;
        }
        violations += lines.len();
    }
    let (packages, members) = (metadata.packages.len(), metadata.workspace_members.len());
    say(&format!(
        "tidy: {violations} violations by {} checks of {members} members, {packages} packages, {} sources",
        checks.len(),
        sources.len()
    ))?;
    Ok(if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
