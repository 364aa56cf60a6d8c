//! The functions of the language: their names, their types and what carries each out.
//!
//! The table is data; the families live below. What a function does to labels and to which steps it
//! gives a value is the evaluator's; here are only the numbers.

pub(crate) mod dates;
pub(crate) mod extended;
pub(crate) mod histogram;
pub(crate) mod kahan;
pub(crate) mod math;
pub(crate) mod natural;
pub(crate) mod over_time;
pub(crate) mod rate;
pub(crate) mod regression;
pub(crate) mod window;

use store::read::Aspect;

use super::ast::ValueType;
use ValueType::{Matrix, Scalar, String as Text, Vector};
use window::{Names, WindowFunction};

/// A function.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The types of its arguments.
    pub args: &'static [ValueType],
    /// How many arguments there may be.
    pub arity: Arity,
    /// What it gives.
    pub returns: ValueType,
    pub(crate) body: Body,
}

/// How many arguments a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// As many as there are types.
    Exact,
    /// The last may be missing.
    LastOptional,
    /// The last type may be repeated so often, or be missing.
    LastRepeated(usize),
    /// The last type may be repeated without end, or be missing.
    Unbounded,
}

/// What carries a function out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    /// Each value on its own.
    Map(fn(f64) -> f64),
    /// A part of the date of each value, or of the evaluation time.
    Date(fn(f64) -> f64),
    /// Each value, with scalars beside it; no value where there is none.
    MapWith(fn(f64, &[f64]) -> Option<f64>),
    /// The samples of a range.
    Window(WindowFunction),
    /// A number that the query alone determines.
    Constant(Constant),
    Time,
    LeastOf,
    GreatestOf,
    Scalar,
    Vector,
    Timestamp,
    Absent,
    AbsentOverTime,
    Sort(SortOrder),
    LabelReplace,
    LabelJoin,
    HistogramQuantile,
    HistogramQuantiles,
    HistogramFraction,
    /// Of native histograms alone: plain numbers are passed over.
    NativeHistogram,
    Info,
}

/// A number that the query alone determines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Constant {
    Pi,
    Start,
    End,
    Step,
    Range,
}

/// In which order series are returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SortOrder {
    Ascending,
    Descending,
    ByLabel,
    ByLabelDescending,
}

impl Function {
    /// What it makes of the samples of a range.
    pub(crate) fn aspect(&self) -> Aspect {
        match self.name {
            "rate" | "increase" | "irate" => Aspect::Counter,
            "min_over_time" => Aspect::Min,
            "max_over_time" => Aspect::Max,
            "avg_over_time" | "sum_over_time" | "count_over_time" => Aspect::Average,
            _ => Aspect::Value,
        }
    }
}

/// The function of a name.
#[must_use]
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

const fn function(
    name: &'static str,
    args: &'static [ValueType],
    returns: ValueType,
    body: Body,
) -> Function {
    Function {
        name,
        args,
        arity: Arity::Exact,
        returns,
        body,
    }
}

const fn with_arity(arity: Arity, function: Function) -> Function {
    Function { arity, ..function }
}

const fn map(name: &'static str, of: fn(f64) -> f64) -> Function {
    function(name, &[Vector], Vector, Body::Map(of))
}

const fn date(name: &'static str, of: fn(f64) -> f64) -> Function {
    with_arity(
        Arity::LastOptional,
        function(name, &[Vector], Vector, Body::Date(of)),
    )
}

const fn window(name: &'static str, of: window::Kernel) -> Function {
    window_with(name, &[Matrix], of)
}

const fn window_with(
    name: &'static str,
    args: &'static [ValueType],
    kernel: window::Kernel,
) -> Function {
    let body = WindowFunction {
        kernel,
        names: Names::Dropped,
    };
    function(name, args, Vector, Body::Window(body))
}

const fn keeping_names(name: &'static str, kernel: window::Kernel) -> Function {
    let body = WindowFunction {
        kernel,
        names: Names::Kept,
    };
    function(name, &[Matrix], Vector, Body::Window(body))
}

const fn constant(name: &'static str, constant: Constant) -> Function {
    function(name, &[], Scalar, Body::Constant(constant))
}

const fn sort(name: &'static str, order: SortOrder) -> Function {
    function(name, &[Vector], Vector, Body::Sort(order))
}

const fn sort_by_label(name: &'static str, order: SortOrder) -> Function {
    with_arity(
        Arity::Unbounded,
        function(name, &[Vector, Text], Vector, Body::Sort(order)),
    )
}

const fn native(name: &'static str) -> Function {
    function(name, &[Vector], Vector, Body::NativeHistogram)
}

/// All functions.
pub static FUNCTIONS: &[Function] = &[
    map("abs", f64::abs),
    map("acos", f64::acos),
    map("acosh", f64::acosh),
    map("asin", f64::asin),
    map("asinh", f64::asinh),
    map("atan", f64::atan),
    map("atanh", f64::atanh),
    map("ceil", f64::ceil),
    map("cos", f64::cos),
    map("cosh", f64::cosh),
    map("deg", math::degrees),
    map("exp", f64::exp),
    map("floor", f64::floor),
    map("ln", f64::ln),
    map("log10", f64::log10),
    map("log2", f64::log2),
    map("rad", math::radians),
    map("sgn", math::sign),
    map("sin", f64::sin),
    map("sinh", f64::sinh),
    map("sqrt", f64::sqrt),
    map("tan", f64::tan),
    map("tanh", f64::tanh),
    function(
        "clamp",
        &[Vector, Scalar, Scalar],
        Vector,
        Body::MapWith(math::clamp),
    ),
    function(
        "clamp_max",
        &[Vector, Scalar],
        Vector,
        Body::MapWith(math::clamp_max),
    ),
    function(
        "clamp_min",
        &[Vector, Scalar],
        Vector,
        Body::MapWith(math::clamp_min),
    ),
    with_arity(
        Arity::LastOptional,
        function(
            "round",
            &[Vector, Scalar],
            Vector,
            Body::MapWith(math::round),
        ),
    ),
    date("day_of_month", dates::day_of_month),
    date("day_of_week", dates::day_of_week),
    date("day_of_year", dates::day_of_year),
    date("days_in_month", dates::days_in_month),
    date("hour", dates::hour),
    date("minute", dates::minute),
    date("month", dates::month),
    date("year", dates::year),
    window("avg_over_time", over_time::average),
    window("changes", rate::changes),
    window("count_over_time", over_time::count),
    window("delta", rate::delta),
    window("deriv", regression::slope),
    window("idelta", rate::instant_delta),
    window("increase", rate::increase),
    window("irate", rate::instant_rate),
    window("mad_over_time", over_time::median_deviation),
    window("max_over_time", over_time::max),
    window("min_over_time", over_time::min),
    window("present_over_time", over_time::present),
    window("rate", rate::rate),
    window("resets", rate::resets),
    window("stddev_over_time", over_time::standard_deviation),
    window("stdvar_over_time", over_time::variance),
    window("sum_over_time", over_time::sum),
    window("ts_of_first_over_time", over_time::time_of_first),
    window("ts_of_last_over_time", over_time::time_of_last),
    window("ts_of_max_over_time", over_time::time_of_max),
    window("ts_of_min_over_time", over_time::time_of_min),
    keeping_names("first_over_time", over_time::first),
    keeping_names("last_over_time", over_time::last),
    window_with("quantile_over_time", &[Scalar, Matrix], over_time::quantile),
    window_with("predict_linear", &[Matrix, Scalar], regression::predict),
    window_with(
        "double_exponential_smoothing",
        &[Matrix, Scalar, Scalar],
        regression::double_exponential_smoothing,
    ),
    constant("pi", Constant::Pi),
    constant("start", Constant::Start),
    constant("end", Constant::End),
    constant("step", Constant::Step),
    constant("range", Constant::Range),
    function("time", &[], Scalar, Body::Time),
    function("min_of", &[Scalar, Scalar], Scalar, Body::LeastOf),
    function("max_of", &[Scalar, Scalar], Scalar, Body::GreatestOf),
    function("scalar", &[Vector], Scalar, Body::Scalar),
    function("vector", &[Scalar], Vector, Body::Vector),
    function("timestamp", &[Vector], Vector, Body::Timestamp),
    function("absent", &[Vector], Vector, Body::Absent),
    function("absent_over_time", &[Matrix], Vector, Body::AbsentOverTime),
    sort("sort", SortOrder::Ascending),
    sort("sort_desc", SortOrder::Descending),
    sort_by_label("sort_by_label", SortOrder::ByLabel),
    sort_by_label("sort_by_label_desc", SortOrder::ByLabelDescending),
    function(
        "label_replace",
        &[Vector, Text, Text, Text, Text],
        Vector,
        Body::LabelReplace,
    ),
    with_arity(
        Arity::Unbounded,
        function(
            "label_join",
            &[Vector, Text, Text, Text],
            Vector,
            Body::LabelJoin,
        ),
    ),
    function(
        "histogram_quantile",
        &[Scalar, Vector],
        Vector,
        Body::HistogramQuantile,
    ),
    with_arity(
        Arity::LastRepeated(9),
        function(
            "histogram_quantiles",
            &[Vector, Text, Scalar, Scalar],
            Vector,
            Body::HistogramQuantiles,
        ),
    ),
    function(
        "histogram_fraction",
        &[Scalar, Scalar, Vector],
        Vector,
        Body::HistogramFraction,
    ),
    native("histogram_avg"),
    native("histogram_count"),
    native("histogram_sum"),
    native("histogram_stddev"),
    native("histogram_stdvar"),
    with_arity(
        Arity::LastOptional,
        function("info", &[Vector, Vector], Vector, Body::Info),
    ),
];
