//! A text column of Parquet files.

use std::fs::File;
use std::io::{Seek, SeekFrom};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::Passage;
use super::source::{Compression, Source};
use crate::TextError;

/// Rows decoded at a time.
const ROWS: usize = 256;

/// Reads the strings of `column`, row by row; rows without one (null) are passed over.
pub(super) fn read(
    source: &Source,
    column: &str,
) -> Result<impl Iterator<Item = Result<Passage, TextError>> + Send + use<>, TextError> {
    let path = source.path.clone();
    let failed = move |source: ParquetError| TextError::Parquet { path: path.clone(), source };
    let builder = ParquetRecordBatchReaderBuilder::try_new(seekable(source)?).map_err(&failed)?;
    let fields = builder.schema().fields();
    let index = fields
        .iter()
        .position(|field| {
            field.name() == column
                && matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        })
        .ok_or_else(|| TextError::Column {
            path: source.path.clone(),
            place: String::new(),
            column: column.to_owned(),
            found: fields.iter().map(|f| format!("{} ({})", f.name(), f.data_type())).collect::<Vec<_>>().join(", "),
        })?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), [index]);
    let mut batches = builder.with_projection(mask).with_batch_size(ROWS).build().map_err(&failed)?;
    let mut rows = Vec::new().into_iter();
    let mut next = move || -> Result<Option<Passage>, TextError> {
        loop {
            if let Some(text) = rows.next() {
                return Ok(Some(Passage { text, continues: false }));
            }
            let Some(batch) = batches.next() else { return Ok(None) };
            let batch = batch.map_err(|e| failed(e.into()))?;
            rows = strings(batch.column(0)).into_iter();
        }
    };
    Ok(std::iter::from_fn(move || next().transpose()))
}

/// The strings of a text array, of whichever layout.
fn strings(array: &ArrayRef) -> Vec<String> {
    match array.data_type() {
        DataType::LargeUtf8 => array.as_string::<i64>().iter().flatten().map(str::to_owned).collect(),
        DataType::Utf8View => array.as_string_view().iter().flatten().map(str::to_owned).collect(),
        _ => array.as_string::<i32>().iter().flatten().map(str::to_owned).collect(),
    }
}

/// Parquet is read from its end: a compressed file is unpacked into an unnamed temporary file first.
fn seekable(source: &Source) -> Result<File, TextError> {
    if source.compression == Compression::None {
        return source.file();
    }
    let mut unpacked = tempfile::tempfile().map_err(TextError::io("make a temporary file for", &source.path))?;
    std::io::copy(&mut source.bytes()?, &mut unpacked).map_err(TextError::io(source.action(), &source.path))?;
    unpacked.seek(SeekFrom::Start(0)).map_err(TextError::io("rewind the unpacked", &source.path))?;
    Ok(unpacked)
}
