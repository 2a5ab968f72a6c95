//! Numbers that come from files.

use burn::tensor::{Bytes, DType, TensorData};

/// The numbers of a tensor as f32, the type that networks compute in, if all are finite.
///
/// ```
/// use burn::tensor::TensorData;
///
/// assert_eq!(glauber_fused::finite("bias", TensorData::from([0.5f64, 2.0])), Ok(vec![0.5, 2.0]));
/// let error = glauber_fused::finite("bias", TensorData::from([0.5f64, 1e300])).unwrap_err();
/// assert_eq!(error, "tensor `bias` holds inf, expected finite numbers of 32 bits");
/// ```
///
/// # Errors
/// A sentence that names the tensor and its first number that is NaN, infinite, or too large for f32.
pub fn finite(name: &str, data: TensorData) -> Result<Vec<f32>, String> {
    let numbers = if data.dtype() == DType::F32 {
        // In a file they may lie at any place, not only at multiples of four bytes.
        data.as_bytes().as_chunks().0.iter().map(|bytes| f32::from_ne_bytes(*bytes)).collect()
    } else {
        let bytes = Bytes::from_bytes_vec(data.as_bytes().to_vec());
        let copied = TensorData::from_bytes(bytes, data.shape().clone(), data.dtype());
        copied.try_into_vec_as::<f32>().map_err(|error| format!("tensor `{name}`: {error:?}"))?
    };
    match numbers.iter().find(|number| !number.is_finite()) {
        Some(number) => Err(format!("tensor `{name}` holds {number}, expected finite numbers of 32 bits")),
        None => Ok(numbers),
    }
}
