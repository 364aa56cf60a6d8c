//! The vocabulary of Nightshift, and every byte that travels between agent and collector.
//!
//! What lives here: metric families and batches as both sides speak of them, the OTLP encoding of a
//! batch, the identity that lets the collector store each batch once, the framing of checksummed
//! records, the text format of metrics, and PostgreSQL's own small types (LSN). No I/O, no clock, no
//! configuration.

pub mod answer;
pub mod batch;
pub mod frame;
pub mod lsn;
pub mod metric;
pub mod otlp;
pub mod quantity;
pub mod secret;
pub mod text;
