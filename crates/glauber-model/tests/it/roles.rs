//! Every parameter has one role, and it is the one that its place in the network calls for.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};
use glauber_model::{Conditioning, ModelConfig, Network, NetworkKind, Preset, Role, SiteClassifier};

const LAYERS: usize = 3;
const MERGE_LAYERS: usize = 2;

/// The path and the rank of every parameter.
#[derive(Default)]
struct Places {
    path: Vec<String>,
    all: Vec<(ParamId, String, usize)>,
}

impl ModuleVisitor for Places {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.all.push((param.id, self.path.join("."), D));
    }
}

fn expected(path: &str, rank: usize) -> Role {
    let within = |names: &[&str]| path.split('.').any(|part| names.contains(&part));
    match rank {
        1 => Role::Bias,
        _ if within(&["table", "class_table", "ends"]) => Role::Table,
        _ if within(&["attention", "feed_forward"]) => Role::Hidden,
        _ if within(&["modulation"]) => Role::Modulation,
        _ if within(&["head"]) => Role::ReadOut,
        _ if within(&["join"]) => Role::Join,
        _ => Role::Linear,
    }
}

#[test]
fn every_parameter_has_one_role() {
    for network in [NetworkKind::Hollow, NetworkKind::MaskedQuery, NetworkKind::Bidirectional] {
        for conditioning in [Conditioning::Step, Conditioning::SignalLevel] {
            for (tied, classes) in [(false, 0), (true, 2)] {
                let sizes = ModelConfig { width: 16, heads: 2, condition_width: 8, ..Preset::Tiny.config() };
                let design = ModelConfig { network, layers: LAYERS, merge_layers: MERGE_LAYERS, ..sizes };
                check(&ModelConfig { conditioning, tied, classes, ..design });
            }
        }
    }
}

/// Whatever the design: each parameter has one role, and the network has the sizes asked for.
#[test]
fn every_design_tells_its_parameters_and_sizes() {
    for &network in NetworkKind::ALL {
        check_told(&ModelConfig { network, classes: 2, block: 2, site_vectors: true, ..Preset::Tiny.config() });
    }
}

fn check_told(config: &ModelConfig) -> (Network, Places) {
    let network = Network::new(config, 7, 5, 1, &Device::flex()).expect("valid sizes");
    let mut places = Places::default();
    network.visit(&mut places);
    let told = network.roles();
    let roles: HashMap<ParamId, Role> = told.iter().copied().collect();
    assert_eq!((told.len(), roles.len()), (places.all.len(), places.all.len()), "each once: {config:?}");
    assert!(places.all.iter().all(|(id, ..)| roles.contains_key(id)), "of {config:?}");
    let sizes = network.sizes();
    assert_eq!((sizes.vocab, sizes.longest, sizes.classes), (7, 5, config.classes));
    (network, places)
}

fn check(config: &ModelConfig) {
    let (network, places) = check_told(config);
    let told = network.roles();
    let roles: HashMap<ParamId, Role> = told.iter().copied().collect();
    for (id, path, rank) in &places.all {
        assert_eq!(roles.get(id), Some(&expected(path, *rank)), "{path} of {config:?}");
    }
    let count = |role: Role| told.iter().filter(|(_, found)| *found == role).count();
    let hidden = match config.network {
        NetworkKind::Hollow => 2 * 4 * LAYERS + 6 * MERGE_LAYERS,
        _ => 4 * LAYERS,
    };
    assert_eq!((count(Role::Hidden), count(Role::ReadOut)), (hidden, usize::from(!config.tied)));
    let tables = 1 + usize::from(config.classes > 0) + usize::from(config.network == NetworkKind::Hollow);
    assert_eq!(count(Role::Table), tables);
}
