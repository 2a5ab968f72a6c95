//! A text column of Parquet files.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field, Fields, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use super::source::{Compression, Source};
use super::{Passage, listed};
use crate::TextError;

/// Rows per batch.
const ROWS: usize = 256;

/// Reads the strings of `column`, row by row; skips null. Dots select fields of structures.
pub(super) fn read(
    source: &Source,
    column: &str,
) -> Result<impl Iterator<Item = Result<Option<Passage>, TextError>> + Send + use<>, TextError> {
    let path = source.path.clone();
    let failed = move |source: ParquetError| TextError::Parquet { path: path.clone(), source };
    let file = seekable(source)?;
    // What the file itself says of its columns, not the layouts that the writer had in memory: dictionaries are strings.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let stored = ArrowReaderMetadata::load(&file, options).map_err(&failed)?;
    let fields = stored.schema().fields();
    let columns = stored.parquet_schema();
    let text = columns.columns().iter().enumerate().find_map(|(index, leaf)| {
        let place = (leaf.path().string() == column).then(|| leaf.path().parts())?;
        Some((index, with_text(fields, place)?))
    });
    let (index, fields) = text.ok_or_else(|| TextError::Column {
        path: source.path.clone(),
        place: String::new(),
        column: column.to_owned(),
        found: listed(fields.iter().map(|f| format!("{} ({})", f.name(), f.data_type()))),
    })?;
    let count = columns.columns().iter().filter(|leaf| leaf.path().string() == column).count();
    if count > 1 {
        return Err(failed(ParquetError::General(format!(
            "{count} columns are named \"{column}\"; rename all but one"
        ))));
    }
    let mask = ProjectionMask::leaves(columns, [index]);
    let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
    let metadata = ArrowReaderMetadata::try_new(stored.metadata().clone(), options).map_err(&failed)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    let mut batches = builder.with_projection(mask).with_batch_size(ROWS).build().map_err(&failed)?;
    let (path, column) = (source.path.clone(), column.to_owned());
    let (mut rows, mut count) = (Vec::new().into_iter(), 0u64);
    let mut next = move || -> Result<Option<Option<Passage>>, TextError> {
        loop {
            if let Some(row) = rows.next() {
                count += 1;
                let text = Option::map(row, String::from_utf8).transpose().map_err(|_| TextError::NotAString {
                    path: path.clone(),
                    place: format!(", row {count}"),
                    column: column.clone(),
                    found: "bytes that are not UTF-8",
                })?;
                return Ok(Some(text.map(|text| Passage { text, continues: false })));
            }
            let Some(batch) = batches.next() else { return Ok(None) };
            let batch = batch.map_err(|e| failed(e.into()))?;
            rows = strings(batch.column(0)).into_iter();
        }
    };
    Ok(std::iter::from_fn(move || next().transpose()))
}

/// The fields with long offsets at a column of text, or of bytes that may be text; `None` for other types.
fn with_text(fields: &Fields, place: &[String]) -> Option<Fields> {
    let (name, below) = place.split_first()?;
    let at = fields.iter().position(|field| field.name() == name)?;
    let kind = match fields[at].data_type() {
        DataType::Utf8 if below.is_empty() => DataType::LargeUtf8,
        DataType::Binary if below.is_empty() => DataType::LargeBinary,
        DataType::Struct(inner) => DataType::Struct(with_text(inner, below)?),
        _ => return None,
    };
    let changed = |(index, field): (usize, &Arc<Field>)| match index == at {
        true => Arc::new(field.as_ref().clone().with_data_type(kind.clone())),
        false => field.clone(),
    };
    Some(fields.iter().enumerate().map(changed).collect())
}

/// The bytes of a text array, or of one that is the only field of structures.
fn strings(array: &ArrayRef) -> Vec<Option<Vec<u8>>> {
    match array.data_type() {
        DataType::Struct(_) => {
            let inner = strings(array.as_struct().column(0)).into_iter().enumerate();
            inner.map(|(row, text)| text.filter(|_| array.is_valid(row))).collect()
        }
        DataType::LargeBinary => array.as_binary::<i64>().iter().map(|bytes| bytes.map(<[u8]>::to_vec)).collect(),
        _ => array.as_string::<i64>().iter().map(|text| text.map(|text| text.as_bytes().to_vec())).collect(),
    }
}

/// Parquet is read from its end, so a compressed file is first unpacked to an unnamed temporary file.
fn seekable(source: &Source) -> Result<File, TextError> {
    if source.compression == Compression::None {
        return source.file();
    }
    let mut unpacked = tempfile::tempfile().map_err(TextError::io("make a temporary file for", &source.path))?;
    std::io::copy(&mut source.bytes()?, &mut unpacked).map_err(source.failed())?;
    unpacked.seek(SeekFrom::Start(0)).map_err(TextError::io("rewind the unpacked", &source.path))?;
    Ok(unpacked)
}
