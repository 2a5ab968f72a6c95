//! Other sizes than those of checkpoints at hand: a model of ours under another project's names comes back the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use burn_store::burn_pack::Tensor as StoredTensor;
use burn_store::{ModuleSnapshot, bridge};

use super::naming::{DIFFUSERS, DIFFUSERS_OLD, Naming, TAMING};
use super::{diffusers, tensors};
use crate::{ImageError, LevelConfig, QuantiserConfig, VqConfig, VqModel};
use glauber_chain::ChainRng;

/// Three levels, two blocks each, attention at different levels of encoder and decoder, all widths different.
fn deep() -> VqConfig {
    let level =
        |width, encoder_attention, decoder_attention| LevelConfig { width, encoder_attention, decoder_attention };
    VqConfig {
        channels: 1,
        out_channels: 1,
        image_size: 16,
        stem_width: 8,
        blocks: 2,
        middle_attention: false,
        norm_groups: 4,
        latent_channels: 6,
        quantiser: QuantiserConfig::Codebook { entries: 40, dim: 5 },
        levels: vec![level(8, true, false), level(12, false, true), level(16, false, false)],
    }
}

fn tensors_of(model: &VqModel, naming: &Naming) -> BTreeMap<String, StoredTensor> {
    let levels = model.config().levels.len();
    let renamed = |mut weight: StoredTensor| {
        weight.name = naming.key(&weight.name, levels);
        (weight.name.clone(), weight)
    };
    let weights = model.network.collect(None, None, true);
    let count = weights.len();
    let named: BTreeMap<_, _> = weights.into_iter().map(renamed).collect();
    assert_eq!(named.len(), count, "two weights have one name");
    named
}

/// Different weights everywhere, norms and biases included.
fn shaken(config: &VqConfig, seed: u64, device: &Device) -> VqModel {
    use burn::module::{Module, ModuleMapper, Param};
    struct Shake(ChainRng);
    impl ModuleMapper for Shake {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let shape = param.shape();
            let values: Vec<f32> = (0..shape.num_elements()).map(|_| self.0.uniform() as f32 - 0.4).collect();
            param.map(|old| Tensor::from_data(TensorData::new(values, shape), &old.device()))
        }
    }
    let mut model = VqModel::zeros(config, device).unwrap();
    model.network = model.network.map(&mut Shake(ChainRng::new(seed, 0)));
    model
}

fn weights(model: &VqModel) -> BTreeMap<String, Vec<f32>> {
    let data = |weight: StoredTensor| (weight.name.clone(), bridge::into_data(weight).unwrap().iter().collect());
    model.network.collect(None, None, true).into_iter().map(data).collect()
}

#[test]
fn every_naming_is_read_back() {
    let device = Device::flex();
    for attention in [false, true] {
        let config = VqConfig { middle_attention: attention, ..deep() };
        for (naming, others) in [(&TAMING, vec![&TAMING]), (&DIFFUSERS_OLD, vec![&DIFFUSERS, &DIFFUSERS_OLD])] {
            let model = shaken(&config, 5, &device);
            let mut copy = VqModel::zeros(&config, &device).unwrap();
            let mut stored = tensors_of(&model, naming);
            stored.insert(
                "loss.logvar".into(),
                bridge::from_data(TensorData::from([0.0f32]), "loss.logvar".into(), None),
            );
            let ignored = tensors::load(&mut copy, Path::new("memory"), &stored, &others).unwrap();
            assert_eq!(ignored, ["loss.logvar"]);
            assert_eq!(weights(&copy), weights(&model));
        }
    }
}

/// Writes tensors in the safetensors format; the projections of attention as matrices where `linear`.
fn write_safetensors(path: &Path, tensors: &BTreeMap<String, StoredTensor>) {
    let mut header = serde_json::Map::new();
    let mut body: Vec<u8> = Vec::new();
    for (name, tensor) in tensors {
        let bytes = bridge::to_data(tensor).unwrap().as_bytes().to_vec();
        let attention = name.contains(".attentions.") && !name.contains("group_norm");
        let mut shape = tensor.shape.to_vec();
        if attention && shape.len() == 4 {
            shape.truncate(2);
        }
        let span = [body.len(), body.len() + bytes.len()];
        header.insert(name.clone(), serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": span }));
        body.extend(bytes);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(body);
    fs::write(path, file).unwrap();
}

fn diffusers_config() -> serde_json::Value {
    serde_json::json!({
        "_class_name": "VQModel",
        "block_out_channels": [8, 12, 16],
        "down_block_types": ["AttnDownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
        "up_block_types": ["UpDecoderBlock2D", "AttnUpDecoderBlock2D", "UpDecoderBlock2D"],
        "in_channels": 1,
        "out_channels": 1,
        "sample_size": 16,
        "layers_per_block": 2,
        "latent_channels": 6,
        "mid_block_add_attention": false,
        "norm_num_groups": 4,
        "num_vq_embeddings": 40,
        "vq_embed_dim": 5,
    })
}

#[test]
fn a_deeper_model_in_the_files_of_diffusers() {
    let device = Device::flex();
    let model = shaken(&deep(), 6, &device);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), diffusers_config().to_string()).unwrap();
    let path = folder.path().join("diffusion_pytorch_model.safetensors");
    write_safetensors(&path, &tensors_of(&model, &DIFFUSERS));
    let imported = diffusers(folder.path(), &device).unwrap();
    assert_eq!(imported.model.config(), &deep());
    assert_eq!(weights(&imported.model), weights(&model));

    let images = (0..256).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<_>>();
    let images = Tensor::<4>::from_data(TensorData::new(images, [1, 1, 16, 16]), &device);
    let indices = model.encode(images.clone()).unwrap();
    assert_eq!(indices.dims(), [1, 4, 4]);
    assert_eq!(imported.model.encode(images).unwrap().into_data(), indices.clone().into_data());
    assert_eq!(model.decode(indices).unwrap().dims(), [1, 1, 16, 16]);

    let mut tensors = tensors_of(&model, &DIFFUSERS);
    let key = "decoder.up_blocks.1.attentions.2.to_q.bias";
    let query = tensors.remove(key).unwrap();
    write_safetensors(&path, &tensors);
    let error = diffusers(folder.path(), &device).unwrap_err();
    assert!(
        matches!(&error, ImageError::MissingTensor { key: k, expected, .. } if k == key && *expected == [12]),
        "{error}"
    );
    tensors.insert(key.into(), query.clone());
    tensors.insert("encoder.time_embedding.bias".into(), query);
    write_safetensors(&path, &tensors);
    let error = diffusers(folder.path(), &device).unwrap_err();
    assert!(error.to_string().contains("`encoder.time_embedding.bias`"), "{error}");
}
