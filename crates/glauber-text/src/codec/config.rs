//! Configuration of the vocabulary.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Configuration of a vocabulary: `kind = "bytes"`, `"characters"`, `"bpe"`, `"file"` or `"gpt2"`.
///
/// ```
/// use glauber_text::TokenizerConfig;
///
/// let config: TokenizerConfig = serde_json::from_str(r#"{ "kind": "bpe", "vocab_size": 1024 }"#)?;
/// assert_eq!(config, TokenizerConfig::Bpe { vocab_size: 1024 });
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TokenizerConfig {
    /// One token per byte, for any text.
    Bytes {},
    /// One token per character of the corpus, in the order of code points.
    Characters {
        /// Keep only this many characters, the most frequent. All others become one unknown token, which decodes to
        /// U+FFFD. Without it all characters of the corpus are kept, and any other is an error.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_characters: Option<usize>,
    },
    /// Byte-level byte-pair encoding trained on the corpus, for any text.
    Bpe {
        /// Maximal size of the vocabulary, with the end of text and without a mask; at least 257. A small corpus may
        /// give fewer tokens: pairs seen once are not merged.
        vocab_size: usize,
    },
    /// A `tokenizer.json`.
    File {
        /// The file.
        path: PathBuf,
    },
    /// GPT-2's two files.
    Gpt2 {
        /// `vocab.json`.
        vocab: PathBuf,
        /// `merges.txt`.
        merges: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_refused_in_every_kind() {
        for config in [
            r#"{ "kind": "bytes", "size": 1 }"#,
            r#"{ "kind": "characters", "size": 1 }"#,
            r#"{ "kind": "bpe", "vocab_size": 1, "size": 1 }"#,
            r#"{ "kind": "file", "path": "a", "size": 1 }"#,
        ] {
            let error = serde_json::from_str::<TokenizerConfig>(config).unwrap_err().to_string();
            assert!(error.contains("unknown field `size`"), "{config}: {error}");
        }
        assert_eq!(
            serde_json::from_str::<TokenizerConfig>(r#"{ "kind": "bytes" }"#).unwrap(),
            TokenizerConfig::Bytes {}
        );
    }
}
