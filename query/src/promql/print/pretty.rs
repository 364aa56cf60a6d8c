//! Breaks long expressions into lines, as Prometheus' `format_query` does.

use super::{AggregateText, OperatorText, Tight};
use crate::promql::ast::{Binary, BinaryOp, Expr, Sign};

/// A line may be so long.
const WIDTH: usize = 100;

/// The expression, over several lines if it is long.
#[must_use]
pub fn pretty(expr: &Expr) -> String {
    at_level(expr, 0)
}

fn at_level(expr: &Expr, level: usize) -> String {
    let indent = "  ".repeat(level);
    let line = expr.to_string();
    if line.chars().count() <= WIDTH {
        return indent + &line;
    }
    match expr {
        Expr::Number(_) | Expr::String(_) | Expr::Selector(_) | Expr::Matrix(_) => indent + &line,
        Expr::Paren(paren) => {
            format!("{indent}(\n{}\n{indent})", at_level(&paren.expr, level + 1))
        }
        Expr::Unary(unary) => {
            let sign = if unary.sign == Sign::Minus { '-' } else { '+' };
            format!("{indent}{sign}{}", at_level(&unary.expr, level).trim())
        }
        Expr::Binary(binary) => format!(
            "{}\n{indent}{}\n{}",
            left(binary, level + 1),
            OperatorText(binary),
            at_level(&binary.right, level + 1)
        ),
        Expr::Subquery(subquery) => {
            let inner = subquery.expr.to_string().len();
            let suffix = line.get(inner..).unwrap_or_default();
            at_level(&subquery.expr, level) + suffix
        }
        Expr::Aggregate(aggregate) => {
            let args = aggregate.parameter.iter().chain([&aggregate.expr]);
            let head = AggregateText(aggregate).to_string();
            format!("{indent}{head}(\n{}\n{indent})", lines(args, level + 1))
        }
        Expr::Call(call) => {
            let name = call.function.name;
            format!(
                "{indent}{name}(\n{}\n{indent})",
                lines(call.args.iter(), level + 1)
            )
        }
    }
}

fn left(binary: &Binary, level: usize) -> String {
    match (binary.op, &binary.left) {
        (BinaryOp::Pow, number @ Expr::Number(_)) => {
            "  ".repeat(level) + &Tight(number).to_string()
        }
        (_, left) => at_level(left, level),
    }
}

fn lines<'a>(args: impl Iterator<Item = &'a Expr>, level: usize) -> String {
    let lines: Vec<_> = args.map(|arg| at_level(arg, level)).collect();
    lines.join(",\n")
}
