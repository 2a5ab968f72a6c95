//! N-grams as bytes.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};

use crate::Ngram;
use crate::counts::{ARRAYS, Counts};

/// The entry of the metadata that lists orders and vocabularies.
const SIZES: &str = "ngrams";

/// Errors of reading n-grams.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Not a safetensors file.
    #[error("not a safetensors file: {0}")]
    Format(#[from] SafeTensorError),
    /// An entry is missing or inconsistent.
    #[error("`{name}` is missing, has another shape, or does not match the rest of the n-gram")]
    Content {
        /// The tensor or number.
        name: String,
    },
}

/// Writes n-grams as a safetensors file: counts as unsigned integers, orders and vocabulary as metadata. [`from_bytes`]
/// reads it.
///
/// # Errors
/// If the counts are too large for one file.
pub fn to_bytes(ngrams: &[&Ngram]) -> Result<Vec<u8>, FileError> {
    // One entry: several would be written in another order every time.
    let sizes: Vec<String> = ngrams.iter().map(|ngram| format!("{} {}", ngram.order, ngram.vocab)).collect();
    let metadata = HashMap::from([(SIZES.to_owned(), sizes.join(","))]);
    let mut bytes = Vec::new();
    for (number, ngram) in ngrams.iter().enumerate() {
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

/// Reads the n-grams of [`to_bytes`].
///
/// # Errors
/// [`FileError`] when the bytes are damaged or not n-grams.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<Ngram>, FileError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let tensors = SafeTensors::deserialize(bytes)?;
    let sizes = header.metadata().as_ref().and_then(|metadata| metadata.get(SIZES));
    let sizes = sizes.ok_or_else(|| FileError::Content { name: SIZES.into() })?;
    let array = |name: &str| -> Result<Vec<u32>, FileError> {
        let wrong = || FileError::Content { name: name.into() };
        let tensor = tensors.tensor(name).map_err(|_| wrong())?;
        let words = tensor.data().as_chunks::<4>();
        match tensor.dtype() == Dtype::U32 && words.1.is_empty() {
            true => Ok(words.0.iter().map(|word| u32::from_le_bytes(*word)).collect()),
            false => Err(wrong()),
        }
    };
    let read = |(at, size): (usize, &str)| -> Result<Ngram, FileError> {
        let numbers = size.split_once(' ').and_then(|(order, vocab)| Some((order.parse().ok()?, vocab.parse().ok()?)));
        let (order, vocab): (usize, usize) = numbers.ok_or_else(|| FileError::Content { name: SIZES.into() })?;
        let mut arrays = Vec::with_capacity(ARRAYS.len());
        for name in ARRAYS {
            arrays.push(array(&format!("{at}.{name}"))?);
        }
        let counts = Counts::of_arrays(arrays, vocab);
        let counts = counts.map_err(|name| FileError::Content { name: format!("{at}.{name}") })?;
        Ok(Ngram { vocab, order, counts })
    };
    sizes.split(',').enumerate().map(read).collect()
}
