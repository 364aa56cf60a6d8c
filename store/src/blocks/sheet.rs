//! Writing a Parquet file, column chunk by column chunk, each in whichever encoding is smallest.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::get_typed_column_writer;
use parquet::column::writer::{ColumnCloseResult, ColumnWriterImpl, get_column_writer};
use parquet::data_type::DataType;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnDescPtr;

use super::damage::WriteError;
use super::meta::FileMeta;
use super::objects::Upload;
use super::table::CHECKSUMS;

/// How hard to try for small files. What is written every two hours costs little; what is merged
/// stays for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    Quick,
    Thorough,
}

impl Effort {
    /// Measured: beyond 9 a tenth less for five times the work.
    pub(super) fn zstd_level(self) -> i32 {
        match self {
            Self::Quick => 3,
            Self::Thorough => 9,
        }
    }
}

/// How a column chunk is encoded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Coding {
    /// Distinct values once, and their numbers in runs.
    Dictionary,
    /// Of each value the first byte, then of each the second, and so on.
    Split,
    /// Differences, packed.
    Delta,
    /// As they are.
    Plain,
}

/// One way to encode a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    pub(super) coding: Coding,
    /// After how many rows a page ends.
    pub(super) page_rows: usize,
    /// Whether each page says its least and greatest value.
    pub(super) statistics: bool,
    /// Whether a Bloom filter says which values are not there.
    pub(super) bloom: bool,
}

/// The values of a chunk, with definition and repetition levels where the column has them.
#[derive(Debug)]
pub(super) struct Values<'a, T> {
    pub(super) values: &'a [T],
    pub(super) levels: Option<&'a [i16]>,
    pub(super) repeats: Option<&'a [i16]>,
}

/// An encoded column chunk.
#[derive(Debug)]
pub(super) struct Encoded {
    bytes: Bytes,
    close: ColumnCloseResult,
}

/// A Parquet file under way.
pub(super) struct Sheet {
    object: String,
    effort: Effort,
    writer: SerializedFileWriter<Upload>,
}

impl Sheet {
    pub(super) fn create(
        upload: Upload,
        object: String,
        schema: &str,
        effort: Effort,
    ) -> Result<Self, WriteError> {
        let properties = WriterProperties::builder()
            .set_created_by("nightshift".to_owned())
            .build();
        let created = parse_message_type(schema).and_then(|schema| {
            SerializedFileWriter::new(upload, Arc::new(schema), Arc::new(properties))
        });
        match created {
            Ok(writer) => Ok(Self {
                object,
                effort,
                writer,
            }),
            Err(source) => Err(WriteError::Encoding { object, source }),
        }
    }

    /// Encodes a chunk in each of the ways given and keeps the smallest.
    pub(super) fn encode<T: DataType>(
        &self,
        column: usize,
        values: &Values<'_, T::T>,
        recipes: &[Recipe],
    ) -> Result<Encoded, WriteError> {
        let descriptor = self.writer.schema_descr().column(column);
        let mut smallest: Option<Encoded> = None;
        for recipe in recipes {
            let properties = recipe.properties(self.effort);
            let encoded = encode::<T>(&descriptor, properties, values)
                .map_err(|source| self.encoding(source))?;
            if smallest
                .as_ref()
                .is_none_or(|smallest| encoded.bytes.len() < smallest.bytes.len())
            {
                smallest = Some(encoded);
            }
        }
        smallest.ok_or_else(|| {
            self.encoding(ParquetError::General(
                "no way to encode a column".to_owned(),
            ))
        })
    }

    /// Writes a row group of all columns.
    pub(super) fn write(&mut self, columns: Vec<Encoded>) -> Result<(), WriteError> {
        let written = self.writer.next_row_group().and_then(|mut group| {
            for column in columns {
                group.append_column(&column.bytes, column.close)?;
            }
            group.close().map(drop)
        });
        written.map_err(|source| self.encoding(source))
    }

    /// Ends the file with the checksums of what is in it; on return it is durable.
    pub(super) fn finish(mut self) -> Result<FileMeta, WriteError> {
        let object = self.object.clone();
        let encoding = |source| WriteError::Encoding {
            object: object.clone(),
            source,
        };
        self.writer
            .flush()
            .map_err(|error| encoding(ParquetError::External(error.into())))?;
        let pieces = self.writer.inner().pieces();
        let digits: String = pieces.iter().map(|crc| format!("{crc:08x}")).collect();
        let tail = self.writer.inner_mut().begin_tail();
        let checksums = KeyValue::new(CHECKSUMS.to_owned(), digits);
        self.writer.append_key_value_metadata(checksums);
        let upload = self.writer.into_inner().map_err(encoding)?;
        let tail_crc32c = upload.tail_crc32c();
        let (bytes, crc32c) = upload.finish()?;
        Ok(FileMeta {
            bytes,
            crc32c,
            tail,
            tail_crc32c,
        })
    }

    fn encoding(&self, source: ParquetError) -> WriteError {
        WriteError::Encoding {
            object: self.object.clone(),
            source,
        }
    }
}

impl Recipe {
    fn properties(self, effort: Effort) -> WriterPropertiesPtr {
        let level = ZstdLevel::try_new(effort.zstd_level()).unwrap_or_default();
        let statistics = if self.statistics {
            EnabledStatistics::Page
        } else {
            EnabledStatistics::Chunk
        };
        let builder = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_statistics_enabled(statistics)
            .set_bloom_filter_enabled(self.bloom)
            .set_data_page_row_count_limit(self.page_rows)
            // Rows alone say where a page ends; dictionaries never give way to plain values.
            .set_data_page_size_limit(1 << 30)
            .set_dictionary_page_size_limit(1 << 30);
        let encoding = match self.coding {
            Coding::Dictionary => return Arc::new(builder.build()),
            Coding::Split => Encoding::BYTE_STREAM_SPLIT,
            Coding::Delta => Encoding::DELTA_BINARY_PACKED,
            Coding::Plain => Encoding::PLAIN,
        };
        Arc::new(
            builder
                .set_dictionary_enabled(false)
                .set_encoding(encoding)
                .build(),
        )
    }
}

fn encode<T: DataType>(
    descriptor: &ColumnDescPtr,
    properties: WriterPropertiesPtr,
    values: &Values<'_, T::T>,
) -> ParquetResult<Encoded> {
    let mut sink = TrackedWrite::new(Vec::new());
    let pages = Box::new(SerializedPageWriter::new(&mut sink));
    let writer = get_column_writer(Arc::clone(descriptor), properties, pages);
    let mut writer: ColumnWriterImpl<'_, T> = get_typed_column_writer(writer);
    writer.write_batch(values.values, values.levels, values.repeats)?;
    let close = writer.close()?;
    sink.flush()?;
    Ok(Encoded {
        bytes: sink.into_inner()?.into(),
        close,
    })
}
