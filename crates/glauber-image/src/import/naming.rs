//! Names of the autoencoder's layers in other projects.

/// The names of one project.
pub(crate) struct Naming {
    /// The list of levels, in encoder and decoder.
    levels: [&'static str; 2],
    block: &'static str,
    attention: &'static str,
    /// The change of resolution, in encoder and decoder.
    resample: [&'static str; 2],
    /// First block, attention and second block of the middle.
    middle: [&'static str; 3],
    shortcut: &'static str,
    /// Norm, query, key, value and output of attention.
    parts: [&'static str; 5],
    norm_out: &'static str,
    /// Whether the decoder's levels are counted from the lowest resolution.
    decoder_rises: bool,
}

/// taming-transformers, and CompVis' latent diffusion after it.
pub(crate) const TAMING: Naming = Naming {
    levels: ["down", "up"],
    block: "block",
    attention: "attn",
    resample: ["downsample.conv", "upsample.conv"],
    middle: ["mid.block_1", "mid.attn_1", "mid.block_2"],
    shortcut: "nin_shortcut",
    parts: ["norm", "q", "k", "v", "proj_out"],
    norm_out: "norm_out",
    decoder_rises: false,
};

/// diffusers.
pub(crate) const DIFFUSERS: Naming = Naming {
    levels: ["down_blocks", "up_blocks"],
    block: "resnets",
    attention: "attentions",
    resample: ["downsamplers.0.conv", "upsamplers.0.conv"],
    middle: ["mid_block.resnets.0", "mid_block.attentions.0", "mid_block.resnets.1"],
    shortcut: "conv_shortcut",
    parts: ["group_norm", "to_q", "to_k", "to_v", "to_out.0"],
    norm_out: "conv_norm_out",
    decoder_rises: true,
};

/// diffusers, as its files called the parts of attention before 2023.
pub(crate) const DIFFUSERS_OLD: Naming =
    Naming { parts: ["group_norm", "query", "key", "value", "proj_attn"], ..DIFFUSERS };

/// What the names of an autoencoder's tensors begin with in both projects.
pub(crate) const AUTOENCODER: [&str; 5] = ["encoder.", "decoder.", "quantize.", "quant_conv.", "post_quant_conv."];

impl Naming {
    /// The project's name of our tensor, in a model with `levels` levels.
    pub fn key(&self, path: &str, levels: usize) -> String {
        let parts: Vec<&str> = path.split('.').collect();
        let Some((&last, module)) = parts.split_last() else {
            return path.to_owned();
        };
        let last = match last {
            "gamma" => "weight",
            "beta" => "bias",
            other => other,
        };
        let module = match module {
            ["quantiser"] => return "quantize.embedding.weight".to_owned(),
            ["before_quantiser"] => "quant_conv".to_owned(),
            ["after_quantiser"] => "post_quant_conv".to_owned(),
            [side @ ("encoder" | "decoder"), rest @ ..] => {
                let decoder = usize::from(*side == "decoder");
                format!("{side}.{}", self.coder(rest, decoder, levels))
            }
            other => other.join("."),
        };
        format!("{module}.{last}")
    }

    fn coder(&self, path: &[&str], decoder: usize, levels: usize) -> String {
        match path {
            ["norm_out"] => self.norm_out.to_owned(),
            ["middle", "first", layer] => format!("{}.{}", self.middle[0], self.layer(layer)),
            ["middle", "attention", part] => format!("{}.{}", self.middle[1], self.part(part)),
            ["middle", "second", layer] => format!("{}.{}", self.middle[2], self.layer(layer)),
            ["levels", level, rest @ ..] => {
                let level: usize = level.parse().unwrap_or_default();
                let level = if decoder == 1 && self.decoder_rises { levels - 1 - level } else { level };
                format!("{}.{level}.{}", self.levels[decoder], self.level(rest, decoder))
            }
            other => other.join("."),
        }
    }

    fn level(&self, path: &[&str], decoder: usize) -> String {
        match path {
            ["blocks", at, layer] => format!("{}.{at}.{}", self.block, self.layer(layer)),
            ["attentions", at, part] => format!("{}.{at}.{}", self.attention, self.part(part)),
            _ => self.resample[decoder].to_owned(),
        }
    }

    fn layer<'a>(&self, layer: &'a str) -> &'a str {
        match layer {
            "norm_1" => "norm1",
            "conv_1" => "conv1",
            "norm_2" => "norm2",
            "conv_2" => "conv2",
            "shortcut" => self.shortcut,
            other => other,
        }
    }

    fn part<'a>(&self, part: &'a str) -> &'a str {
        match part {
            "norm" => self.parts[0],
            "query" => self.parts[1],
            "key" => self.parts[2],
            "value" => self.parts[3],
            "output" => self.parts[4],
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_projects() {
        let cases = [
            (
                "encoder.levels.1.blocks.0.shortcut.weight",
                "encoder.down.1.block.0.nin_shortcut.weight",
                "encoder.down_blocks.1.resnets.0.conv_shortcut.weight",
            ),
            (
                "decoder.levels.2.attentions.1.norm.gamma",
                "decoder.up.2.attn.1.norm.weight",
                "decoder.up_blocks.0.attentions.1.group_norm.weight",
            ),
            (
                "decoder.levels.1.resample.bias",
                "decoder.up.1.upsample.conv.bias",
                "decoder.up_blocks.1.upsamplers.0.conv.bias",
            ),
            (
                "encoder.middle.attention.output.weight",
                "encoder.mid.attn_1.proj_out.weight",
                "encoder.mid_block.attentions.0.to_out.0.weight",
            ),
            ("decoder.norm_out.beta", "decoder.norm_out.bias", "decoder.conv_norm_out.bias"),
            ("decoder.conv_in.weight", "decoder.conv_in.weight", "decoder.conv_in.weight"),
            ("after_quantiser.bias", "post_quant_conv.bias", "post_quant_conv.bias"),
            ("quantiser.table", "quantize.embedding.weight", "quantize.embedding.weight"),
        ];
        for (ours, taming, diffusers) in cases {
            assert_eq!(TAMING.key(ours, 3), taming);
            assert_eq!(DIFFUSERS.key(ours, 3), diffusers);
        }
        let old = DIFFUSERS_OLD.key("decoder.middle.attention.query.weight", 3);
        assert_eq!(old, "decoder.mid_block.attentions.0.query.weight");
    }
}
