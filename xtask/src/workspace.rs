//! What `cargo metadata` says about this workspace.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, bail};
use cargo_metadata::{CargoOpt, Metadata, MetadataCommand};

/// The requested part of the dependency graph.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The workspace members alone: quick, needs nothing on disk but the manifests.
    Members,
    /// Every package of `Cargo.lock`, for all platforms and features, so that the answer is the same on every machine.
    Everything,
}

/// The `cargo` that runs us, or the one on the path.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Asks cargo about the workspace this program belongs to.
///
/// # Errors
/// If cargo fails, which with [`Depth::Everything`] is mostly a package that is neither on disk nor to be had from the registry.
pub fn metadata(depth: Depth) -> anyhow::Result<Metadata> {
    let manifest = manifest();
    let mut command = MetadataCommand::new();
    command.cargo_path(PathBuf::from(cargo())).manifest_path(&manifest);
    match depth {
        Depth::Members => command.no_deps(),
        Depth::Everything => command.features(CargoOpt::AllFeatures),
    };
    match command.exec() {
        Ok(metadata) => Ok(metadata),
        Err(cargo_metadata::Error::CargoMetadata { stderr }) => {
            let reason = first_error(&stderr);
            if depth == Depth::Everything {
                bail!(
                    "cargo metadata failed: {reason}; if packages are missing, run `cargo fetch` once with network access"
                );
            }
            bail!("cargo metadata failed: {reason}")
        }
        Err(other) => Err(other).with_context(|| format!("cannot ask cargo about {}", manifest.display())),
    }
}

/// The manifest of this package: the running cargo names its folder; a bare binary falls back on where it was built.
fn manifest() -> PathBuf {
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(folder).join("Cargo.toml")
}

/// Cargo's message on one line: the error and its causes without the progress around them.
fn first_error(stderr: &str) -> String {
    let from_error = stderr.lines().skip_while(|line| !line.starts_with("error"));
    let kept: Vec<&str> =
        from_error.map(str::trim).filter(|line| !line.is_empty() && *line != "Caused by:").take(6).collect();
    if kept.is_empty() { stderr.trim().replace('\n', " ") } else { kept.join(" — ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_cargo_fits_one_line() {
        let stderr = "    Updating index\nerror: failed to download\n\nCaused by:\n  no network\n";
        assert_eq!(first_error(stderr), "error: failed to download — no network");
        assert_eq!(first_error("boom\n"), "boom");
    }
}
