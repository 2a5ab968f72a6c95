//! Only programs choose the device.

use std::path::Path;

use cargo_metadata::{Dependency, DependencyKind, Metadata, Package};

use super::git::grep;
use super::graph::libraries;

/// The packages of burn that libraries may depend on; the others are backends, or bring one.
const PACKAGES: [&str; 2] = ["burn", "burn-store"];
/// The features of these that libraries may enable; the others bring a backend, or tune one.
const FEATURES: [&str; 5] = ["std", "autodiff", "optim", "extension", "safetensors"];
/// The one feature of a library that brings a backend: its kernels are made for the arrays of that device.
const KERNELS: [&str; 3] = ["glauber-fused", "cpu", "burn/flex"];
/// Code that uses the compiled-in default device, without comments.
const DEFAULT_DEVICE: &str = r"^(([^/]|/[^/])*[^[:alnum:]_/])?Device::default\(\)";

/// Libraries of the workspace that enable a backend outside their tests, and members that leave burn's version or features open.
pub fn check(graph: &Metadata) -> Vec<String> {
    let members = graph.workspace_packages();
    libraries(graph).flat_map(check_library).chain(members.into_iter().flat_map(check_pins)).collect()
}

/// Libraries that take the default device.
///
/// # Errors
/// If git fails.
pub fn check_default_device(root: &Path, graph: &Metadata) -> anyhow::Result<Vec<String>> {
    let mut violations = Vec::new();
    for package in libraries(graph) {
        let sources = package.manifest_path.with_file_name("src");
        let arguments = ["--untracked", "--line-number", "-E", "-e", DEFAULT_DEVICE, "--", sources.as_str()];
        let found = grep(root, &arguments)?;
        violations.extend(found.into_iter().map(|line| format!("the device is an argument: {line}")));
    }
    Ok(violations)
}

/// The dependencies of a package that are burn's.
fn of_burn(package: &Package) -> impl Iterator<Item = &Dependency> {
    package.dependencies.iter().filter(|d| is_burn(&d.name))
}

fn is_burn(name: &str) -> bool {
    name == "burn" || name.starts_with("burn-")
}

/// A crate that pins burn exactly cannot be used beside another that does; burn's default features bring a backend.
fn check_pins(package: &Package) -> Vec<String> {
    let mut violations = Vec::new();
    for Dependency { name: on, req, uses_default_features, .. } in of_burn(package) {
        if req.to_string().starts_with('=') {
            violations.push(format!("{} takes {on} in the version \"{req}\"; say \"X.Y.Z\" without =", package.name));
        }
        if *uses_default_features {
            violations
                .push(format!("{} takes the default features of {on}; set default-features = false", package.name));
        }
    }
    violations
}

fn check_library(package: &Package) -> Vec<String> {
    let name = &package.name;
    let mut violations = Vec::new();
    for declared in of_burn(package).filter(|d| d.kind != DependencyKind::Development) {
        let on = &declared.name;
        if !PACKAGES.contains(&on.as_str()) {
            violations.push(format!("{name} depends on the backend {on}; only programs may choose one"));
        }
        let backends = declared.features.iter().filter(|feature| !FEATURES.contains(&feature.as_str()));
        violations.extend(
            backends.map(|feature| format!("{name} enables `{on}/{feature}`; only programs, or a dev-dependency, may")),
        );
    }
    for (feature, effects) in &package.features {
        let enables =
            effects.iter().filter(|effect| enables_backend(effect) && KERNELS != [name.as_str(), feature, effect]);
        violations.extend(
            enables.map(|effect| format!("{name} enables `{effect}` by its feature `{feature}`; only programs may")),
        );
    }
    violations
}

/// Whether an effect of a feature, such as `burn/flex` or `burn?/flex`, turns a backend on.
fn enables_backend(effect: &str) -> bool {
    let of_burn = effect.split_once('/').filter(|(on, _)| is_burn(on.trim_end_matches('?')));
    of_burn.is_some_and(|(_, feature)| !FEATURES.contains(&feature))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::git::sketch::checkout;
    use super::super::graph::sketch::{declare, graph, package_mut};
    use super::*;
    use crate::workspace::cargo;

    #[test]
    fn programs_and_tests_may_enable_a_backend() {
        let mut good = graph(&["glauber-model", "glauber-program", "glauber-benches"]);
        declare(&mut good, "glauber-model", "burn", DependencyKind::Normal, &["std", "autodiff"]);
        declare(&mut good, "glauber-model", "burn", DependencyKind::Development, &["flex", "simd"]);
        declare(&mut good, "glauber-program", "burn", DependencyKind::Normal, &["flex"]);
        declare(&mut good, "glauber-benches", "burn", DependencyKind::Normal, &["flex"]);
        assert_eq!(check(&good), Vec::<String>::new());
    }

    #[test]
    fn a_library_may_not() {
        let mut bad = graph(&["glauber-model"]);
        declare(&mut bad, "glauber-model", "burn", DependencyKind::Normal, &["std", "flex"]);
        declare(&mut bad, "glauber-model", "burn-wgpu", DependencyKind::Normal, &[]);
        let violations = check(&bad);
        assert_eq!(violations.len(), 2, "{violations:?}");
        assert!(violations[0].contains("`burn/flex`") && violations[1].contains("burn-wgpu"));
    }

    #[test]
    fn the_fused_kernels_bring_their_device_and_no_other_feature_does() {
        let mut graph = graph(&["glauber-fused"]);
        let package = package_mut(&mut graph, "glauber-fused");
        package.features.insert("cpu".into(), vec!["burn/extension".into(), "burn/flex".into()]);
        assert_eq!(check(&graph), Vec::<String>::new());
        let package = package_mut(&mut graph, "glauber-fused");
        package.features.insert("cpu".into(), vec!["burn/cuda".into()]);
        package.features.insert("default".into(), vec!["burn/flex".into()]);
        assert_eq!(check(&graph).len(), 2);
    }

    /// What a program gets that asks the facade for networks: not the slow layers.
    #[test]
    fn the_facade_has_fused_layers_wherever_it_has_layers() {
        let fused = |feature: &str| {
            let mut tree = Command::new(cargo());
            tree.args(["tree", "--offline", "--package", "glauber", "--no-default-features", "--features", feature]);
            tree.args(["--edges", "features,no-dev", "--prefix", "none", "--format", "{p}|{f}"]);
            let output = tree.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8(output.stdout).unwrap();
            let has = |package: &str, feature: &str| {
                let on =
                    |line: &str| line.split_once('|').is_some_and(|(_, on)| on.split(',').any(|f| f.trim() == feature));
                text.lines().any(|line| line.starts_with(package) && on(line.trim_end_matches(" (*)")))
            };
            (has("glauber-fused v", "cpu"), has("burn v", "flex"))
        };
        for feature in ["model", "train", "run", "image", "full"] {
            assert_eq!(fused(feature), (true, true), "{feature}");
        }
        assert_eq!(fused("chain,text,sudoku,pixels"), (false, false));
    }

    #[test]
    fn nor_by_a_feature_or_by_default() {
        let mut bad = graph(&["glauber-train"]);
        let package = package_mut(&mut bad, "glauber-train");
        package.features.insert("fast".into(), vec!["burn?/cuda".into(), "dep:burn".into()]);
        declare(&mut bad, "glauber-train", "burn", DependencyKind::Normal, &[]);
        package_mut(&mut bad, "glauber-train").dependencies[0].uses_default_features = true;
        let violations = check(&bad);
        assert_eq!(violations.len(), 2, "{violations:?}");
        assert!(violations[0].contains("`burn?/cuda`") && violations[1].contains("default features of burn"));
    }

    #[test]
    fn no_member_pins_burn_exactly() {
        let mut bad = graph(&["glauber-cli -> burn, serde"]);
        for dependency in &mut package_mut(&mut bad, "glauber-cli").dependencies {
            dependency.req = "=0.22.1".parse().unwrap();
        }
        assert_eq!(check(&bad), ["glauber-cli takes burn in the version \"=0.22.1\"; say \"X.Y.Z\" without ="]);
    }

    #[test]
    fn a_default_device_is_found_in_the_code_of_libraries() {
        let code =
            b"//! Device::default()\nlet a = f(1 / 2, Device::default()); // half\nlet b = FlexDevice::default();\n";
        let tree = checkout(&[("model/src/a.rs", code), ("model/tests/a.rs", code), ("cli/src/a.rs", code)]);
        let mut graph = graph(&["glauber-model", "glauber-cli"]);
        for name in ["model", "cli"] {
            let manifest = tree.path().join(name).join("Cargo.toml");
            package_mut(&mut graph, &format!("glauber-{name}")).manifest_path = manifest.try_into().unwrap();
        }
        let expected = "the device is an argument: model/src/a.rs:2:let a = f(1 / 2, Device::default()); // half";
        assert_eq!(check_default_device(tree.path(), &graph).unwrap(), [expected]);
    }
}
