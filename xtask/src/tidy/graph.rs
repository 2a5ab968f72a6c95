//! What the checks ask of cargo's answer.

use std::collections::HashSet;

use cargo_metadata::{DependencyKind, Metadata, Package, PackageId};

/// The members that are programs, and what these share; every other member is a library and held to stricter rules.
const PROGRAMS: [&str; 5] = ["glauber-program", "glauber-cli", "glauber-lab", "glauber-benches", "xtask"];

/// The members that are libraries.
pub fn libraries(metadata: &Metadata) -> impl Iterator<Item = &Package> {
    metadata.workspace_packages().into_iter().filter(|package| !PROGRAMS.contains(&package.name.as_str()))
}

/// The ways from a member to every package that it links in a normal build, each from the member to the package; shortest
/// first. `None` if there is no such member, or no graph.
///
/// Features are unified over the workspace, so that a closure here can only be larger than that of a crate built alone.
pub fn ways_from<'a>(metadata: &'a Metadata, member: &str) -> Option<Vec<Vec<&'a str>>> {
    let start = metadata.workspace_packages().into_iter().find(|package| package.name == member)?;
    let resolve = metadata.resolve.as_ref()?;
    let mut seen = HashSet::from([&start.id]);
    let mut ways: Vec<Vec<&PackageId>> = vec![vec![&start.id]];
    let mut next = 0;
    while let Some(way) = ways.get(next).cloned() {
        next += 1;
        let links = way.last().map_or(&[][..], |&end| &resolve[end].deps);
        for link in links.iter().filter(|link| link.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)) {
            if seen.insert(&link.pkg) {
                ways.push([&way[..], &[&link.pkg]].concat());
            }
        }
    }
    Some(ways[1..].iter().map(|way| way.iter().map(|&id| metadata[id].name.as_str()).collect()).collect())
}

#[cfg(test)]
pub mod sketch {
    //! Small answers of cargo for the tests of the checks.

    use serde_json::{from_value, json};

    use super::*;

    /// A graph from lines such as `glauber-chain -> burn, rayon`; what starts with `glauber` and `xtask` are members.
    pub fn graph(lines: &[&str]) -> Metadata {
        let mut graph = from_value(json!({
            "packages": [], "workspace_members": [], "resolve": { "nodes": [] }, "workspace_root": "", "target_directory": "", "version": 1,
        }))
        .unwrap();
        for line in lines {
            let (name, links) = line.split_once("->").unwrap_or((line, ""));
            package_mut(&mut graph, name.trim());
            for link in links.split(',').map(str::trim).filter(|link| !link.is_empty()) {
                package_mut(&mut graph, link);
                let nodes = &mut graph.resolve.as_mut().unwrap().nodes;
                let from = nodes.iter_mut().find(|node| node.id.repr == name.trim()).unwrap();
                let kinds = json!([{ "kind": null, "target": null }]);
                from.deps.push(from_value(json!({ "name": link, "pkg": link, "dep_kinds": kinds })).unwrap());
                declare(&mut graph, name.trim(), link, DependencyKind::Normal, &[]);
            }
        }
        graph
    }

    /// Adds a declaration to a package.
    pub fn declare(graph: &mut Metadata, package: &str, on: &str, kind: DependencyKind, features: &[&str]) {
        let declared = json!({
            "name": on, "req": "1.0.0", "kind": kind, "optional": false, "uses_default_features": false, "features": features,
        });
        package_mut(graph, package).dependencies.push(from_value(declared).unwrap());
    }

    /// A package by name.
    pub fn package_mut<'a>(graph: &'a mut Metadata, name: &str) -> &'a mut Package {
        let i = graph.packages.iter().position(|package| package.name == name).unwrap_or_else(|| {
            let id = PackageId { repr: name.into() };
            if name.starts_with("glauber") || name == "xtask" {
                graph.workspace_members.push(id.clone());
            }
            let node = json!({ "id": id, "dependencies": [] });
            graph.resolve.as_mut().unwrap().nodes.push(from_value(node).unwrap());
            let package = json!({
                "name": name, "version": "1.0.0", "id": id, "license": "MIT", "dependencies": [], "targets": [], "features": {},
                "manifest_path": "", "publish": [],
            });
            graph.packages.push(from_value(package).unwrap());
            graph.packages.len() - 1
        });
        &mut graph.packages[i]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Depth, metadata};

    #[test]
    fn ways_are_the_shortest_and_cover_the_closure() {
        let graph = sketch::graph(&["glauber-chain -> a, b", "a -> b, c", "c -> a", "d -> c"]);
        let ways = ways_from(&graph, "glauber-chain").unwrap();
        assert_eq!(ways, [vec!["glauber-chain", "a"], vec!["glauber-chain", "b"], vec!["glauber-chain", "a", "c"]]);
        assert!(ways_from(&graph, "a").is_none(), "not a member");
    }

    #[test]
    fn this_workspace_has_the_graph_we_know() {
        let graph = metadata(Depth::Everything).unwrap();
        let of = |name: &str| -> Vec<String> {
            let ways = ways_from(&graph, name).unwrap();
            ways.iter().map(|way| way.last().unwrap().to_string()).collect()
        };
        assert!(of("glauber-model").iter().any(|name| name == "burn"));
        assert!(of("glauber-chain").iter().any(|name| name == "glauber-schedule"));
        assert!(!of("glauber-chain").iter().any(|name| name == "proptest"), "dev-dependencies are no links");
        assert!(libraries(&graph).any(|package| package.name == "glauber-train"));
        assert!(libraries(&graph).all(|package| !["xtask", "glauber-cli"].contains(&package.name.as_str())));
    }
}
