//! Tensors of a checkpoint, described by its pickle as windows of storages.

use std::io::BufRead;

use burn::tensor::{DType, Shape};

use super::machine::Machine;
use super::value::{Object, Value};

/// Numbers that lie one after the other in a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Storage {
    /// Its name in the file.
    pub key: String,
    /// The number type, if the storage states it.
    dtype: Option<DType>,
    /// How many numbers there are.
    pub count: u64,
    /// The first of them that counts: older files have storages within storages.
    offset: u64,
}

/// A tensor: a window of a storage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Strided {
    pub key: String,
    pub dtype: DType,
    pub shape: Vec<usize>,
    strides: Vec<usize>,
    /// Its first number.
    offset: u64,
}

impl Storage {
    /// The storage of a persistent id: `("storage", class, key, device, count)`, perhaps with a view behind.
    pub fn named<R: BufRead>(machine: &Machine<R>, id: Value) -> Option<Self> {
        let [kind, class, key, _, Value::Whole(count), view @ ..] = machine.row(id)? else { return None };
        let Some(Object::Name(class)) = machine.object(*class) else { return None };
        if machine.text(*kind) != Some("storage") {
            return None;
        }
        let key = match key {
            Value::Whole(key) => key.to_string(),
            key => machine.text(*key)?.to_owned(),
        };
        let dtype = of_class(class.rsplit('.').next()?);
        let offset = match view.first().and_then(|&view| machine.row(view)) {
            Some([_, Value::Whole(offset), ..]) => u64::try_from(*offset).ok()?,
            _ => 0,
        };
        Some(Self { key, dtype, count: u64::try_from(*count).ok()?, offset })
    }

    /// How many bytes it takes.
    pub fn bytes(&self) -> Option<u64> {
        self.count.checked_mul(self.dtype.map_or(1, |dtype| dtype.size()) as u64)
    }
}

/// The numbers that a class of storages holds; none where they are bytes without a kind.
fn of_class(class: &str) -> Option<DType> {
    Some(match class {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "LongStorage" => DType::I64,
        "IntStorage" => DType::I32,
        "ShortStorage" => DType::I16,
        "CharStorage" => DType::I8,
        "ByteStorage" | "BoolStorage" => DType::U8,
        _ => return None,
    })
}

fn of_name(name: &str) -> Option<DType> {
    Some(match name.strip_prefix("torch.")? {
        "float32" | "float" => DType::F32,
        "float64" | "double" => DType::F64,
        "float16" | "half" => DType::F16,
        "bfloat16" => DType::BF16,
        "int64" | "long" => DType::I64,
        "int32" | "int" => DType::I32,
        _ => return None,
    })
}

impl Strided {
    /// The tensor that a call rebuilds; none where it is another function, or its arguments are not those of a dense tensor.
    pub fn rebuilt<R: BufRead>(machine: &Machine<R>, function: &str, arguments: &[Value]) -> Option<Self> {
        let (typed, [storage, Value::Whole(offset), shape, strides, rest @ ..]) = (
            match function {
                "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2" => true,
                "torch._utils._rebuild_tensor_v3" => false,
                _ => return None,
            },
            arguments,
        ) else {
            return None;
        };
        let Some(Object::Storage(storage)) = machine.object(*storage) else { return None };
        let dtype = match (typed, rest) {
            (true, _) => storage.dtype?,
            (false, [_, _, dtype, ..]) => match machine.object(*dtype) {
                Some(Object::Name(name)) => of_name(name)?,
                _ => return None,
            },
            _ => return None,
        };
        let sizes = |value: Value| -> Option<Vec<usize>> {
            let size = |value: &Value| match value {
                Value::Whole(size) => usize::try_from(*size).ok(),
                _ => None,
            };
            machine.row(value)?.iter().map(size).collect()
        };
        let (shape, strides) = (sizes(*shape)?, sizes(*strides)?);
        let offset = u64::try_from(*offset).ok()?.checked_add(storage.offset)?;
        // What could not be counted could not be read either.
        shape.iter().try_fold(dtype.size(), |bytes, &length| bytes.checked_mul(length))?;
        (shape.len() == strides.len()).then(|| Self { key: storage.key.clone(), dtype, shape, strides, offset })
    }

    pub fn shape(&self) -> Shape {
        Shape::from(self.shape.clone())
    }

    /// The bytes of the storage that it reaches into: their first, and how many they are.
    pub fn window(&self) -> Option<(u64, u64)> {
        let size = self.dtype.size() as u64;
        let mut reach = u64::from(!self.shape.contains(&0));
        for (&length, &stride) in self.shape.iter().zip(&self.strides) {
            let steps = (length as u64).saturating_sub(1);
            reach = reach.checked_add(steps.checked_mul(stride as u64)?)?;
        }
        let reach = if self.shape.contains(&0) { 0 } else { reach };
        Some((self.offset.checked_mul(size)?, reach.checked_mul(size)?))
    }

    /// Its numbers row by row, of the bytes of its window.
    pub fn gathered(&self, window: Vec<u8>) -> Vec<u8> {
        let (size, count) = (self.dtype.size(), self.shape.iter().product::<usize>());
        let mut expected = 1;
        let dense = self.shape.iter().zip(&self.strides).rev().all(|(&length, &stride)| {
            let fits = length == 1 || stride == expected;
            expected *= length;
            fits
        });
        if dense {
            return window;
        }
        let mut bytes = Vec::with_capacity(count * size);
        let mut index = vec![0; self.shape.len()];
        for _ in 0..count {
            let place: usize = index.iter().zip(&self.strides).map(|(index, stride)| index * stride).sum();
            bytes.extend_from_slice(&window[place * size..][..size]);
            for (index, &length) in index.iter_mut().zip(&self.shape).rev() {
                *index += 1;
                if *index < length {
                    break;
                }
                *index = 0;
            }
        }
        bytes
    }
}
