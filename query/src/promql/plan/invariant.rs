//! Which expressions give the same at every time.

use crate::promql::ast::Expr;
use crate::promql::functions::Body;

/// Whether an expression gives the same at every time of evaluation.
pub(crate) fn is_invariant(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) | Expr::String(_) => true,
        Expr::Selector(selector) => selector.shift.at.is_some(),
        Expr::Matrix(matrix) => matrix.selector.shift.at.is_some(),
        Expr::Subquery(subquery) => subquery.shift.at.is_some(),
        Expr::Call(call) if may_vary(call.function.name, &call.function.body) => false,
        _ => expr.children().into_iter().all(is_invariant),
    }
}

/// Whether a function depends on the time of evaluation whatever its arguments are.
pub(crate) fn may_vary(name: &str, body: &Body) -> bool {
    matches!(
        body,
        Body::Date(_) | Body::Time | Body::Timestamp | Body::Info
    ) || name == "predict_linear"
}
