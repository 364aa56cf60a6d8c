//! The same expression pinned to a time, which must then give the same at any time of evaluation.

use crate::promql::ast::{At, Duration, Expr, Shift};
use crate::promql::functions::{Body, Constant};
use crate::promql::may_vary;

/// The expression with every selector and subquery pinned; nothing if it would not stay the same.
pub(super) fn pinned(expr: &Expr, at_ms: i64) -> Option<String> {
    if any(expr, &varies) || any(expr, &refers_to_query) {
        return None;
    }
    let mut pinned = expr.clone();
    pin(&mut pinned, at_ms);
    Some(pinned.to_string())
}

/// Whether an expression refers to the start, the end or the step of the query it stands in.
pub(super) fn refers_to_query(expr: &Expr) -> bool {
    let in_shift = |shift: &Shift| {
        matches!(shift.at, Some(At::Start | At::End))
            || shift
                .offset
                .as_ref()
                .is_some_and(|offset| duration_refers(&offset.duration))
    };
    match expr {
        Expr::Selector(selector) => in_shift(&selector.shift),
        Expr::Matrix(matrix) => in_shift(&matrix.selector.shift) || duration_refers(&matrix.range),
        Expr::Subquery(subquery) => {
            in_shift(&subquery.shift)
                || duration_refers(&subquery.range)
                || subquery.step.as_ref().is_some_and(duration_refers)
        }
        Expr::Call(call) => {
            matches!(call.function.body, Body::Constant(constant) if constant != Constant::Pi)
        }
        _ => false,
    }
}

/// Whether anything in an expression is so.
pub(super) fn any(expr: &Expr, is_so: &impl Fn(&Expr) -> bool) -> bool {
    is_so(expr) || expr.children().into_iter().any(|child| any(child, is_so))
}

fn varies(expr: &Expr) -> bool {
    matches!(expr, Expr::Call(call) if may_vary(call.function.name, &call.function.body))
}

fn duration_refers(duration: &Duration) -> bool {
    match duration {
        Duration::Literal(_) => false,
        Duration::Step(_) | Duration::Range(_) => true,
        Duration::Negate(inner, _) | Duration::Paren(inner, _) => duration_refers(inner),
        Duration::Least(sides, _) | Duration::Greatest(sides, _) | Duration::Binary(_, sides) => {
            duration_refers(&sides.0) || duration_refers(&sides.1)
        }
    }
}

fn pin(expr: &mut Expr, at_ms: i64) {
    let at = At::Time(at_ms);
    match expr {
        Expr::Number(_) | Expr::String(_) => {}
        Expr::Selector(selector) => _ = selector.shift.at.get_or_insert(at),
        Expr::Matrix(matrix) => _ = matrix.selector.shift.at.get_or_insert(at),
        // What is within is evaluated at the subquery's times.
        Expr::Subquery(subquery) => _ = subquery.shift.at.get_or_insert(at),
        Expr::Unary(unary) => pin(&mut unary.expr, at_ms),
        Expr::Paren(paren) => pin(&mut paren.expr, at_ms),
        Expr::Binary(binary) => {
            pin(&mut binary.left, at_ms);
            pin(&mut binary.right, at_ms);
        }
        Expr::Aggregate(aggregate) => {
            if let Some(parameter) = &mut aggregate.parameter {
                pin(parameter, at_ms);
            }
            pin(&mut aggregate.expr, at_ms);
        }
        Expr::Call(call) => call.args.iter_mut().for_each(|arg| pin(arg, at_ms)),
    }
}
