//! Autoencoders small enough to train in a test.

use glauber_image::{LevelConfig, QuantiserConfig, VqConfig};

/// Rows and columns of the images.
pub const SIZE: usize = 16;

/// Grey images of 16 × 16 as grids of 8 × 8.
pub fn sizes(quantiser: QuantiserConfig) -> VqConfig {
    let level = |width| LevelConfig { width, encoder_attention: false, decoder_attention: false };
    VqConfig {
        channels: 1,
        out_channels: 1,
        image_size: SIZE,
        stem_width: 8,
        blocks: 1,
        middle_attention: true,
        norm_groups: 4,
        latent_channels: 8,
        quantiser,
        levels: vec![level(8), level(16)],
    }
}
