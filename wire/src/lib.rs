//! The vocabulary of Nightshift, and every byte that travels between agent and collector.
//!
//! What lives here: metric families and batches as both sides speak of them, the OTLP encoding of a
//! batch, the identity that lets the collector store each batch once, the framing of checksummed
//! records, the text format of metrics, PostgreSQL's own small types (LSN), and the words in which both
//! read quantities and secrets and say what is wrong with a configuration. No I/O, no clock.

pub mod answer;
pub mod batch;
pub mod causes;
pub mod frame;
pub mod lsn;
pub mod metric;
pub mod otlp;
pub mod problem;
pub mod quantity;
pub mod remote_write;
pub mod secret;
pub mod text;
