//! `VQModel` of diffusers, from the folder that its `save_pretrained` writes.

use std::path::Path;

use burn::tensor::Device;
use burn_store::{ModuleStore, SafetensorsStore};
use serde_json::json;

use crate::{ImageError, LevelConfig, QuantiserConfig, VqConfig, VqModel};

use super::document::Document;
use super::naming::{DIFFUSERS, DIFFUSERS_OLD};
use super::tensors;
use super::{Imported, whole_patches};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";

/// Keys that are used, and keys without effect on encoding and decoding. `scaling_factor` is for a diffusion of
/// latents. `lookup_from_codebook` selects the only supported conversion of indices, and `force_upcast` the f32 that is
/// always used.
const KEYS: [&str; 18] = [
    "act_fn",
    "block_out_channels",
    "down_block_types",
    "force_upcast",
    "in_channels",
    "latent_channels",
    "layers_per_block",
    "lookup_from_codebook",
    "mid_block_add_attention",
    "norm_num_groups",
    "norm_type",
    "num_vq_embeddings",
    "out_channels",
    "sample_size",
    "scaling_factor",
    "up_block_types",
    "vq_embed_dim",
    "dtype",
];

/// Reads `config.json` and `diffusion_pytorch_model.safetensors` of a folder.
///
/// # Errors
/// [`ImageError::Unsupported`] names the key of the configuration that cannot be imported; [`ImageError::MissingTensor`] and
/// [`ImageError::Malformed`] name the tensor that does not fit it, or that holds NaN or infinity.
pub fn diffusers(folder: &Path, device: &Device) -> Result<Imported, ImageError> {
    let document = Document::json(&folder.join(CONFIG))?;
    let mut model = VqModel::zeros(&config(&document)?, device)?;
    let path = folder.join(WEIGHTS);
    std::fs::metadata(&path).map_err(ImageError::io(&path))?;
    let mut store = SafetensorsStore::from_file(&path).map_indices_contiguous(false);
    let stored = store.get_all_tensors();
    let stored = stored.map_err(|error| ImageError::malformed(&path, error, "expected safetensors"))?;
    let ignored = tensors::load(&mut model, &path, stored, &[&DIFFUSERS, &DIFFUSERS_OLD])?;
    Ok(Imported { model, ignored })
}

fn config(document: &Document) -> Result<VqConfig, ImageError> {
    if document.get("_class_name").is_some() {
        document.only_value("_class_name", &json!("VQModel"))?;
    }
    document.only_keys("", &KEYS)?;
    document.only_value("norm_type", &json!("group"))?;
    document.only_value("act_fn", &json!("silu"))?;
    let widths = document.sizes("block_out_channels")?;
    let down = attention(document, "down_block_types", ["DownEncoderBlock2D", "AttnDownEncoderBlock2D"], widths.len())?;
    let mut up = attention(document, "up_block_types", ["UpDecoderBlock2D", "AttnUpDecoderBlock2D"], widths.len())?;
    up.reverse();
    let level = |at: usize| LevelConfig { width: widths[at], encoder_attention: down[at], decoder_attention: up[at] };
    let latent_channels = document.size_or("latent_channels", 3)?;
    let config = VqConfig {
        channels: document.size_or("in_channels", 3)?,
        out_channels: document.size_or("out_channels", 3)?,
        image_size: whole_patches(document.size_or("sample_size", 32)?, widths.len()),
        stem_width: widths.first().copied().unwrap_or_default(),
        blocks: document.size_or("layers_per_block", 1)?,
        middle_attention: document.flag_or("mid_block_add_attention", true)?,
        norm_groups: document.size_or("norm_num_groups", 32)?,
        latent_channels,
        quantiser: QuantiserConfig::Codebook {
            entries: document.size_or("num_vq_embeddings", 256)?,
            dim: document.size_or("vq_embed_dim", latent_channels)?,
        },
        levels: (0..widths.len()).map(level).collect(),
    };
    config.validate().map_err(|error| document.in_its_words(error, their_key))?;
    Ok(config)
}

/// Whether each block of a list has attention: its name is the first of the two, or the second.
fn attention(
    document: &Document,
    key: &str,
    [plain, attentive]: [&str; 2],
    levels: usize,
) -> Result<Vec<bool>, ImageError> {
    let names = document.texts(key)?;
    if names.len() != levels {
        return Err(document.unsupported(key, format!("{levels} names, one for each of `block_out_channels`")));
    }
    match names.iter().all(|name| name == plain || name == attentive) {
        true => Ok(names.iter().map(|name| name == attentive).collect()),
        false => Err(document.unsupported(key, format!("`{plain}` or `{attentive}` each"))),
    }
}

fn their_key(ours: &str) -> String {
    let key = match ours {
        "channels" => "in_channels",
        "image_size" => "sample_size",
        "blocks" => "layers_per_block",
        "norm_groups" => "norm_num_groups",
        "quantiser.entries" => "num_vq_embeddings",
        "quantiser.dim" => "vq_embed_dim",
        key if key == "stem_width" || key.starts_with("levels") => "block_out_channels",
        other => other,
    };
    key.to_owned()
}
