//! Writes expressions as text that reads back as the same expression.
//!
//! [`fmt::Display`] writes one line; [`pretty`] breaks long ones, as `format_query` does.

mod pretty;
mod text;

use std::fmt;

use store::labels::METRIC_NAME;

use super::ast::{
    Aggregate, At, Binary, BinaryOp, Cardinality, Duration, Expr, Extension, Grouping, LabelMatch,
    MatchOp, NumberLiteral, Offset, Selector, Shift, Sign,
};

pub use pretty::pretty;
pub use text::{duration, go_float, quote};

/// What is raised to a power, which binds tighter than a sign: infinity's own would be read as one of all of
/// it.
struct Tight<'a>(&'a Expr);

impl fmt::Display for Tight<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Expr::Number(number) if number.value == f64::INFINITY => f.write_str("Inf"),
            expr => write!(f, "{expr}"),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::String(text) => f.write_str(&quote(&text.value)),
            Self::Selector(selector) => write!(f, "{selector}"),
            Self::Matrix(matrix) => {
                let selector = &matrix.selector;
                write_series(f, selector)?;
                write!(f, "[{}]", matrix.range)?;
                write_extension(f, selector.extension)?;
                write!(f, "{}", selector.shift)
            }
            Self::Subquery(subquery) => {
                write!(f, "{}[{}:", subquery.expr, subquery.range)?;
                if let Some(step) = &subquery.step {
                    write!(f, "{step}")?;
                }
                write!(f, "]{}", subquery.shift)
            }
            Self::Unary(unary) => {
                let sign = if unary.sign == Sign::Minus { '-' } else { '+' };
                write!(f, "{sign}{}", unary.expr)
            }
            Self::Binary(binary) => {
                let operator = OperatorText(binary);
                match binary.op {
                    BinaryOp::Pow => write!(f, "{}", Tight(&binary.left))?,
                    _ => write!(f, "{}", binary.left)?,
                }
                write!(f, " {operator} {}", binary.right)
            }
            Self::Aggregate(aggregate) => {
                write!(f, "{}(", AggregateText(aggregate))?;
                if let Some(parameter) = &aggregate.parameter {
                    write!(f, "{parameter}, ")?;
                }
                write!(f, "{})", aggregate.expr)
            }
            Self::Call(call) => {
                let args: Vec<String> = call.args.iter().map(ToString::to_string).collect();
                write!(f, "{}({})", call.function.name, args.join(", "))
            }
            Self::Paren(paren) => write!(f, "({})", paren.expr),
        }
    }
}

impl fmt::Display for NumberLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.duration {
            f.write_str(&signed_duration(self.value))
        } else {
            f.write_str(&go_float(self.value))
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_series(f, self)?;
        write_extension(f, self.extension)?;
        write!(f, "{}", self.shift)
    }
}

impl fmt::Display for LabelMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = quote(&self.value);
        write!(
            f,
            "{}{}{value}",
            text::label_name(&self.name),
            self.op.text()
        )
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            None => {}
            #[allow(clippy::cast_precision_loss)]
            Some(At::Time(at_ms)) => write!(f, " @ {:.3}", at_ms as f64 / 1000.0)?,
            Some(At::Start) => f.write_str(" @ start()")?,
            Some(At::End) => f.write_str(" @ end()")?,
        }
        match &self.offset {
            None => Ok(()),
            Some(Offset { duration, negative }) => {
                let sign = if *negative { "-" } else { "" };
                write!(f, " offset {sign}{duration}")
            }
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(number) => f.write_str(&signed_duration(number.value)),
            Self::Step(_) => f.write_str("step()"),
            Self::Range(_) => f.write_str("range()"),
            Self::Least(sides, _) => write!(f, "min({}, {})", part(&sides.0), part(&sides.1)),
            Self::Greatest(sides, _) => write!(f, "max({}, {})", part(&sides.0), part(&sides.1)),
            Self::Negate(inner, _) => write!(f, "-{}", part(inner)),
            Self::Binary(op, sides) => {
                write!(f, "{} {} {}", part(&sides.0), op.text(), part(&sides.1))
            }
            Self::Paren(inner, _) => write!(f, "({})", part(inner)),
        }
    }
}

/// An operator with its modifiers.
struct OperatorText<'a>(&'a Binary);

impl fmt::Display for OperatorText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let matching = &self.0.matching;
        f.write_str(self.0.op.text())?;
        if self.0.return_bool {
            f.write_str(" bool")?;
        }
        let groups = match matching.cardinality {
            Cardinality::ManyToOne => Some("group_left"),
            Cardinality::OneToMany => Some("group_right"),
            Cardinality::OneToOne | Cardinality::ManyToMany => None,
        };
        if matching.on || !matching.labels.is_empty() || groups.is_some() {
            let word = if matching.on { "on" } else { "ignoring" };
            write!(f, " {word} ({})", label_list(&matching.labels))?;
        }
        if let Some(word) = groups {
            write!(f, " {word} ({})", label_list(&matching.include))?;
        }
        match (matching.fill_left, matching.fill_right) {
            (Some(left), Some(right)) if left == right => write!(f, " fill ({})", go_float(left)),
            (left, right) => {
                if let Some(value) = left {
                    write!(f, " fill_left ({})", go_float(value))?;
                }
                if let Some(value) = right {
                    write!(f, " fill_right ({})", go_float(value))?;
                }
                Ok(())
            }
        }
    }
}

/// An aggregation with its grouping.
struct AggregateText<'a>(&'a Aggregate);

impl fmt::Display for AggregateText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.op.text())?;
        match &self.0.grouping {
            Grouping::Without(labels) => write!(f, " without ({}) ", label_list(labels)),
            Grouping::By(labels) if !labels.is_empty() => {
                write!(f, " by ({}) ", label_list(labels))
            }
            Grouping::By(_) | Grouping::None => Ok(()),
        }
    }
}

/// A part of a duration: there, a number may be one, and not seconds.
fn part(duration: &Duration) -> String {
    match duration {
        Duration::Literal(number) => number.to_string(),
        other => other.to_string(),
    }
}

fn label_list(labels: &[String]) -> String {
    let names: Vec<_> = labels.iter().map(|label| text::label_name(label)).collect();
    names.join(", ")
}

fn signed_duration(seconds: f64) -> String {
    #[allow(clippy::cast_possible_truncation)]
    let ms = (seconds * 1000.0).round() as i64;
    let sign = if ms < 0 { "-" } else { "" };
    format!("{sign}{}", duration(ms.saturating_abs()))
}

fn write_series(f: &mut fmt::Formatter<'_>, selector: &Selector) -> fmt::Result {
    let plain = text::is_metric_name(&selector.name);
    let mut parts = Vec::new();
    if !selector.name.is_empty() && !plain {
        parts.push(quote(&selector.name));
    }
    let implied = |known: &LabelMatch| {
        !selector.name.is_empty() && known.name == METRIC_NAME && known.op == MatchOp::Equal
    };
    parts.extend(
        selector
            .matches
            .iter()
            .filter(|known| !implied(known))
            .map(ToString::to_string),
    );
    if plain {
        f.write_str(&selector.name)?;
    }
    if parts.is_empty() && plain {
        return Ok(());
    }
    write!(f, "{{{}}}", parts.join(","))
}

fn write_extension(f: &mut fmt::Formatter<'_>, extension: Extension) -> fmt::Result {
    f.write_str(match extension {
        Extension::None => "",
        Extension::Anchored => " anchored",
        Extension::Smoothed => " smoothed",
    })
}
