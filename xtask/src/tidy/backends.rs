//! Only programs choose the device.

use cargo_metadata::DependencyKind;

use super::graph::{Declared, Graph, Package};

/// Features of burn that bring a backend or tune one.
const BACKEND_FEATURES: [&str; 19] = [
    "accelerate",
    "autotune",
    "blas-netlib",
    "cpu",
    "cubecl",
    "cuda",
    "default",
    "flex",
    "fusion",
    "metal",
    "ndarray",
    "openblas",
    "remote",
    "rocm",
    "simd",
    "tch",
    "vulkan",
    "webgpu",
    "wgpu",
];
/// Packages that are a backend.
const BACKEND_PACKAGES: [&str; 10] = [
    "burn-candle",
    "burn-cpu",
    "burn-cubecl",
    "burn-cuda",
    "burn-flex",
    "burn-ndarray",
    "burn-remote",
    "burn-rocm",
    "burn-tch",
    "burn-wgpu",
];

/// The one feature of a library that brings a backend: its kernels are made for the arrays of that device.
const KERNELS: [&str; 3] = ["glauber-fused", "cpu", "burn/flex"];

/// Libraries of the workspace that enable a backend outside their tests.
pub fn check(graph: &Graph) -> Vec<String> {
    graph.members().filter(|p| p.is_library()).flat_map(check_library).collect()
}

fn check_library(package: &Package) -> Vec<String> {
    let name = &package.name;
    let mut violations = Vec::new();
    for declared in package.declared.iter().filter(|d| d.kind != DependencyKind::Development) {
        violations.extend(complaints(declared).into_iter().map(|complaint| format!("{name} {complaint}")));
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

fn complaints(declared: &Declared) -> Vec<String> {
    let mut complaints = Vec::new();
    let on = &declared.name;
    if BACKEND_PACKAGES.contains(&on.as_str()) {
        complaints.push(format!("depends on the backend {on}; only programs may choose one"));
    }
    if on != "burn" && !on.starts_with("burn-") {
        return complaints;
    }
    if declared.default_features {
        complaints.push(format!("takes the default features of {on}; set default-features = false"));
    }
    let backends = declared.features.iter().filter(|f| BACKEND_FEATURES.contains(&f.as_str()));
    complaints
        .extend(backends.map(|feature| format!("enables `{on}/{feature}`; only programs, or a dev-dependency, may")));
    complaints
}

/// Whether an effect of a feature, such as `burn/flex` or `burn?/flex`, turns a backend on.
fn enables_backend(effect: &str) -> bool {
    effect.split_once('/').is_some_and(|(on, feature)| on.starts_with("burn") && BACKEND_FEATURES.contains(&feature))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

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
        package_mut(&mut bad, "glauber-train").declared[0].default_features = true;
        let violations = check(&bad);
        assert_eq!(violations.len(), 2, "{violations:?}");
        assert!(violations[0].contains("default features of burn") && violations[1].contains("`burn?/cuda`"));
    }
}
