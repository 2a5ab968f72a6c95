//! Checks that manifests inherit the workspace's settings.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::Context;
use cargo_metadata::Metadata;
use serde_json::{Map, Value};

/// Keys of `[package]` that every member inherits.
const INHERITED: [&str; 3] = ["version", "edition", "license"];

/// Keys of `[package]` and files that a published crate has.
const PUBLISHED: [&str; 5] = ["description", "documentation", "readme", "keywords", "categories"];
const FILES: [&str; 3] = ["README.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// Violations of the root manifest and of every member's.
///
/// # Errors
/// If a manifest cannot be read.
pub fn check(root: &Path, graph: &Metadata) -> anyhow::Result<Vec<String>> {
    let manifest = read(&root.join("Cargo.toml"))?;
    let members = graph.workspace_packages();
    let taken: HashSet<&str> = members.iter().flat_map(|p| &p.dependencies).map(|d| d.name.as_str()).collect();
    let mut violations = unused(&manifest, &taken);
    for package in members {
        let manifest = read(package.manifest_path.as_std_path())?;
        let has = |path: &str| package.manifest_path.with_file_name(path).is_file();
        let mut found = check_member(&manifest, has("src/lib.rs"), has("src/main.rs"));
        if manifest["package"]["publish"] != false {
            found.extend(
                FILES.into_iter().filter(|&file| !has(file)).map(|file| format!("a published crate has {file}")),
            );
        }
        violations.extend(found.into_iter().map(|violation| format!("{}: {violation}", package.name)));
    }
    Ok(violations)
}

fn read(path: &Path) -> anyhow::Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("cannot read {}", path.display()))
}

/// Entries of the workspace table that no member takes.
fn unused(manifest: &Value, taken: &HashSet<&str>) -> Vec<String> {
    let table = manifest.pointer("/workspace/dependencies").and_then(Value::as_object);
    let names = table.into_iter().flat_map(Map::keys).filter(|name| !taken.contains(name.as_str()));
    names.map(|name| format!("[workspace.dependencies] {name} is taken by no member")).collect()
}

/// A member inherits its package keys, lints and dependencies; `cargo bench` leaves its library and program alone.
fn check_member(manifest: &Value, has_library: bool, has_program: bool) -> Vec<String> {
    let mut violations = Vec::new();
    let package = &manifest["package"];
    for key in INHERITED {
        if !is_inherited(&package[key]) {
            violations.push(format!("[package] must have `{key}.workspace = true`"));
        }
    }
    if !is_inherited(&package["rust-version"]) && !package["rust-version"].is_string() {
        violations.push("[package] must have `rust-version.workspace = true`, or a lower version of its own".into());
    }
    if package["publish"] != false {
        let lacking = PUBLISHED.into_iter().filter(|&key| package[key].is_null());
        violations.extend(lacking.map(|key| format!("[package] of a published crate must have `{key}`")));
    }
    if !is_inherited(&manifest["lints"]) {
        violations.push("[lints] must have `workspace = true`".into());
    }
    if has_library && manifest["lib"]["bench"] != false {
        violations.push("[lib] must have `bench = false`, or libtest refuses the flags of criterion".into());
    }
    let programs = manifest["bin"].as_array().map_or(&[][..], Vec::as_slice);
    let unlisted_program = has_program && programs.is_empty();
    if unlisted_program || programs.iter().any(|program| program["bench"] != false) {
        violations.push("[[bin]] must have `bench = false`, or libtest refuses the flags of criterion".into());
    }
    violations.extend(foreign("", manifest));
    violations
}

/// Entries of the dependency tables, at any depth of a manifest, that do not come from the workspace table.
fn foreign(place: &str, table: &Value) -> Vec<String> {
    let tables =
        table.as_object().into_iter().flatten().filter_map(|(key, value)| Some((key, value.as_object()?, value)));
    let mut violations = Vec::new();
    for (key, entries, inner) in tables {
        if key.ends_with("dependencies") {
            // A crate turns on features of its own for its tests by its path, which publishing leaves out.
            let own = |entry: &Value| entry["path"] == "." && entry["version"].is_null();
            let names = entries.iter().filter(|(_, entry)| !is_inherited(entry) && !own(entry)).map(|(name, _)| name);
            violations.extend(names.map(|name| format!("[{place}{key}] {name} must come from the workspace table")));
        } else {
            violations.extend(foreign(&format!("{place}{key}."), inner));
        }
    }
    violations
}

fn is_inherited(value: &Value) -> bool {
    value["workspace"] == true
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        package = { name = "x", version.workspace = true, edition.workspace = true, rust-version.workspace = true, license.workspace = true, publish = false }
        lints.workspace = true
        [lib]
        bench = false
        [[bin]]
        name = "x"
        bench = false
        [dependencies]
        serde.workspace = true
        burn = { workspace = true, features = ["flex"] }
        [dev-dependencies]
        x = { path = ".", features = ["full"] }
    "#;

    fn member(manifest: &str) -> Vec<String> {
        check_member(&toml::from_str(manifest).unwrap(), true, true)
    }

    #[test]
    fn a_manifest_that_inherits_passes() {
        assert_eq!(member(GOOD), Vec::<String>::new());
    }

    #[test]
    fn each_departure_is_one_violation() {
        for (from, to, about) in [
            ("version.workspace = true, ed", "version = \"1.0.0\", ed", "version.workspace"),
            ("edition.workspace = true", "edition = \"2021\"", "edition.workspace"),
            ("license.workspace = true", "license = \"MIT\"", "license.workspace"),
            ("rust-version.workspace = true, ", "", "rust-version.workspace"),
            ("path = \".\"", "path = \".\", version = \"1\"", "[dev-dependencies] x"),
            ("lints.workspace = true", "", "[lints]"),
            ("[lib]\n        bench = false", "[lib]\n        bench = true", "[lib]"),
            ("name = \"x\"\n        bench = false", "name = \"x\"", "[[bin]]"),
            ("serde.workspace = true", "serde = \"1\"", "[dependencies] serde"),
            ("[dev-dependencies]", "[dev-dependencies]\nrand = { version = \"1\" }", "[dev-dependencies] rand"),
            (
                "[dependencies]",
                "[target.'cfg(unix)'.dependencies]\nlibc = \"1\"\n[dependencies]",
                "target.cfg(unix).dependencies",
            ),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let violations = member(&GOOD.replacen(from, to, 1));
            assert_eq!(violations.len(), 1, "{about}: {violations:?}");
            assert!(violations[0].contains(about), "{violations:?}");
        }
    }

    #[test]
    fn a_published_crate_says_what_it_is() {
        assert_eq!(member(&GOOD.replace(", publish = false", "")).len(), PUBLISHED.len());
    }

    #[test]
    fn a_program_that_is_not_listed_is_found() {
        let manifest = GOOD.replace("[[bin]]\n        name = \"x\"\n        bench = false", "");
        let manifest = toml::from_str(&manifest).unwrap();
        assert_eq!(check_member(&manifest, true, true).len(), 1);
        assert_eq!(check_member(&manifest, true, false), Vec::<String>::new());
    }

    #[test]
    fn an_entry_that_no_member_takes_is_found() {
        let manifest = toml::from_str("[workspace.dependencies]\nserde = \"1\"\ninsta = \"1\"\n").unwrap();
        let found = unused(&manifest, &HashSet::from(["serde"]));
        assert_eq!(found, ["[workspace.dependencies] insta is taken by no member"]);
    }
}
