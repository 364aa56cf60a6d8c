//! A batch: what one source gathered at one moment, and the identity under which it travels.
//!
//! The identity is what makes at-least-once on the wire exactly-once in the collector. An agent
//! numbers its batches within a *run*: a random value drawn at each start of its spool. Runs make
//! the numbering safe where the disk is not: an agent that crashed with batches in memory only may
//! give their numbers again, but never under the same run. Within one run batches are sent in the
//! order of their sequence, so the collector needs one high-water mark a run.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::metric::{Family, Label};

/// Resource attribute that carries the [`AgentId`].
pub const AGENT_ATTRIBUTE: &str = "nightshift.agent";
/// Resource attribute that carries the [`RunId`].
pub const RUN_ATTRIBUTE: &str = "nightshift.run";
/// Resource attribute that carries the [`Sequence`].
pub const SEQUENCE_ATTRIBUTE: &str = "nightshift.sequence";
/// Resource attribute that carries the agent's host name, for people.
pub const HOST_ATTRIBUTE: &str = "host.name";
/// Scope attribute that tells the collector to keep metric names as they are.
pub const VERBATIM_ATTRIBUTE: &str = "nightshift.verbatim";
/// Metric metadata key that carries the kind in Prometheus' words, as the OTLP specification names it.
pub const KIND_METADATA: &str = "prometheus.type";
/// Request header with which a sender says when it sent, in milliseconds since 1970 by its own clock, so
/// that its skew is known exactly: an old sample may only have waited in the spool.
pub const SENT_HEADER: &str = "nightshift-sent-ms";
/// Beginning of every attribute above that is Nightshift's own; such attributes never become labels.
pub const OWN_ATTRIBUTE_PREFIX: &str = "nightshift.";

/// Who an agent is, for as long as its data folder lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentId(Uuid);

/// One start of an agent's spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(Uuid);

/// The place of a batch within its run; the first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sequence(pub u64);

/// The text was not an identifier.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not an identifier of 32 hexadecimal digits")]
pub struct ParseIdError {
    text: String,
}

macro_rules! identifier {
    ($name:ident) => {
        impl $name {
            /// Draws a new one.
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// The 16 bytes, as they stand in files.
            #[must_use]
            pub fn to_bytes(self) -> [u8; 16] {
                *self.0.as_bytes()
            }

            /// From the 16 bytes of a file.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.simple(), f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                match Uuid::try_parse(text) {
                    Ok(id) => Ok(Self(id)),
                    Err(_) => Err(ParseIdError {
                        text: text.chars().take(64).collect(),
                    }),
                }
            }
        }
    };
}

identifier!(AgentId);
identifier!(RunId);

impl Sequence {
    /// The one after.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Under which identity a batch travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BatchId {
    /// Who sends it.
    pub agent: AgentId,
    /// Which start of its spool numbered it.
    pub run: RunId,
    /// Which number it got.
    pub sequence: Sequence,
}

/// What one source gathered at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The source that gathered it, for people: `host`, `postgres`.
    pub source: String,
    /// When, in milliseconds since 1970 by the host's clock.
    pub at_ms: i64,
    /// Labels that every series of the batch carries: job, instance, and the operator's own.
    pub target: Vec<Label>,
    /// The families.
    pub families: Vec<Family>,
}

impl Batch {
    /// How many series the batch holds.
    #[must_use]
    pub fn series(&self) -> usize {
        self.families.iter().map(|family| family.points.len()).sum()
    }
}
