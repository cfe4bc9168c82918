//! Tables to Parquet bytes and back, by the `parquet` crate with every property fixed.

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
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::{Column, Table, TableError, Values};

const CREATED_BY: &str = "walkforward table 1";
const SCHEMA_KEY: &str = "walkforward.table";
const COLUMNS_KEY: &str = "walkforward.columns";
const FACT_PREFIX: &str = "walkforward.fact.";
const ROW_GROUP_ROWS: usize = 1 << 20;

impl Table {
    /// Writes the table as Parquet: the same table gives the same bytes.
    ///
    /// # Errors
    /// Columns of unequal length.
    pub fn to_parquet(&self) -> Result<Bytes, TableError> {
        let fields: Vec<Field> = self
            .columns
            .iter()
            .map(|column| {
                Field::new(&column.name, data_type(&column.values), matches!(column.values, Values::Float(_)))
            })
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let arrays = self.columns.iter().map(|column| to_array(&column.values)).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;

        let options = ArrowWriterOptions::new().with_properties(self.properties()?).with_skip_arrow_metadata(true);
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
        let schema = Arc::clone(builder.schema());
        let batches: Vec<RecordBatch> = builder.build()?.collect::<Result<_, _>>()?;
        let whole = arrow::compute::concat_batches(&schema, &batches)?;

        let pair = |key: &str| pairs.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.clone());
        let docs: serde_json::Value =
            pair(COLUMNS_KEY).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let mut table = Self::new(&pair(SCHEMA_KEY).unwrap_or_default());
        for (index, field) in schema.fields().iter().enumerate() {
            let doc = docs.get(field.name()).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
            let values = from_array(field.name(), whole.column(index).as_ref())?;
            table.columns.push(Column { name: field.name().clone(), doc, values });
        }
        for KeyValue { key, value } in pairs {
            if let (Some(name), Some(value)) = (key.strip_prefix(FACT_PREFIX), value) {
                table.facts.insert(name.to_owned(), value);
            }
        }
        Ok(table)
    }

    fn properties(&self) -> Result<WriterProperties, TableError> {
        let docs: serde_json::Map<String, serde_json::Value> =
            self.columns.iter().map(|column| (column.name.clone(), column.doc.clone().into())).collect();
        let mut pairs = vec![
            KeyValue::new(SCHEMA_KEY.to_owned(), self.schema.clone()),
            KeyValue::new(COLUMNS_KEY.to_owned(), serde_json::Value::Object(docs).to_string()),
        ];
        pairs.extend(self.facts.iter().map(|(name, fact)| KeyValue::new(format!("{FACT_PREFIX}{name}"), fact.clone())));
        Ok(WriterProperties::builder()
            .set_created_by(CREATED_BY.to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_key_value_metadata(Some(pairs))
            .build())
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

fn from_array(name: &str, array: &dyn Array) -> Result<Values, TableError> {
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
