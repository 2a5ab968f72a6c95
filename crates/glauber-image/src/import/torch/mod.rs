//! PyTorch checkpoints: the tensors of their `state_dict`.
//!
//! A file is a zip archive (PyTorch 1.6 and later) or a row of pickles with the storages behind them (before). Its pickle is read by a
//! [`Machine`] of our own: checkpoints of Lightning hold callbacks, settings and states of optimisers of any class.

mod input;
mod machine;
mod tensor;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{Bytes, TensorData};
use burn_store::bridge;
use burn_store::burn_pack::{Error as PackError, Tensor as StoredTensor};
use zip::{ZipArchive, ZipReadOptions};

use crate::ImageError;

use machine::Machine;
use tensor::{Storage, Strided};
use value::{Object, Value};

/// The key of the tensors in a checkpoint of Lightning.
const STATE: &str = "state_dict";
/// Bytes of the pickle in an archive at most.
const MOST_BYTES: u64 = 256 << 20;
/// The magic number in the first pickle of a file before PyTorch 1.6, as bytes or text.
const MAGIC: [&[u8]; 2] = [&[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19], b"119547037146038801333356"];
const HINT: &str = "expected a checkpoint that PyTorch wrote, with the tensors under `state_dict`";
/// Keys that are named when the one that is needed is missing.
const NAMED: usize = 8;

/// Where the bytes of storages are.
enum Container {
    Archive {
        archive: Mutex<ZipArchive<BufReader<File>>>,
        root: String,
    },
    /// Storages by their keys: the place of their first byte.
    Row {
        file: Mutex<File>,
        places: BTreeMap<String, (u64, u64)>,
    },
}

/// The tensors of a checkpoint by their names: those under `state_dict`, or those of the file itself where it has no
/// such entry. Their numbers are read on demand.
pub(super) fn tensors(path: &Path) -> Result<BTreeMap<String, StoredTensor>, ImageError> {
    let malformed = |found: String| ImageError::malformed(path, found, HINT);
    let mut file = File::open(path).map_err(ImageError::io(path))?;
    let mut start = Vec::new();
    file.by_ref().take(64).read_to_end(&mut start).map_err(ImageError::io(path))?;
    file.rewind().map_err(ImageError::io(path))?;
    let holds = |magic: &[u8]| start.windows(magic.len()).any(|window| window == magic);
    if start.starts_with(b"PK") {
        let (pickle, container) = archive(file).map_err(malformed)?;
        let mut machine = Machine::new(Cursor::new(pickle));
        let root = machine.run().map_err(malformed)?;
        placed(&machine, root, container).map_err(malformed)
    } else if MAGIC.into_iter().any(holds) {
        let (machine, root, container) = row(file).map_err(malformed)?;
        placed(&machine, root, container).map_err(malformed)
    } else {
        Err(malformed("neither an archive nor pickles of PyTorch".into()))
    }
}

/// The pickle of an archive.
fn archive(file: File) -> Result<(Vec<u8>, Container), String> {
    let words = |error: zip::result::ZipError| error.to_string();
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(words)?;
    let names = archive.file_names().collect::<Result<Vec<_>, _>>().map_err(words)?;
    let roots = names.iter().filter_map(|name| name.strip_suffix("data.pkl"));
    let root = roots.filter(|root| root.is_empty() || root.ends_with('/')).min_by_key(|root| root.len());
    let root = root.ok_or("an archive without `data.pkl`")?.to_string();
    let order = format!("{root}byteorder");
    if archive.index_for_name(&order).is_some() && read(&mut archive, &order, 0, 16)?.trim_ascii() != b"little" {
        return Err("numbers with their largest byte first".into());
    }
    let pickle = read(&mut archive, &format!("{root}data.pkl"), 0, MOST_BYTES + 1)?;
    if pickle.len() as u64 > MOST_BYTES {
        return Err(format!("a pickle of more than {MOST_BYTES} bytes"));
    }
    Ok((pickle, Container::Archive { archive: Mutex::new(archive), root }))
}

/// Bytes of an entry, fewer where it ends before.
fn read(archive: &mut ZipArchive<BufReader<File>>, name: &str, from: u64, count: u64) -> Result<Vec<u8>, String> {
    let failed = |error: String| format!("`{name}`: {error}");
    let index = archive.index_for_name(name).ok_or_else(|| failed("no such entry".into()))?;
    // PyTorch writes 0 where it leaves the sum out.
    let sum = archive.by_index_raw(index).map_err(|error| failed(error.to_string()))?.crc32();
    let options = ZipReadOptions::new().ignore_crc32(sum == 0);
    let mut entry = archive.by_index_with_options(index, options).map_err(|error| failed(error.to_string()))?;
    let io = |error: std::io::Error| failed(error.to_string());
    std::io::copy(&mut entry.by_ref().take(from), &mut std::io::sink()).map_err(io)?;
    let mut bytes = Vec::new();
    entry.by_ref().take(count).read_to_end(&mut bytes).map_err(io)?;
    // The sum is looked at where the entry ends.
    entry.read(&mut [0]).map_err(io)?;
    Ok(bytes)
}

/// The pickles of a file of before PyTorch 1.6.
fn row(file: File) -> Result<(Machine<BufReader<File>>, Value, Container), String> {
    let mut machine = Machine::new(BufReader::new(file));
    machine.run()?;
    if machine.run()? != Value::Whole(1001) {
        return Err("another version of the format than 1001".into());
    }
    let system = machine.run()?;
    let little = machine.table(system).and_then(|system| system.get("little_endian"));
    if little != Some(&Value::Flag(true)) {
        return Err("numbers with their largest byte first".into());
    }
    let root = machine.run()?;
    let keys = machine.run()?;
    let keys = machine.row(keys).ok_or("storages without a list of their keys")?;
    let keys: Vec<String> = keys.iter().filter_map(|&key| machine.text(key).map(str::to_owned)).collect();
    let storages = machine.storages.clone();
    let mut at = machine.position().map_err(|error| error.to_string())?;
    let mut places = BTreeMap::new();
    for key in keys {
        let storage: &Storage = storages.get(&key).ok_or_else(|| format!("a storage `{key}` of unknown size"))?;
        let bytes = storage.bytes().ok_or_else(|| format!("a storage `{key}` of {} numbers", storage.count))?;
        // The number of numbers comes first.
        at = at.checked_add(8).ok_or("storages larger than any file")?;
        places.insert(key, (at, bytes));
        at = at.checked_add(bytes).ok_or("storages larger than any file")?;
    }
    let file = machine.input().get_ref().try_clone().map_err(|error| error.to_string())?;
    Ok((machine, root, Container::Row { file: Mutex::new(file), places }))
}

/// The tensors of a pickle's content.
fn placed<R: BufRead>(
    machine: &Machine<R>,
    root: Value,
    container: Container,
) -> Result<BTreeMap<String, StoredTensor>, String> {
    let entries = machine.table(root).ok_or("a top-level object that is not a dictionary")?;
    let tensor = |(name, value): (&String, &Value)| match machine.object(*value) {
        Some(Object::Tensor(tensor)) => Some((name.clone(), tensor.clone())),
        _ => None,
    };
    let state = entries.get(STATE).and_then(|&state| machine.table(state));
    let found: BTreeMap<String, Strided> = state.unwrap_or(entries).iter().filter_map(tensor).collect();
    if found.is_empty() {
        let keys: Vec<&str> = entries.keys().take(NAMED).map(String::as_str).collect();
        let more = if entries.len() > NAMED { ", …" } else { "" };
        return Err(match state {
            Some(_) => "no tensor under `state_dict`".into(),
            None => format!("no `state_dict`, but the keys [{}{more}]", keys.join(", ")),
        });
    }
    let container = Arc::new(container);
    let deferred = |(name, tensor): (String, Strided)| {
        let container = Arc::clone(&container);
        let (dtype, shape) = (tensor.dtype, tensor.shape());
        let numbers = move || {
            let bytes = container.numbers(&tensor).map_err(PackError::ValidationError)?;
            Ok(TensorData::from_bytes(Bytes::from_bytes_vec(bytes), tensor.shape(), tensor.dtype))
        };
        (name.clone(), bridge::deferred(name, dtype, shape, None, numbers))
    };
    Ok(found.into_iter().map(deferred).collect())
}

impl Container {
    /// The numbers of a tensor, row by row.
    fn numbers(&self, tensor: &Strided) -> Result<Vec<u8>, String> {
        let key = &tensor.key;
        let (from, count) = tensor.window().ok_or_else(|| format!("a tensor beyond its storage `{key}`"))?;
        let window = match self {
            Self::Archive { archive, root } => {
                let mut archive = archive.lock().unwrap_or_else(PoisonError::into_inner);
                read(&mut archive, &format!("{root}data/{key}"), from, count)?
            }
            Self::Row { file, places } => {
                let &(place, bytes) = places.get(key).ok_or_else(|| format!("no storage `{key}`"))?;
                let within = from.saturating_add(count) <= bytes;
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                let mut window = Vec::new();
                let placed = file.seek(SeekFrom::Start(place.saturating_add(from)));
                placed
                    .and_then(|_| file.by_ref().take(if within { count } else { 0 }).read_to_end(&mut window))
                    .map_err(|error| error.to_string())?;
                window
            }
        };
        if window.len() as u64 == count {
            Ok(tensor.gathered(window))
        } else {
            Err(format!("storage `{key}` ends before its tensor does"))
        }
    }
}
