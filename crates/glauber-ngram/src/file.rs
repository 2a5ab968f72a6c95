//! N-grams as bytes.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};

use crate::Ngram;
use crate::counts::{ARRAYS, Counts};

/// Why bytes are no n-grams.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// They are no safetensors file.
    #[error("not a safetensors file: {0}")]
    Format(#[from] SafeTensorError),
    /// Something is missing, or does not fit to the rest.
    #[error("`{name}` is missing, of another shape, or does not fit to the rest of the n-gram")]
    Content {
        /// The tensor or the number.
        name: String,
    },
}

/// Some n-grams as a safetensors file: their counts as unsigned integers, orders and vocabulary in
/// its metadata. [`from_bytes`] reads it.
///
/// # Errors
/// When there is too much of it for one file.
pub fn to_bytes(ngrams: &[&Ngram]) -> Result<Vec<u8>, FileError> {
    let mut metadata = HashMap::from([("ngrams".to_owned(), ngrams.len().to_string())]);
    let mut bytes = Vec::new();
    for (number, ngram) in ngrams.iter().enumerate() {
        metadata.insert(format!("{number}.order"), ngram.order().to_string());
        metadata.insert(format!("{number}.vocab"), ngram.vocab.to_string());
        for (name, array) in ARRAYS.iter().zip(ngram.counts.arrays()) {
            let array: Vec<u8> = array.iter().flat_map(|value| value.to_le_bytes()).collect();
            bytes.push((format!("{number}.{name}"), array));
        }
    }
    let view = |(name, bytes)| {
        let bytes: &Vec<u8> = bytes;
        Ok((name, TensorView::new(Dtype::U32, vec![bytes.len() / 4], bytes)?))
    };
    let views = bytes.iter().map(|(name, bytes)| view((name, bytes))).collect::<Result<Vec<_>, SafeTensorError>>()?;
    Ok(safetensors::serialize(views, Some(metadata))?)
}

/// The n-grams of [`to_bytes`], as they were.
///
/// # Errors
/// [`FileError`] when the bytes are damaged, or of something else.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<Ngram>, FileError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let tensors = SafeTensors::deserialize(bytes)?;
    let number = |name: &str| -> Result<usize, FileError> {
        let text = header.metadata().as_ref().and_then(|metadata| metadata.get(name));
        text.and_then(|text| text.parse().ok()).ok_or_else(|| FileError::Content { name: name.into() })
    };
    let array = |name: &str| -> Result<Vec<u32>, FileError> {
        let wrong = || FileError::Content { name: name.into() };
        let tensor = tensors.tensor(name).map_err(|_| wrong())?;
        let words = tensor.data().as_chunks::<4>();
        match tensor.dtype() == Dtype::U32 && words.1.is_empty() {
            true => Ok(words.0.iter().map(|word| u32::from_le_bytes(*word)).collect()),
            false => Err(wrong()),
        }
    };
    let read = |at: usize| -> Result<Ngram, FileError> {
        let (order, vocab) = (number(&format!("{at}.order"))?, number(&format!("{at}.vocab"))?);
        let mut arrays = Vec::with_capacity(ARRAYS.len());
        for name in ARRAYS {
            arrays.push(array(&format!("{at}.{name}"))?);
        }
        let counts = Counts::of_arrays(arrays, vocab);
        let counts = counts.map_err(|name| FileError::Content { name: format!("{at}.{name}") })?;
        Ok(Ngram { vocab, order, counts })
    };
    let count = number("ngrams")?;
    if count > tensors.len() {
        return Err(FileError::Content { name: "ngrams".into() });
    }
    (0..count).map(read).collect()
}
