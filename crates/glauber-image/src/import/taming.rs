//! VQGAN of taming-transformers (and of CompVis' latent diffusion, which calls everything the same): a Lightning checkpoint and its YAML.

use std::path::Path;

use burn::tensor::Device;
use serde_json::{Value, json};

use crate::{ImageError, LevelConfig, QuantiserConfig, VqConfig, VqModel};

use super::document::Document;
use super::naming::TAMING;
use super::{Imported, tensors, torch, whole_patches};

/// The groups of every normalisation, which these configurations cannot change.
const GROUPS: usize = 32;
/// Models whose autoencoder is this one.
const TARGETS: [&str; 3] = ["VQModel", "VQModelInterface", "VQNoDiscModel"];
const DDCONFIG: &str = "model.params.ddconfig";
/// `dropout` is for training there, and not used here.
const DDCONFIG_KEYS: [&str; 15] = [
    "ch",
    "out_ch",
    "ch_mult",
    "num_res_blocks",
    "attn_resolutions",
    "dropout",
    "in_channels",
    "resolution",
    "z_channels",
    "double_z",
    "resamp_with_conv",
    "attn_type",
    "use_linear_attn",
    "give_pre_end",
    "tanh_out",
];

/// Reads the tensors of a checkpoint that PyTorch wrote, under `state_dict` or at its top, and the YAML that it was trained with.
///
/// Other content of a Lightning checkpoint is skipped, and no code of the file is executed. Tensors outside the
/// autoencoder (`loss.…`, `model_ema.…`) are listed in the result and otherwise ignored.
///
/// # Errors
/// [`ImageError::Unsupported`] names the key of the configuration that cannot be imported; [`ImageError::MissingTensor`] and
/// [`ImageError::Malformed`] name the tensor that does not fit it, or that holds NaN or infinity.
pub fn taming(checkpoint: &Path, config_file: &Path, device: &Device) -> Result<Imported, ImageError> {
    let document = Document::yaml(config_file)?;
    let mut model = VqModel::zeros(&config(&document)?, device)?;
    let ignored = tensors::load(&mut model, checkpoint, &torch::tensors(checkpoint)?, &[&TAMING])?;
    Ok(Imported { model, ignored })
}

fn config(document: &Document) -> Result<VqConfig, ImageError> {
    check_support(document)?;
    let dd = |key: &str| format!("{DDCONFIG}.{key}");
    let base = document.size(&dd("ch"))?;
    let resolution = document.size(&dd("resolution"))?;
    let factors = document.sizes(&dd("ch_mult"))?;
    let attended = document.sizes(&dd("attn_resolutions"))?;
    // Their encoder halves the resolution from level to level, rounding down; their decoder doubles what is left of it.
    let halved = |at: usize| resolution.checked_shr(at as u32).unwrap_or_default();
    let last = factors.len().saturating_sub(1);
    let level = |(at, factor): (usize, &usize)| LevelConfig {
        width: base.saturating_mul(*factor),
        encoder_attention: attended.contains(&halved(at)),
        decoder_attention: attended.contains(&halved(last).checked_shl((last - at) as u32).unwrap_or_default()),
    };
    let config = VqConfig {
        channels: document.size(&dd("in_channels"))?,
        out_channels: document.size(&dd("out_ch"))?,
        image_size: whole_patches(resolution, factors.len()),
        stem_width: base,
        blocks: document.size(&dd("num_res_blocks"))?,
        middle_attention: true,
        norm_groups: GROUPS,
        latent_channels: document.size(&dd("z_channels"))?,
        quantiser: QuantiserConfig::Codebook {
            entries: document.size("model.params.n_embed")?,
            dim: document.size("model.params.embed_dim")?,
        },
        levels: factors.iter().enumerate().map(level).collect(),
    };
    config.validate().map_err(|error| document.in_its_words(error, their_key))?;
    Ok(config)
}

fn check_support(document: &Document) -> Result<(), ImageError> {
    let target = document.text("model.target")?;
    if !TARGETS.iter().any(|name| target.rsplit('.').next() == Some(name)) {
        return Err(document.unsupported("model.target", format!("a class {}", TARGETS.join(", "))));
    }
    if document.get("model.params.remap").is_some() {
        return Err(document.unsupported("model.params.remap", "no such key"));
    }
    document.only_keys(DDCONFIG, &DDCONFIG_KEYS)?;
    // Where it is absent, their default is a latent of two halves.
    let double_z = format!("{DDCONFIG}.double_z");
    if document.get(&double_z) != Some(&Value::Bool(false)) {
        return Err(document.unsupported(&double_z, "false"));
    }
    let fixed = [
        ("resamp_with_conv", json!(true)),
        ("attn_type", json!("vanilla")),
        ("use_linear_attn", json!(false)),
        ("give_pre_end", json!(false)),
        ("tanh_out", json!(false)),
    ];
    fixed.iter().try_for_each(|(key, value)| document.only_value(&format!("{DDCONFIG}.{key}"), value))
}

fn their_key(ours: &str) -> String {
    let key = match ours {
        "channels" => "in_channels",
        "out_channels" => "out_ch",
        "image_size" => "resolution",
        "stem_width" => "ch",
        "blocks" => "num_res_blocks",
        "latent_channels" => "z_channels",
        // No key of theirs, but the argument of their normalisations.
        "norm_groups" => return "num_groups".to_owned(),
        "quantiser.entries" => return "model.params.n_embed".to_owned(),
        "quantiser.dim" => return "model.params.embed_dim".to_owned(),
        key if key.starts_with("levels") => "ch_mult",
        other => other,
    };
    format!("{DDCONFIG}.{key}")
}
