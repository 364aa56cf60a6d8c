//! A query resolved against its times: what to load, and what to do with it.
//!
//! Every duration is a number here, `start()` and `end()` are times, parentheses are gone, and types
//! are separate: a scalar, a vector and a range cannot be mistaken for each other. Parts that do not
//! depend on the evaluation time are marked, to be evaluated once.

mod build;
mod duration;
mod invariant;

use store::matcher::Matcher;
use store::read::{Aspect, TimeRange};

use super::ast::{AggregateOp, BinaryOp, Extension, Grouping, Matching, Span};
use super::functions::SortOrder;
use super::functions::window::WindowFunction;

pub(crate) use build::{Settings, build};
pub(crate) use invariant::may_vary;

/// The times at which a query is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) start_ms: i64,
    pub(crate) step_ms: i64,
    pub(crate) count: usize,
}

impl Grid {
    /// One time.
    pub(crate) fn one(at_ms: i64) -> Self {
        Self {
            start_ms: at_ms,
            step_ms: 0,
            count: 1,
        }
    }

    /// From a time to at most another.
    pub(crate) fn between(start_ms: i64, end_ms: i64, step_ms: i64) -> Self {
        let steps = end_ms.saturating_sub(start_ms).checked_div(step_ms);
        let count = match steps {
            Some(steps) if end_ms >= start_ms => {
                usize::try_from(steps).unwrap_or(usize::MAX - 1) + 1
            }
            None if end_ms >= start_ms => 1,
            _ => 0,
        };
        Self {
            start_ms,
            step_ms,
            count,
        }
    }

    /// The time of a step.
    #[inline]
    pub(crate) fn at(self, step: usize) -> i64 {
        self.start_ms + self.step_ms * i64::try_from(step).unwrap_or(i64::MAX)
    }

    pub(crate) fn end_ms(self) -> i64 {
        self.at(self.count.saturating_sub(1))
    }
}

/// A query ready to be loaded and evaluated.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) root: Root,
    /// What to load; a selection names its place here.
    pub(crate) loads: Vec<Load>,
}

/// What the whole query gives.
#[derive(Debug)]
pub(crate) enum Root {
    Scalar(Scalar),
    Vector(Vector),
    Ranged(Ranged),
    Text(String),
}

/// Series to load from the store.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) range: TimeRange,
    /// What is made of the samples, should only thinned-out ones be left.
    pub(crate) aspect: Aspect,
}

/// Where a selection looks, other than at the time of evaluation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moved {
    pub(crate) at_ms: Option<i64>,
    pub(crate) offset_ms: i64,
}

impl Moved {
    /// Where it looks when evaluated at a time.
    #[inline]
    pub(crate) fn from(self, at_ms: i64) -> i64 {
        self.at_ms.unwrap_or(at_ms) - self.offset_ms
    }
}

/// Loaded series.
#[derive(Debug)]
pub(crate) struct Select {
    pub(crate) load: usize,
    pub(crate) moved: Moved,
    pub(crate) extension: Extension,
}

/// One number a step.
#[derive(Debug)]
pub(crate) enum Scalar {
    Number(f64),
    Time,
    Negate(Box<Self>),
    Binary(BinaryOp, Box<(Self, Self)>),
    Least(Box<(Self, Self)>),
    Greatest(Box<(Self, Self)>),
    /// The value of the only series.
    OfVector(Box<Vector>),
}

/// Samples of ranges.
#[derive(Debug)]
pub(crate) enum Ranged {
    Select {
        select: Select,
        range_ms: i64,
    },
    Subquery {
        of: Box<Vector>,
        range_ms: i64,
        step_ms: i64,
        moved: Moved,
    },
}

/// Which side of an operator a scalar stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScalarSide {
    Left,
    Right,
}

/// A number for each of several series a step.
#[derive(Debug)]
pub(crate) enum Vector {
    Select(Select),
    /// When the samples were taken that a selection finds.
    SampleTimes(Select),
    /// The time of evaluation, wherever there is a value.
    Times(Box<Self>),
    OfScalar(Box<Scalar>),
    /// Evaluated once, the same at each step.
    Repeat(Box<Self>),
    Negate(Box<Self>),
    Map(fn(f64) -> f64, Box<Self>),
    MapWith(fn(f64, &[f64]) -> Option<f64>, Box<Self>, Vec<Scalar>),
    Window(Box<Windowed>),
    Absent(Box<Self>, Vec<(String, String)>),
    AbsentOverTime(Ranged, Vec<(String, String)>),
    Sort(SortOrder, Box<Self>, Vec<String>),
    Relabel(Box<Self>, Relabel),
    Quantile(Box<BucketQuantile>),
    Fraction(Box<BucketFraction>),
    /// Evaluated for what it has to say only: there are no native histograms.
    Nothing(Box<Self>),
    Aggregate(Box<Aggregate>),
    WithScalar(Box<WithScalar>),
    Match(Box<Match>),
    Info(Box<Info>),
}

/// A range function.
#[derive(Debug)]
pub(crate) struct Windowed {
    pub(crate) name: &'static str,
    pub(crate) function: WindowFunction,
    pub(crate) of: Ranged,
    pub(crate) params: Vec<Scalar>,
    /// Where the range stands.
    pub(crate) span: Span,
    /// Where its scalar stands, if it has one.
    pub(crate) param_span: Span,
}

/// How a label is set.
#[derive(Debug)]
pub(crate) enum Relabel {
    Replace {
        target: String,
        template: String,
        source: String,
        pattern: regex::Regex,
    },
    Join {
        target: String,
        separator: String,
        sources: Vec<String>,
    },
}

/// Quantiles of classic histograms.
#[derive(Debug)]
pub(crate) struct BucketQuantile {
    pub(crate) of: Vector,
    /// Each with where it stands.
    pub(crate) shares: Vec<(Scalar, Span)>,
    /// The label that tells several apart.
    pub(crate) label: Option<String>,
    /// Where the buckets stand.
    pub(crate) span: Span,
}

/// Fractions of classic histograms.
#[derive(Debug)]
pub(crate) struct BucketFraction {
    pub(crate) of: Vector,
    pub(crate) low: Scalar,
    pub(crate) high: Scalar,
    pub(crate) span: Span,
}

/// Series put together.
#[derive(Debug)]
pub(crate) struct Aggregate {
    pub(crate) op: AggregateOp,
    pub(crate) parameter: Parameter,
    pub(crate) of: Vector,
    pub(crate) grouping: Grouping,
    /// Where the parameter stands.
    pub(crate) span: Span,
}

/// The parameter of an aggregation.
#[derive(Debug)]
pub(crate) enum Parameter {
    None,
    Scalar(Scalar),
    Label(String),
}

/// An operator between a vector and a scalar.
#[derive(Debug)]
pub(crate) struct WithScalar {
    pub(crate) op: BinaryOp,
    pub(crate) return_bool: bool,
    pub(crate) vector: Vector,
    pub(crate) scalar: Scalar,
    pub(crate) side: ScalarSide,
}

/// An operator between two vectors.
#[derive(Debug)]
pub(crate) struct Match {
    pub(crate) op: BinaryOp,
    pub(crate) return_bool: bool,
    pub(crate) left: Vector,
    pub(crate) right: Vector,
    pub(crate) matching: Matching,
}

/// Labels taken over from info series.
#[derive(Debug)]
pub(crate) struct Info {
    pub(crate) of: Vector,
    pub(crate) infos: Select,
    /// Conditions on the labels taken over; none means all labels.
    pub(crate) labels: Vec<Matcher>,
    /// Conditions on the names of info series.
    pub(crate) names: Vec<Matcher>,
}

impl Load {
    /// Whether another asks for the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let texts = |load: &Self| {
            load.matchers
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        self.range == other.range && self.aspect == other.aspect && texts(self) == texts(other)
    }
}
