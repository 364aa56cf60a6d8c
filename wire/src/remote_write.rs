//! Prometheus remote write, 1.0 and 2.0: reading a request, writing one, and the compression of both.
//!
//! Constraints:
//! - Reading is the collector's busiest path: labels are slices of the request, and one [`Series`] is
//!   filled over and over, so that neither a label nor a sample costs an allocation.
//! - A request may be anything: no bytes panic, none allocate beyond a small multiple of their own
//!   length, and the size that compressed bytes claim is checked before any of it is allocated.
//! - Fields may come in any order and unknown ones are passed over, as protobuf has it.
//! - A label that is not text spoils its series, not its request: the rest can still be stored, and
//!   the series can be named in the answer. What is not protobuf spoils the request.
//! - A float's bits are kept as they are: a staleness marker is one certain NaN.
//!
//! What it leaves to its callers: whether names and times make sense, and every limit of theirs.

mod encode;
mod protobuf;
mod snappy;
mod v1;
mod v2;

use std::borrow::Cow;
use std::ops::Range;

use crate::metric::Kind;

pub use encode::Encoder;
pub use snappy::{SnappyError, compress, decompress};

use protobuf::{Fields, Malformed};

/// Labels, samples, exemplars, histograms and families that one request may hold together. An empty
/// one takes two bytes and thirty in memory; a real one of this many is larger than requests may be.
const MAX_ITEMS: usize = 4_000_000;

/// Labels that one series may have: a hundred times what anyone can read.
const MAX_LABELS: usize = 2_000;

/// Texts of a request's symbol table.
const MAX_SYMBOLS: usize = 2_000_000;

/// Which of the two messages a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// `prometheus.WriteRequest`.
    V1,
    /// `io.prometheus.write.v2.Request`.
    V2,
}

/// A number and its time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// The number.
    pub value: f64,
}

/// What is said of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata<'a> {
    /// What its numbers mean.
    pub kind: Kind,
    /// A sentence; may be empty.
    pub help: &'a str,
    /// The unit; may be empty.
    pub unit: &'a str,
}

/// A measurement behind a number, mostly with the way to its trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// Which of [`Series::exemplar_labels`] are its labels.
    pub labels: Range<usize>,
    /// The number and its time.
    pub sample: Sample,
}

/// One series of a request, as it is written: labels in any order, perhaps twice, perhaps empty.
#[derive(Debug, Default)]
pub struct Series<'a> {
    /// Names with their values.
    pub labels: Vec<(&'a str, &'a str)>,
    /// Numbers, in the order of the request.
    pub samples: Vec<Sample>,
    /// Measurements behind them.
    pub exemplars: Vec<Exemplar>,
    /// The labels of all [`Series::exemplars`].
    pub exemplar_labels: Vec<(&'a str, &'a str)>,
    /// How many native histograms it has; they are not read.
    pub histograms: u64,
    /// What version 2.0 says of the family beside each series.
    pub metadata: Option<Metadata<'a>>,
    /// The first text that was none, with what of it is legible; an empty text stands in its place.
    pub not_text: Option<Cow<'a, str>>,
}

/// What a request holds.
#[derive(Debug)]
pub enum Item<'r, 'a> {
    /// A series; the next one takes its place.
    Series(&'r mut Series<'a>),
    /// What version 1.0 says of a family.
    Family(&'a str, Metadata<'a>),
}

/// Why a request cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not the message that it should be.
    #[error("it is not the protobuf message that its content type names: {0}")]
    Malformed(&'static str),
    /// A reference that the table of symbols does not reach.
    #[error("a reference to symbol {reference} of {symbols}")]
    Symbol {
        /// The reference.
        reference: u32,
        /// How many symbols there are.
        symbols: usize,
    },
    /// Labels of version 2.0 come in pairs.
    #[error("an odd number of references to names and values of labels")]
    Unpaired,
    /// More than anyone sends.
    #[error("more than {limit} {what} in one {place}")]
    TooMany {
        /// `labels`.
        what: &'static str,
        /// The bound.
        limit: usize,
        /// `request` or `series`.
        place: &'static str,
    },
}

impl From<Malformed> for DecodeError {
    fn from(Malformed(what): Malformed) -> Self {
        Self::Malformed(what)
    }
}

/// Reads a decompressed request, item by item.
#[derive(Debug)]
pub struct Reader<'a> {
    version: Version,
    fields: Fields<'a>,
    symbols: v2::Symbols<'a>,
    series: Series<'a>,
    budget: Budget,
}

impl<'a> Reader<'a> {
    /// Begins with a request.
    pub fn new(version: Version, request: &'a [u8]) -> Result<Self, DecodeError> {
        let symbols = match version {
            Version::V1 => v2::Symbols::default(),
            Version::V2 => v2::Symbols::read(request)?,
        };
        Ok(Self {
            version,
            fields: Fields::new(request),
            symbols,
            series: Series::default(),
            budget: Budget(MAX_ITEMS),
        })
    }

    /// The next item; nothing at the end.
    pub fn next_item(&mut self) -> Result<Option<Item<'_, 'a>>, DecodeError> {
        while let Some(field) = self.fields.next_field()? {
            match (self.version, field.number) {
                (Version::V1, v1::TIMESERIES) => {
                    self.series.clear();
                    v1::series(field.bytes()?, &mut self.series, &mut self.budget)?;
                    return Ok(Some(Item::Series(&mut self.series)));
                }
                (Version::V1, v1::METADATA) => {
                    self.budget.take()?;
                    let (family, metadata) = v1::metadata(field.bytes()?)?;
                    return Ok(Some(Item::Family(family, metadata)));
                }
                (Version::V2, v2::TIMESERIES) => {
                    self.series.clear();
                    let (series, budget) = (&mut self.series, &mut self.budget);
                    v2::series(field.bytes()?, &self.symbols, series, budget)?;
                    return Ok(Some(Item::Series(&mut self.series)));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

impl<'a> Series<'a> {
    fn clear(&mut self) {
        self.labels.clear();
        self.samples.clear();
        self.exemplars.clear();
        self.exemplar_labels.clear();
        self.histograms = 0;
        self.metadata = None;
        self.not_text = None;
    }

    /// The text, or an empty one in place of what is none.
    fn text(&mut self, bytes: &'a [u8]) -> &'a str {
        std::str::from_utf8(bytes).unwrap_or_else(|_| {
            self.not_text
                .get_or_insert_with(|| String::from_utf8_lossy(bytes));
            ""
        })
    }

    fn push_label(&mut self, label: (&'a str, &'a str)) -> Result<(), DecodeError> {
        if self.labels.len() == MAX_LABELS {
            return Err(DecodeError::TooMany {
                what: "labels",
                limit: MAX_LABELS,
                place: "series",
            });
        }
        self.labels.push(label);
        Ok(())
    }
}

/// What of [`MAX_ITEMS`] is left.
#[derive(Debug)]
struct Budget(usize);

impl Budget {
    fn take(&mut self) -> Result<(), DecodeError> {
        self.0 = self.0.checked_sub(1).ok_or(DecodeError::TooMany {
            what: "labels, samples and families",
            limit: MAX_ITEMS,
            place: "request",
        })?;
        Ok(())
    }
}

/// The number of a kind, which is the same in both versions.
fn kind_of(number: u64) -> Kind {
    match number {
        1 => Kind::Counter,
        // Information and the states of a set are gauges that are 1 or 0.
        2 | 6 | 7 => Kind::Gauge,
        // Buckets that may shrink are still read as buckets.
        3 | 4 => Kind::Histogram,
        5 => Kind::Summary,
        _ => Kind::Untyped,
    }
}

fn number_of(kind: Kind) -> u64 {
    match kind {
        Kind::Untyped => 0,
        Kind::Counter => 1,
        Kind::Gauge => 2,
        Kind::Histogram => 3,
        Kind::Summary => 5,
    }
}

/// A sample, which is the same message in both versions.
fn sample(bytes: &[u8]) -> Result<Sample, Malformed> {
    let mut sample = Sample {
        at_ms: 0,
        value: 0.0,
    };
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => sample.value = field.double()?,
            2 => sample.at_ms = field.varint()?.cast_signed(),
            _ => {}
        }
    }
    Ok(sample)
}

#[cfg(test)]
mod tests;
