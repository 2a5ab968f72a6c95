//! The dependency graph as the checks need it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use cargo_metadata::{DependencyKind, Metadata};

/// The members that are programs, and what these share; every other member is a library and held to stricter rules.
const PROGRAMS: [&str; 5] = ["glauber-program", "glauber-cli", "glauber-lab", "glauber-benches", "xtask"];

/// A dependency as a manifest declares it, what it inherits included.
#[derive(Debug, Clone)]
pub struct Declared {
    /// Name of the package.
    pub name: String,
    /// Normal, dev or build.
    pub kind: DependencyKind,
    /// The features asked for.
    pub features: Vec<String>,
    /// Whether its default features are on.
    pub default_features: bool,
}

/// A package of the graph.
#[derive(Debug, Clone, Default)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence expression, if it has one.
    pub licence: Option<String>,
    /// Whether it belongs to the workspace.
    pub member: bool,
    /// Whether it may be published.
    pub published: bool,
    /// The folder of its manifest.
    pub folder: PathBuf,
    /// What its manifest declares.
    pub declared: Vec<Declared>,
    /// Its features and what they turn on.
    pub features: BTreeMap<String, Vec<String>>,
    /// Indices of the packages it links in a normal build, as resolved.
    pub links: Vec<usize>,
}

impl Package {
    /// Whether it is a library of the workspace.
    pub fn is_library(&self) -> bool {
        self.member && !PROGRAMS.contains(&self.name.as_str())
    }
}

/// The packages of `Cargo.lock` with all features on, and their links.
#[derive(Debug, Default)]
pub struct Graph {
    packages: Vec<Package>,
}

impl Graph {
    /// Reads the answer of cargo; `None` if it has no resolved graph.
    ///
    /// Features are unified over the workspace, so that a closure here can only be larger than that of a crate built alone.
    pub fn new(metadata: &Metadata) -> Option<Self> {
        let members: HashSet<_> = metadata.workspace_members.iter().collect();
        let index: HashMap<_, _> = metadata.packages.iter().enumerate().map(|(i, p)| (&p.id, i)).collect();
        let mut packages: Vec<Package> =
            metadata.packages.iter().map(|p| describe(p, members.contains(&p.id))).collect();
        for node in &metadata.resolve.as_ref()?.nodes {
            let is_normal = |d: &&cargo_metadata::NodeDep| d.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal);
            let links = node.deps.iter().filter(is_normal).filter_map(|d| index.get(&d.pkg).copied()).collect();
            packages[*index.get(&node.id)?].links = links;
        }
        Some(Self { packages })
    }

    /// All packages.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The packages of the workspace.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|p| p.member)
    }

    /// The ways from a member to every package that it links in a normal build, each from the member to the package; shortest
    /// first. `None` if there is no such member.
    pub fn ways_from(&self, member: &str) -> Option<Vec<Vec<&str>>> {
        let start = self.packages.iter().position(|p| p.member && p.name == member)?;
        let mut parent = HashMap::from([(start, start)]);
        let mut queue = vec![start];
        let mut next = 0;
        while next < queue.len() {
            let here = queue[next];
            next += 1;
            for &link in &self.packages[here].links {
                parent.entry(link).or_insert_with(|| {
                    queue.push(link);
                    here
                });
            }
        }
        Some(queue[1..].iter().map(|&end| self.way(end, start, &parent)).collect())
    }

    fn way(&self, end: usize, start: usize, parent: &HashMap<usize, usize>) -> Vec<&str> {
        let mut way = vec![self.packages[end].name.as_str()];
        let mut here = end;
        while here != start {
            here = parent[&here];
            way.push(self.packages[here].name.as_str());
        }
        way.reverse();
        way
    }
}

fn describe(package: &cargo_metadata::Package, member: bool) -> Package {
    let declared = |d: &cargo_metadata::Dependency| Declared {
        name: d.name.clone(),
        kind: d.kind,
        features: d.features.clone(),
        default_features: d.uses_default_features,
    };
    Package {
        name: package.name.to_string(),
        version: package.version.to_string(),
        licence: package.license.clone(),
        member,
        published: package.publish.as_ref().is_none_or(|registries| !registries.is_empty()),
        folder: package.manifest_path.parent().map(|f| f.as_std_path().to_owned()).unwrap_or_default(),
        declared: package.dependencies.iter().map(declared).collect(),
        features: package.features.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        links: Vec::new(),
    }
}

#[cfg(test)]
pub mod sketch {
    //! Small graphs for the tests of the checks.

    use super::*;

    /// A graph from lines such as `glauber-chain -> burn, rayon`; what starts with `glauber` and `xtask` are members.
    pub fn graph(lines: &[&str]) -> Graph {
        let mut graph = Graph::default();
        for line in lines {
            let (name, links) = line.split_once("->").unwrap_or((line, ""));
            let from = ensure(&mut graph, name.trim());
            for link in links.split(',').map(str::trim).filter(|link| !link.is_empty()) {
                let to = ensure(&mut graph, link);
                graph.packages[from].links.push(to);
                declare(&mut graph, name.trim(), link, DependencyKind::Normal, &[]);
            }
        }
        graph
    }

    /// Adds a declaration to a package.
    pub fn declare(graph: &mut Graph, package: &str, on: &str, kind: DependencyKind, features: &[&str]) {
        let features = features.iter().map(ToString::to_string).collect();
        let declared = Declared { name: on.into(), kind, features, default_features: false };
        package_mut(graph, package).declared.push(declared);
    }

    /// A package by name.
    pub fn package_mut<'a>(graph: &'a mut Graph, name: &str) -> &'a mut Package {
        let i = ensure(graph, name);
        &mut graph.packages[i]
    }

    fn ensure(graph: &mut Graph, name: &str) -> usize {
        graph.packages.iter().position(|p| p.name == name).unwrap_or_else(|| {
            let member = name.starts_with("glauber") || name == "xtask";
            let (name, version) = (name.to_owned(), "1.0.0".to_owned());
            graph.packages.push(Package { name, version, licence: Some("MIT".into()), member, ..Package::default() });
            graph.packages.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Depth, metadata};

    #[test]
    fn ways_are_the_shortest_and_cover_the_closure() {
        let graph = sketch::graph(&["glauber-chain -> a, b", "a -> b, c", "c -> a", "d -> c"]);
        let ways = graph.ways_from("glauber-chain").unwrap();
        assert_eq!(ways, [vec!["glauber-chain", "a"], vec!["glauber-chain", "b"], vec!["glauber-chain", "a", "c"]]);
        assert!(graph.ways_from("a").is_none(), "not a member");
    }

    #[test]
    fn this_workspace_has_the_graph_we_know() {
        let graph = Graph::new(&metadata(Depth::Everything).unwrap()).unwrap();
        let of = |name: &str| -> Vec<String> {
            let ways = graph.ways_from(name).unwrap();
            ways.iter().map(|way| way.last().unwrap().to_string()).collect()
        };
        assert!(of("glauber-model").iter().any(|name| name == "burn"));
        assert!(of("glauber-chain").iter().any(|name| name == "glauber-schedule"));
        assert!(!of("glauber-chain").iter().any(|name| name == "proptest"), "dev-dependencies are no links");
        assert!(graph.members().any(|p| p.is_library() && p.name == "glauber-train"));
        assert!(graph.members().all(|p| !p.is_library() || !["xtask", "glauber-cli"].contains(&p.name.as_str())));
    }
}
