//! What a query gives.

use store::labels::Labels;
use store::read::Series;

/// The value of a query, and what there is to say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The value.
    pub value: Value,
    /// What may make it wrong, in Prometheus' words.
    pub warnings: Vec<String>,
    /// What may be of interest.
    pub infos: Vec<String>,
    /// How many samples were read.
    pub samples: usize,
}

/// The value of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One number.
    Scalar {
        /// The time of evaluation.
        at_ms: i64,
        /// The number.
        value: f64,
    },
    /// A number for each of several series, sorted by labels unless the query sorts them.
    Vector {
        /// The time of evaluation.
        at_ms: i64,
        /// The series.
        samples: Vec<LabelledValue>,
    },
    /// Several numbers for each of several series, sorted by labels.
    Matrix(Vec<Series>),
    /// A text.
    Text {
        /// The time of evaluation.
        at_ms: i64,
        /// The text.
        text: String,
    },
}

/// A number with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledValue {
    /// The labels.
    pub labels: Labels,
    /// The number.
    pub value: f64,
}
