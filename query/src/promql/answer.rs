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
    /// What it took.
    pub cost: Cost,
}

/// What a query took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// How many samples were read from the store.
    pub read: usize,
    /// How many samples and values were held at once, at the most.
    pub peak: usize,
    /// How many samples were looked at, as far as [`super::Options::detail`] asks for it.
    pub looked: Looked,
}

/// How many samples a query looked at. A sample counts anew at every step that looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// In all.
    pub samples: u64,
    /// At each step of the query; empty unless that was asked for.
    pub by_step: Vec<u64>,
}

/// What a query gives, before it is sorted: sorting a large answer takes a time of its own.
#[derive(Debug)]
pub struct Unsorted {
    pub(crate) answer: Answer,
    pub(crate) keeps_order: bool,
}

impl Unsorted {
    /// Sorts by labels what has no order of its own.
    #[must_use]
    pub fn sort(mut self) -> Answer {
        if !self.keeps_order {
            match &mut self.answer.value {
                Value::Vector { samples, .. } => samples.sort_by(|a, b| a.labels.cmp(&b.labels)),
                Value::Matrix(series) => series.sort_by(|a, b| a.labels.cmp(&b.labels)),
                Value::Scalar { .. } | Value::Text { .. } => {}
            }
        }
        self.answer
    }
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
