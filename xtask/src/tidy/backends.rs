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
        let enables = effects.iter().filter(|effect| enables_backend(effect));
        violations.extend(enables.map(|effect| {
            format!("{name} enables `{effect}` by its feature `{feature}`; only glauber-cli and glauber-benches may")
        }));
    }
    violations
}

fn complaints(declared: &Declared) -> Vec<String> {
    let mut complaints = Vec::new();
    let on = &declared.name;
    if BACKEND_PACKAGES.contains(&on.as_str()) {
        complaints.push(format!("depends on the backend {on}; only glauber-cli and glauber-benches may choose one"));
    }
    if on != "burn" && !on.starts_with("burn-") {
        return complaints;
    }
    if declared.default_features {
        complaints.push(format!("takes the default features of {on}; set default-features = false"));
    }
    let backends = declared.features.iter().filter(|f| BACKEND_FEATURES.contains(&f.as_str()));
    complaints.extend(backends.map(|feature| {
        format!("enables `{on}/{feature}`; only glauber-cli and glauber-benches, or a dev-dependency, may")
    }));
    complaints
}

/// Whether an effect of a feature, such as `burn/flex` or `burn?/flex`, turns a backend on.
fn enables_backend(effect: &str) -> bool {
    effect.split_once('/').is_some_and(|(on, feature)| on.starts_with("burn") && BACKEND_FEATURES.contains(&feature))
}

#[cfg(test)]
mod tests {
    use super::super::graph::sketch::{declare, graph, package_mut};
    use super::*;

    #[test]
    fn programs_and_tests_may_enable_a_backend() {
        let mut good = graph(&["glauber-model", "glauber-cli", "glauber-benches"]);
        declare(&mut good, "glauber-model", "burn", DependencyKind::Normal, &["std", "autodiff"]);
        declare(&mut good, "glauber-model", "burn", DependencyKind::Development, &["flex", "simd"]);
        declare(&mut good, "glauber-cli", "burn", DependencyKind::Normal, &["flex"]);
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
