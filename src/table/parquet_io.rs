//! Tables to Parquet bytes and back, by the `parquet` crate with every property fixed.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{FileMetaData, KeyValue};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use super::{Column, Table, TableError, Values};

const CREATED_BY: &str = "walkforward table 1";
const SCHEMA_KEY: &str = "walkforward.table";
const COLUMNS_KEY: &str = "walkforward.columns";
const FACT_PREFIX: &str = "walkforward.fact.";
const ROW_GROUP_ROWS: usize = 1 << 20;
const PAGE_BYTES: usize = 1 << 20;
const PAGE_ROWS: usize = 20_000;
const BATCH_ROWS: usize = 1024;
const STATISTICS_BYTES: usize = 64;
/// A table that is written piece by piece has smaller groups: one of them is in memory.
const STREAM_GROUP_ROWS: usize = 1 << 17;

impl Table {
    /// Writes the table as Parquet: the same table gives the same bytes.
    ///
    /// # Errors
    /// Columns of unequal length.
    pub fn to_parquet(&self) -> Result<Bytes, TableError> {
        let schema = self.arrow_schema();
        let batch = self.batch(&schema)?;
        let properties = self.properties(ROW_GROUP_ROWS)?;
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new_with_options(&mut bytes, schema, options)?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(bytes.into())
    }

    /// Reads a table back.
    ///
    /// # Errors
    /// The bytes are no Parquet, or hold types that no table of ours has.
    pub fn from_parquet(bytes: Bytes) -> Result<Self, TableError> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
        let pairs = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
        let mut table = Self::head_of_parquet(builder.metadata().file_metadata());
        let schema = Arc::clone(builder.schema());
        let batches: Vec<RecordBatch> = builder.build()?.collect::<Result<_, _>>()?;
        let whole = arrow::compute::concat_batches(&schema, &batches)?;

        let pair = |key: &str| pairs.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.clone());
        let docs: serde_json::Value =
            pair(COLUMNS_KEY).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        for (index, field) in schema.fields().iter().enumerate() {
            let doc = docs.get(field.name()).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
            let values = from_array(field.name(), whole.column(index).as_ref())?;
            table.columns.push(Column { name: field.name().clone(), doc, values });
        }
        Ok(table)
    }

    /// What stands beside the rows of a file: schema and facts.
    pub(super) fn head_of_parquet(about: &FileMetaData) -> Self {
        let pairs = about.key_value_metadata().map_or(&[][..], Vec::as_slice);
        let schema = pairs.iter().find(|pair| pair.key == SCHEMA_KEY).and_then(|pair| pair.value.clone());
        let mut table = Self::new(&schema.unwrap_or_default());
        for KeyValue { key, value } in pairs {
            if let (Some(name), Some(value)) = (key.strip_prefix(FACT_PREFIX), value) {
                table.facts.insert(name.to_owned(), value.clone());
            }
        }
        table
    }

    fn arrow_schema(&self) -> Arc<Schema> {
        let field = |column: &Column| {
            Field::new(&column.name, data_type(&column.values), matches!(column.values, Values::Float(_)))
        };
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    fn batch(&self, schema: &Arc<Schema>) -> Result<RecordBatch, TableError> {
        let arrays = self.columns.iter().map(|column| to_array(&column.values)).collect();
        Ok(RecordBatch::try_new(Arc::clone(schema), arrays)?)
    }

    fn properties(&self, group_rows: usize) -> Result<WriterProperties, TableError> {
        let docs: serde_json::Map<String, serde_json::Value> =
            self.columns.iter().map(|column| (column.name.clone(), column.doc.clone().into())).collect();
        let mut pairs = vec![
            KeyValue::new(SCHEMA_KEY.to_owned(), self.schema.clone()),
            KeyValue::new(COLUMNS_KEY.to_owned(), serde_json::Value::Object(docs).to_string()),
        ];
        pairs.extend(self.facts.iter().map(|(name, fact)| KeyValue::new(format!("{FACT_PREFIX}{name}"), fact.clone())));
        // every property that reaches a byte, also those that are what the library does anyway: its next version may not
        Ok(WriterProperties::builder()
            .set_created_by(CREATED_BY.to_owned())
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_max_row_group_row_count(Some(group_rows))
            .set_max_row_group_bytes(None)
            .set_data_page_size_limit(PAGE_BYTES)
            .set_data_page_row_count_limit(PAGE_ROWS)
            .set_write_batch_size(BATCH_ROWS)
            .set_dictionary_enabled(true)
            .set_dictionary_page_size_limit(PAGE_BYTES)
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_statistics_truncate_length(Some(STATISTICS_BYTES))
            .set_column_index_truncate_length(Some(STATISTICS_BYTES))
            .set_write_page_header_statistics(false)
            .set_offset_index_disabled(false)
            .set_bloom_filter_enabled(false)
            .set_coerce_types(false)
            .set_write_row_group_number_distinct_values(false)
            .set_write_path_in_schema(true)
            .set_content_defined_chunking(None)
            .set_sorting_columns(None)
            .set_key_value_metadata(Some(pairs))
            .build())
    }
}

/// A table that is written piece by piece: the same rows are the same bytes, however they are cut.
pub struct TableWriter<W: Write + Send> {
    schema: Arc<Schema>,
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> TableWriter<W> {
    /// Starts a table with the columns, facts and schema of another one, whose rows do not count.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(like: &Table, into: W) -> Result<Self, TableError> {
        let properties = like.properties(STREAM_GROUP_ROWS)?;
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let schema = like.arrow_schema();
        let writer = ArrowWriter::try_new_with_options(into, Arc::clone(&schema), options)?;
        Ok(Self { schema, writer })
    }

    /// Writes further rows.
    ///
    /// # Errors
    /// Other columns than those of the beginning, or it cannot be written.
    pub fn write(&mut self, rows: &Table) -> Result<(), TableError> {
        Ok(self.writer.write(&rows.batch(&self.schema)?)?)
    }

    /// Ends the table.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<W, TableError> {
        Ok(self.writer.into_inner()?)
    }
}

fn data_type(values: &Values) -> DataType {
    match values {
        Values::Float(_) => DataType::Float64,
        Values::Int(_) => DataType::Int64,
        Values::Text(_) => DataType::Utf8,
        Values::Bool(_) => DataType::Boolean,
        Values::Time(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

fn to_array(values: &Values) -> ArrayRef {
    match values {
        Values::Float(values) => Arc::new(values.iter().map(|&x| (!x.is_nan()).then_some(x)).collect::<Float64Array>()),
        Values::Int(values) => Arc::new(Int64Array::from(values.clone())),
        Values::Text(values) => Arc::new(StringArray::from_iter_values(values)),
        Values::Bool(values) => Arc::new(BooleanArray::from(values.clone())),
        Values::Time(values) => Arc::new(TimestampMicrosecondArray::from(values.clone()).with_timezone("UTC")),
    }
}

pub(super) fn from_array(name: &str, array: &dyn Array) -> Result<Values, TableError> {
    let refuse = |found: String| TableError::Type {
        column: name.to_owned(),
        expected: "numbers, text, true or false, or UTC times in microseconds",
        found,
    };
    if array.null_count() > 0 && array.data_type() != &DataType::Float64 {
        return Err(refuse(format!("{} nulls", array.null_count())));
    }
    let any = array.as_any();
    if let Some(array) = any.downcast_ref::<Float64Array>() {
        Ok(Values::Float(array.iter().map(|value| value.unwrap_or(f64::NAN)).collect()))
    } else if let Some(array) = any.downcast_ref::<Int64Array>() {
        Ok(Values::Int(array.values().to_vec()))
    } else if let Some(array) = any.downcast_ref::<StringArray>() {
        Ok(Values::Text(array.iter().flatten().map(str::to_owned).collect()))
    } else if let Some(array) = any.downcast_ref::<BooleanArray>() {
        Ok(Values::Bool(array.iter().flatten().collect()))
    } else if let Some(array) = any.downcast_ref::<TimestampMicrosecondArray>() {
        Ok(Values::Time(array.values().to_vec()))
    } else {
        Err(refuse(array.data_type().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("signals@1")
            .with("ts", "UTC", Values::Time(vec![0, 86_400_000_000]))
            .with("symbol", "ticker", Values::Text(vec!["A".to_owned(), "B".to_owned()]))
            .with("r", "R multiples", Values::Float(vec![1.5, f64::NAN]))
            .with("win", "r > 0", Values::Bool(vec![true, false]))
            .with("rank", "1 = best", Values::Int(vec![1, -2]));
        table.facts.insert("strategy".to_owned(), "breakout".to_owned());
        table
    }

    #[test]
    fn a_table_comes_back_as_it_was_and_nan_is_null() {
        let read = Table::from_parquet(table().to_parquet().unwrap()).unwrap();
        assert!(read.floats("r").unwrap()[1].is_nan());
        let defined = [0];
        assert_eq!(read.select(&defined), table().select(&defined));
    }

    #[test]
    fn the_same_values_are_the_same_bytes() {
        assert_eq!(table().to_parquet().unwrap(), table().to_parquet().unwrap());
    }

    /// A table as large as to have several pages, with every type.
    fn pinned() -> Table {
        let rows = 50_000_i64;
        let number = |row: i64| if row % 7 == 0 { f64::NAN } else { (row % 1000) as f64 / 8.0 };
        let mut table = Table::new("pinned@1")
            .with("ts", "UTC", Values::Time((0..rows).map(|row| row * 60_000_000).collect()))
            .with("symbol", "ticker", Values::Text((0..rows).map(|row| format!("S{}", row % 5)).collect()))
            .with("r", "R multiples", Values::Float((0..rows).map(number).collect()))
            .with("win", "r > 0", Values::Bool((0..rows).map(|row| row % 3 == 0).collect()))
            .with("rank", "1 = best", Values::Int((0..rows).collect()));
        table.facts.insert("strategy".to_owned(), "breakout".to_owned());
        table
    }

    /// What pyarrow says of the bytes that `pinned` gives; `tests/golden/attest/read_parquet.py` says how it was asked.
    const STRUCTURE: &str = include_str!("../../tests/golden/attest/parquet.json");

    #[test]
    fn the_bytes_are_those_that_an_independent_reader_described() {
        let bytes = pinned().to_parquet().unwrap();
        let described: serde_json::Value = serde_json::from_str(STRUCTURE).unwrap();
        let found = crate::base::Digest::of(&bytes).to_string();
        // other bytes are another encoding: a new number in the module's doc and in CREATED_BY, and new versions of kinds
        assert_eq!(described["sha256"], found, "equal values are no longer equal bytes");
        assert_eq!(described["created_by"], CREATED_BY);
        assert_eq!(described["format_version"], "1.0");
    }

    #[test]
    fn an_independent_reader_finds_the_same_structure_and_values() {
        let bytes = pinned().to_parquet().unwrap();
        let described: serde_json::Value = serde_json::from_str(STRUCTURE).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let file = builder.metadata();
        assert_eq!(described["rows"], file.file_metadata().num_rows());
        assert_eq!(described["row_groups"], file.num_row_groups());
        let columns = described["columns"].as_array().unwrap();
        assert_eq!(columns.len(), 5);
        for (column, found) in columns.iter().zip(file.row_group(0).columns()) {
            assert_eq!(column["name"], found.column_path().string());
            assert_eq!(column["type"], found.column_type().to_string());
            assert_eq!(column["compression"], "ZSTD");
            let nulls = found.statistics().and_then(parquet::file::statistics::Statistics::null_count_opt);
            assert_eq!(column["nulls"].as_u64(), nulls, "{column}");
        }
        // values, in its own arithmetic
        let table = pinned();
        let numbers: f64 = table.floats("r").unwrap().iter().filter(|value| !value.is_nan()).sum();
        assert_eq!(described["sum_of_r"].as_f64(), Some(numbers));
        assert_eq!(
            described["wins"].as_u64(),
            Some(table.bools("win").unwrap().iter().filter(|win| **win).count() as u64)
        );
        assert_eq!(described["last_ts"], "1970-02-04T17:19:00+00:00");
        assert_eq!(described["metadata"]["walkforward.table"], "pinned@1");
        assert_eq!(described["metadata"]["walkforward.fact.strategy"], "breakout");
    }

    #[test]
    fn a_table_in_pieces_is_the_same_bytes_however_it_is_cut() {
        let whole = |cuts: &[&[usize]]| {
            let mut writer = TableWriter::new(&table(), Vec::new()).unwrap();
            cuts.iter().for_each(|rows| writer.write(&table().select(rows)).unwrap());
            writer.finish().unwrap()
        };
        assert_eq!(whole(&[&[0], &[1]]), whole(&[&[0, 1]]));
        let read = Table::from_parquet(whole(&[&[0], &[1]]).into()).unwrap();
        assert_eq!(read.select(&[0]), table().select(&[0]));
    }

    #[test]
    fn an_empty_table_keeps_its_columns() {
        let empty = table().select(&[]);
        assert_eq!(Table::from_parquet(empty.to_parquet().unwrap()).unwrap(), empty);
    }

    #[test]
    fn a_missing_or_ill_typed_column_is_named() {
        let error = table().floats("rr").unwrap_err().to_string();
        assert_eq!(error, "column `rr` is missing; the table has ts, symbol, r, win, rank");
        let error = table().floats("win").unwrap_err().to_string();
        assert_eq!(error, "column `win`: expected numbers, found true or false");
        assert!(table().expect_schema("signals@2").is_err());
    }
}
