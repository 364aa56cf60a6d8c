//! What a PromQL text says, before any of it is resolved against a time.
//!
//! The tree keeps all that printing and messages need: parentheses, the place of each expression in the
//! text, durations as expressions. The evaluator never sees it: [`super::plan`] turns it into a plan.

mod operators;

use super::functions::Function;

pub use operators::{AggregateOp, BinaryOp, Cardinality, Grouping, MatchOp, Matching};

/// A part of the query's text, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Where it begins.
    pub start: usize,
    /// The first byte after it.
    pub end: usize,
}

impl Span {
    /// From the beginning of one to the end of another.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end,
        }
    }
}

/// What an expression evaluates to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// One number.
    Scalar,
    /// A number for each of several series.
    Vector,
    /// Samples over a range for each of several series.
    Matrix,
    /// A text.
    String,
}

impl ValueType {
    /// As the documentation calls it, and therefore most messages.
    #[must_use]
    pub fn documented(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            Self::String => "string",
        }
    }
}

/// An expression.
#[derive(Clone, Debug)]
pub enum Expr {
    /// A number, or a duration standing for its seconds.
    Number(NumberLiteral),
    /// A text in quotes.
    String(StringLiteral),
    /// Series by their labels, each at one time.
    Selector(Box<Selector>),
    /// Series by their labels, over a range.
    Matrix(Box<Matrix>),
    /// An expression evaluated over a range.
    Subquery(Box<Subquery>),
    /// A sign before an expression.
    Unary(Box<Unary>),
    /// An operator between two expressions.
    Binary(Box<Binary>),
    /// Series put together by their labels.
    Aggregate(Box<Aggregate>),
    /// A function with its arguments.
    Call(Box<Call>),
    /// An expression in parentheses.
    Paren(Box<Paren>),
}

/// A number.
#[derive(Clone, Debug)]
pub struct NumberLiteral {
    /// Its value; of a duration, the seconds.
    pub value: f64,
    /// Whether it was written as a duration, and is to be printed as one.
    pub duration: bool,
    /// Where it stands.
    pub span: Span,
}

/// A text.
#[derive(Clone, Debug)]
pub struct StringLiteral {
    /// Without quotes and escapes.
    pub value: String,
    /// Where it stands.
    pub span: Span,
}

/// A condition on a label.
#[derive(Clone, Debug)]
pub struct LabelMatch {
    /// The label.
    pub name: String,
    /// How it compares.
    pub op: MatchOp,
    /// The value or pattern.
    pub value: String,
    /// The condition as the store takes it.
    pub matcher: store::matcher::Matcher,
}

/// To which time a selector or subquery is pinned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At {
    /// A moment, in milliseconds since 1970.
    Time(i64),
    /// The start of the query.
    Start,
    /// The end of the query.
    End,
}

/// How samples beyond the borders of a range are taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// They are not.
    None,
    /// The last sample at or before each border counts at the border.
    Anchored,
    /// Values at the borders are interpolated.
    Smoothed,
}

/// The modifiers that a selector or a subquery may carry.
#[derive(Clone, Debug, Default)]
pub struct Shift {
    /// How far back it looks.
    pub offset: Option<Offset>,
    /// The time that it is pinned to.
    pub at: Option<At>,
}

/// An `offset` modifier.
#[derive(Clone, Debug)]
pub struct Offset {
    /// How far.
    pub duration: Duration,
    /// Whether it looks forward, `offset -5m`.
    pub negative: bool,
}

/// Series by their labels.
#[derive(Clone, Debug)]
pub struct Selector {
    /// The metric name written before the braces; empty where there is none.
    pub name: String,
    /// All conditions, that on the name included.
    pub matches: Vec<LabelMatch>,
    /// Offset and `@`.
    pub shift: Shift,
    /// `anchored` or `smoothed`.
    pub extension: Extension,
    /// Where it stands.
    pub span: Span,
}

/// A selector over a range.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Of which series.
    pub selector: Selector,
    /// Over which range.
    pub range: Duration,
    /// Where it stands.
    pub span: Span,
}

/// An expression evaluated over a range.
#[derive(Clone, Debug)]
pub struct Subquery {
    /// The expression.
    pub expr: Expr,
    /// The range.
    pub range: Duration,
    /// The step; the default where there is none.
    pub step: Option<Duration>,
    /// Offset and `@`.
    pub shift: Shift,
    /// Where it stands.
    pub span: Span,
}

/// A duration, or an expression that makes one.
#[derive(Clone, Debug)]
pub enum Duration {
    /// A literal duration, in seconds.
    Literal(NumberLiteral),
    /// The step of the query.
    Step(Span),
    /// From the start to the end of the query.
    Range(Span),
    /// The smaller of two.
    Least(Box<(Self, Self)>, Span),
    /// The larger of two.
    Greatest(Box<(Self, Self)>, Span),
    /// With its sign changed.
    Negate(Box<Self>, Span),
    /// Two put together.
    Binary(BinaryOp, Box<(Self, Self)>),
    /// In parentheses.
    Paren(Box<Self>, Span),
}

impl Duration {
    /// Where it stands.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Literal(number) => number.span,
            Self::Step(span)
            | Self::Range(span)
            | Self::Least(_, span)
            | Self::Greatest(_, span)
            | Self::Negate(_, span)
            | Self::Paren(_, span) => *span,
            Self::Binary(_, sides) => sides.0.span().to(sides.1.span()),
        }
    }
}

/// A sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// `+`
    Plus,
    /// `-`
    Minus,
}

/// A sign before an expression.
#[derive(Clone, Debug)]
pub struct Unary {
    /// The sign.
    pub sign: Sign,
    /// The expression.
    pub expr: Expr,
    /// Where it stands.
    pub span: Span,
}

/// Two expressions with an operator.
#[derive(Clone, Debug)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// What stands before it.
    pub left: Expr,
    /// What stands after it.
    pub right: Expr,
    /// How series are matched; only between vectors.
    pub matching: Matching,
    /// Whether a comparison gives 0 or 1.
    pub return_bool: bool,
}

/// Series put together.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// How.
    pub op: AggregateOp,
    /// The parameter.
    pub parameter: Option<Expr>,
    /// Of what.
    pub expr: Expr,
    /// By which labels.
    pub grouping: Grouping,
    /// Where it stands.
    pub span: Span,
}

/// A function with its arguments.
#[derive(Clone, Debug)]
pub struct Call {
    /// The function.
    pub function: &'static Function,
    /// The arguments.
    pub args: Vec<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// An expression in parentheses.
#[derive(Clone, Debug)]
pub struct Paren {
    /// The expression.
    pub expr: Expr,
    /// Where it stands.
    pub span: Span,
}

impl Expr {
    /// Where it stands in the text.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Number(number) => number.span,
            Self::String(text) => text.span,
            Self::Selector(selector) => selector.span,
            Self::Matrix(matrix) => matrix.span,
            Self::Subquery(subquery) => subquery.span,
            Self::Unary(unary) => unary.span,
            Self::Binary(binary) => binary.left.span().to(binary.right.span()),
            Self::Aggregate(aggregate) => aggregate.span,
            Self::Call(call) => call.span,
            Self::Paren(paren) => paren.span,
        }
    }

    /// What it evaluates to.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Number(_) => ValueType::Scalar,
            Self::String(_) => ValueType::String,
            Self::Selector(_) | Self::Aggregate(_) => ValueType::Vector,
            Self::Matrix(_) | Self::Subquery(_) => ValueType::Matrix,
            Self::Unary(unary) => unary.expr.value_type(),
            Self::Paren(paren) => paren.expr.value_type(),
            Self::Call(call) => call.function.returns,
            Self::Binary(binary) => {
                let sides = [binary.left.value_type(), binary.right.value_type()];
                if sides == [ValueType::Scalar; 2] {
                    ValueType::Scalar
                } else {
                    ValueType::Vector
                }
            }
        }
    }

    /// Without the parentheses around it.
    #[must_use]
    pub fn unwrapped(&self) -> &Self {
        match self {
            Self::Paren(paren) => paren.expr.unwrapped(),
            _ => self,
        }
    }

    /// The expressions directly within.
    #[must_use]
    pub fn children(&self) -> Vec<&Self> {
        match self {
            Self::Number(_) | Self::String(_) | Self::Selector(_) | Self::Matrix(_) => Vec::new(),
            Self::Subquery(subquery) => vec![&subquery.expr],
            Self::Unary(unary) => vec![&unary.expr],
            Self::Binary(binary) => vec![&binary.left, &binary.right],
            Self::Aggregate(aggregate) => aggregate
                .parameter
                .iter()
                .chain([&aggregate.expr])
                .collect(),
            Self::Call(call) => call.args.iter().collect(),
            Self::Paren(paren) => vec![&paren.expr],
        }
    }
}
