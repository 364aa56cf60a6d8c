//! What is there, whether a condition holds or not: an alert's expression without its conditions.
//!
//! A comparison filters; with `bool` it says 0 or 1 and keeps what it was asked about. So every
//! comparison of the expression gets a `bool`, and what is excluded by `unless` comes back. An
//! expression that is about something missing has no such counterpart.

use query::promql::{Expr, Query};

/// The query that has a result for every series that an expression judges; nothing if there is none.
pub(super) fn of(query: &Query) -> Option<Query> {
    if asks_for_absence(query.expr()) {
        return None;
    }
    let mut expr = query.expr().clone();
    keep(&mut expr);
    Query::parse(&expr.to_string()).ok()
}

fn asks_for_absence(expr: &Expr) -> bool {
    let is_so = matches!(expr, Expr::Call(call) if call.function.name.starts_with("absent"));
    is_so || expr.children().into_iter().any(asks_for_absence)
}

fn keep(expr: &mut Expr) {
    match expr {
        Expr::Number(_) | Expr::String(_) | Expr::Selector(_) | Expr::Matrix(_) => {}
        Expr::Subquery(subquery) => keep(&mut subquery.expr),
        Expr::Unary(unary) => keep(&mut unary.expr),
        Expr::Paren(paren) => keep(&mut paren.expr),
        Expr::Aggregate(aggregate) => keep(&mut aggregate.expr),
        Expr::Call(call) => call.args.iter_mut().for_each(keep),
        Expr::Binary(binary) => {
            keep(&mut binary.left);
            keep(&mut binary.right);
            if binary.op.text() == "unless" {
                *expr = binary.left.clone();
            } else if binary.op.is_comparison() {
                binary.return_bool = true;
            }
        }
    }
}
