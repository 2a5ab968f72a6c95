//! Fingerprints of tokenizers.

use burn_store::{ModuleStore, SafetensorsStore};

use crate::{ImageError, VqModel};

impl VqModel {
    /// A blake3 hash of sizes and weights, in hexadecimal digits: equal for equal models on any device, before and
    /// after [`save`](Self::save).
    ///
    /// # Errors
    /// [`ImageError::Setting`] when the weights cannot be read from their device.
    pub fn fingerprint(&self) -> Result<String, ImageError> {
        let unreadable =
            |error: String| ImageError::setting("weights", error, "weights that can be copied from their device");
        let mut store = SafetensorsStore::from_bytes(None).skip_enum_variants(true).clear_metadata();
        store.collect_from(&self.network).map_err(|error| unreadable(error.to_string()))?;
        let weights = store.get_bytes().map_err(|error| unreadable(error.to_string()))?;
        let sizes = toml::to_string(self.config()).map_err(|error| unreadable(error.to_string()))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(sizes.len() as u64).to_le_bytes()).update(sizes.as_bytes()).update(&weights);
        Ok(hasher.finalize().to_hex().to_string())
    }
}
