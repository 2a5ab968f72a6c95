//! `cargo xtask tidy`: the invariants of the workspace, one line a violation.
//!
//! Each check is a function from facts (dependency graph, manifest, text of a file) to violations, so that tests can
//! pass facts that violate it.

mod backends;
mod closure;
mod files;
mod git;
mod graph;
mod includes;
mod layers;
mod licences;
mod manifests;

use std::process::ExitCode;

use crate::screen::say;
use crate::workspace::{self, Depth};

/// Checks the workspace; prints violations to stdout and a summary at the end.
///
/// # Errors
/// If cargo or git fails, or a file cannot be read.
pub fn run() -> anyhow::Result<ExitCode> {
    let metadata = workspace::metadata(Depth::Everything)?;
    let root = metadata.workspace_root.as_std_path();
    let files = files::lengths(root)?;
    let checks: [(&str, Vec<String>); 11] = [
        ("closures", closure::check(&metadata)),
        ("backends", backends::check(&metadata)),
        ("layers", layers::check(&metadata)),
        ("one version", closure::check_one_version(&metadata)),
        ("licences", licences::check(&metadata)),
        ("manifests", manifests::check(root, &metadata)?),
        ("includes", includes::check(root, &metadata)?),
        ("default device", backends::check_default_device(root, &metadata)?),
        ("names", files::check_names(&files)),
        ("lengths", files::check_lengths(&files)),
        ("paths", files::check_paths(root)?),
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
        "tidy: {violations} violations by {} checks of {members} members, {packages} packages, {} files",
        checks.len(),
        files.len()
    ))?;
    Ok(if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
