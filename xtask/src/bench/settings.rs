//! What PyTorch can be asked for to be fast.

use clap::ValueEnum;

/// A way to run the same step in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Setting {
    /// As written, f32
    Eager,
    /// `torch.autocast` in bfloat16
    Bf16,
    /// `torch.compile`, f32
    Compile,
    /// `torch.compile` under `torch.autocast`
    Both,
}

impl Setting {
    /// Its name in a table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Eager => "eager",
            Self::Bf16 => "bf16 autocast",
            Self::Compile => "`torch.compile`",
            Self::Both => "both",
        }
    }

    /// Flags of `yardstick.py`.
    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Eager => &[],
            Self::Bf16 => &["--autocast"],
            Self::Compile => &["--compile"],
            Self::Both => &["--autocast", "--compile"],
        }
    }

    /// Whether the network runs in bfloat16.
    pub fn is_bf16(self) -> bool {
        matches!(self, Self::Bf16 | Self::Both)
    }
}
