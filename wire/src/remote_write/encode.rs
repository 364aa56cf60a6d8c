//! Writing a request of either version, series by series into one buffer.

use std::collections::HashMap;

use prost::encoding::{WireType, encode_key, encode_varint};

use super::{Metadata, Sample, Version, number_of};

/// Gathers a request.
#[derive(Debug)]
pub struct Encoder {
    version: Version,
    /// Version 2.0's table of texts, as fields of the request; it comes first.
    table: Vec<u8>,
    references: HashMap<Box<str>, u32>,
    body: Vec<u8>,
    /// The message being written, before its length is known.
    message: Vec<u8>,
    samples: usize,
}

impl Encoder {
    /// An empty request.
    #[must_use]
    pub fn new(version: Version) -> Self {
        let mut encoder = Self {
            version,
            table: Vec::new(),
            references: HashMap::new(),
            body: Vec::new(),
            message: Vec::new(),
            samples: 0,
        };
        if version == Version::V2 {
            // Reference 0 is the empty text by definition.
            encoder.reference("");
        }
        encoder
    }

    /// How many samples it holds.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// Adds a series. Labels must be sorted; version 1.0 has no place for metadata here and leaves it
    /// out.
    pub fn series<'l>(
        &mut self,
        labels: impl IntoIterator<Item = (&'l str, &'l str)>,
        samples: &[Sample],
        metadata: Option<Metadata<'_>>,
    ) {
        self.message.clear();
        match self.version {
            Version::V1 => self.labels_v1(labels),
            Version::V2 => self.labels_v2(labels),
        }
        for sample in samples {
            put_sample(&mut self.message, sample);
        }
        if let Some(metadata) = metadata
            && self.version == Version::V2
        {
            self.metadata_v2(metadata);
        }
        self.samples += samples.len();
        let tag = match self.version {
            Version::V1 => super::v1::TIMESERIES,
            Version::V2 => super::v2::TIMESERIES,
        };
        put_bytes(&mut self.body, tag, &self.message);
    }

    /// Adds what is known of a family. Version 2.0 says it beside each series and leaves it out here.
    pub fn family(&mut self, name: &str, metadata: Metadata<'_>) {
        if self.version == Version::V2 {
            return;
        }
        self.message.clear();
        put_number(&mut self.message, 1, number_of(metadata.kind));
        put_bytes(&mut self.message, 2, name.as_bytes());
        put_bytes(&mut self.message, 4, metadata.help.as_bytes());
        put_bytes(&mut self.message, 5, metadata.unit.as_bytes());
        put_bytes(&mut self.body, super::v1::METADATA, &self.message);
    }

    /// The request, not compressed.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut request = self.table;
        request.extend_from_slice(&self.body);
        request
    }

    fn labels_v1<'l>(&mut self, labels: impl IntoIterator<Item = (&'l str, &'l str)>) {
        let mut label = Vec::new();
        for (name, value) in labels {
            label.clear();
            put_bytes(&mut label, 1, name.as_bytes());
            put_bytes(&mut label, 2, value.as_bytes());
            put_bytes(&mut self.message, 1, &label);
        }
    }

    fn labels_v2<'l>(&mut self, labels: impl IntoIterator<Item = (&'l str, &'l str)>) {
        let mut packed = Vec::new();
        for (name, value) in labels {
            encode_varint(u64::from(self.reference(name)), &mut packed);
            encode_varint(u64::from(self.reference(value)), &mut packed);
        }
        put_bytes(&mut self.message, 1, &packed);
    }

    fn metadata_v2(&mut self, metadata: Metadata<'_>) {
        let mut message = Vec::new();
        put_number(&mut message, 1, number_of(metadata.kind));
        put_number(&mut message, 3, u64::from(self.reference(metadata.help)));
        put_number(&mut message, 4, u64::from(self.reference(metadata.unit)));
        put_bytes(&mut self.message, 5, &message);
    }

    fn reference(&mut self, text: &str) -> u32 {
        if let Some(known) = self.references.get(text) {
            return *known;
        }
        // A request has fewer texts than bytes, and those are bounded far below.
        let reference = u32::try_from(self.references.len()).unwrap_or(u32::MAX);
        put_bytes(&mut self.table, super::v2::SYMBOLS, text.as_bytes());
        self.references.insert(text.into(), reference);
        reference
    }
}

fn put_sample(out: &mut Vec<u8>, sample: &Sample) {
    let at_ms = sample.at_ms.cast_unsigned();
    let length = 9 + 1 + prost::encoding::encoded_len_varint(at_ms);
    encode_key(2, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
    encode_key(1, WireType::SixtyFourBit, out);
    out.extend_from_slice(&sample.value.to_le_bytes());
    encode_key(2, WireType::Varint, out);
    encode_varint(at_ms, out);
}

fn put_number(out: &mut Vec<u8>, tag: u32, number: u64) {
    encode_key(tag, WireType::Varint, out);
    encode_varint(number, out);
}

fn put_bytes(out: &mut Vec<u8>, tag: u32, bytes: &[u8]) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}
