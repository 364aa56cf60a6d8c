//! Words with a meaning of their own.

use super::Kind;
use crate::promql::ast::{AggregateOp, BinaryOp};

/// A word with a meaning of its own, beside operators and aggregations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyword {
    Offset,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Fill,
    FillLeft,
    FillRight,
    Bool,
    Anchored,
    Smoothed,
    Start,
    End,
    Step,
    Range,
}

/// Words and what they are; all are read in any case.
const WORDS: [(&str, Kind); 36] = [
    ("and", Kind::Operator(BinaryOp::And)),
    ("or", Kind::Operator(BinaryOp::Or)),
    ("unless", Kind::Operator(BinaryOp::Unless)),
    ("atan2", Kind::Operator(BinaryOp::Atan2)),
    ("sum", Kind::Aggregate(AggregateOp::Sum)),
    ("avg", Kind::Aggregate(AggregateOp::Avg)),
    ("count", Kind::Aggregate(AggregateOp::Count)),
    ("min", Kind::Aggregate(AggregateOp::Min)),
    ("max", Kind::Aggregate(AggregateOp::Max)),
    ("group", Kind::Aggregate(AggregateOp::Group)),
    ("stddev", Kind::Aggregate(AggregateOp::Stddev)),
    ("stdvar", Kind::Aggregate(AggregateOp::Stdvar)),
    ("topk", Kind::Aggregate(AggregateOp::TopK)),
    ("bottomk", Kind::Aggregate(AggregateOp::BottomK)),
    ("count_values", Kind::Aggregate(AggregateOp::CountValues)),
    ("quantile", Kind::Aggregate(AggregateOp::Quantile)),
    ("limitk", Kind::Aggregate(AggregateOp::LimitK)),
    ("limit_ratio", Kind::Aggregate(AggregateOp::LimitRatio)),
    ("offset", Kind::Keyword(Keyword::Offset)),
    ("by", Kind::Keyword(Keyword::By)),
    ("without", Kind::Keyword(Keyword::Without)),
    ("on", Kind::Keyword(Keyword::On)),
    ("ignoring", Kind::Keyword(Keyword::Ignoring)),
    ("group_left", Kind::Keyword(Keyword::GroupLeft)),
    ("group_right", Kind::Keyword(Keyword::GroupRight)),
    ("fill", Kind::Keyword(Keyword::Fill)),
    ("fill_left", Kind::Keyword(Keyword::FillLeft)),
    ("fill_right", Kind::Keyword(Keyword::FillRight)),
    ("bool", Kind::Keyword(Keyword::Bool)),
    ("anchored", Kind::Keyword(Keyword::Anchored)),
    ("smoothed", Kind::Keyword(Keyword::Smoothed)),
    ("start", Kind::Keyword(Keyword::Start)),
    ("end", Kind::Keyword(Keyword::End)),
    ("step", Kind::Keyword(Keyword::Step)),
    ("range", Kind::Keyword(Keyword::Range)),
    ("inf", Kind::Number),
];

/// What a word is outside of braces.
pub(super) fn kind_of_word(word: &str) -> Kind {
    if word.eq_ignore_ascii_case("nan") {
        return Kind::Number;
    }
    WORDS
        .iter()
        .find(|(known, _)| word.eq_ignore_ascii_case(known))
        .map_or(Kind::Identifier, |(_, kind)| *kind)
}
