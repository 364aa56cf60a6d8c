//! An expression as the tree that Prometheus' interface for explaining queries reads.
//!
//! It recurses; how deep an expression may be, the parser bounds.

use query::promql::ast::{
    At, BinaryOp, Cardinality, Duration, Expr, Extension, Grouping, Matching, Offset, Selector,
    Shift, Sign,
};
use query::promql::{Arity, Function, LabelMatch, ValueType};

use super::json::Json;

/// Writes an expression.
pub(super) fn write(out: &mut Json, expr: &Expr) {
    out.raw("{");
    text(out, "type", type_of(expr));
    match expr {
        Expr::Number(number) => text(out, "val", &positional(number.value)),
        Expr::String(literal) => text(out, "val", &literal.value),
        Expr::Paren(paren) => child(out, "expr", Some(&paren.expr)),
        Expr::Unary(unary) => {
            text(out, "op", if unary.sign == Sign::Minus { "-" } else { "+" });
            child(out, "expr", Some(&unary.expr));
        }
        Expr::Selector(selector) => selected(out, selector),
        Expr::Matrix(matrix) => {
            selected(out, &matrix.selector);
            whole(out, "range", milliseconds(&matrix.range));
        }
        Expr::Subquery(subquery) => {
            child(out, "expr", Some(&subquery.expr));
            whole(out, "range", milliseconds(&subquery.range));
            let step = subquery.step.as_ref().map_or(0, milliseconds);
            whole(out, "step", step);
            shifted(out, &subquery.shift);
        }
        Expr::Aggregate(aggregate) => {
            text(out, "op", aggregate.op.text());
            child(out, "expr", Some(&aggregate.expr));
            child(out, "param", aggregate.parameter.as_ref());
            let (labels, without): (&[String], bool) = match &aggregate.grouping {
                Grouping::None => (&[], false),
                Grouping::By(labels) => (labels, false),
                Grouping::Without(labels) => (labels, true),
            };
            names(out, "grouping", labels);
            truth(out, "without", without);
        }
        Expr::Call(call) => {
            out.key("func");
            function(out, call.function);
            out.key("args");
            out.list(&call.args, write);
        }
        Expr::Binary(binary) => {
            text(out, "op", binary.op.text());
            child(out, "lhs", Some(&binary.left));
            child(out, "rhs", Some(&binary.right));
            truth(out, "bool", binary.return_bool);
            let types = [binary.left.value_type(), binary.right.value_type()];
            out.key("matching");
            if types == [ValueType::Vector; 2] {
                matching(out, binary.op, &binary.matching);
            } else {
                out.raw("null");
            }
        }
    }
    out.end_object();
}

fn type_of(expr: &Expr) -> &'static str {
    match expr {
        Expr::Number(_) => "numberLiteral",
        Expr::String(_) => "stringLiteral",
        Expr::Paren(_) => "parenExpr",
        Expr::Unary(_) => "unaryExpr",
        Expr::Selector(_) => "vectorSelector",
        Expr::Matrix(_) => "matrixSelector",
        Expr::Subquery(_) => "subquery",
        Expr::Aggregate(_) => "aggregation",
        Expr::Call(_) => "call",
        Expr::Binary(_) => "binaryExpr",
    }
}

fn selected(out: &mut Json, selector: &Selector) {
    text(out, "name", &selector.name);
    shifted(out, &selector.shift);
    out.key("matchers");
    out.list(
        &selector.matches,
        |out,
         LabelMatch {
             name, op, value, ..
         }| {
            out.raw("{");
            text(out, "name", name);
            text(out, "type", op.text());
            text(out, "value", value);
            out.end_object();
        },
    );
    truth(out, "anchored", selector.extension == Extension::Anchored);
    truth(out, "smoothed", selector.extension == Extension::Smoothed);
}

fn shifted(out: &mut Json, shift: &Shift) {
    let offset = shift.offset.as_ref();
    let offset = offset.map_or(0, |Offset { duration, negative }| {
        let length = milliseconds(duration);
        if *negative { -length } else { length }
    });
    whole(out, "offset", offset);
    let (timestamp, edge) = match shift.at {
        None => (None, None),
        Some(At::Time(at_ms)) => (Some(at_ms), None),
        Some(At::Start) => (None, Some("start")),
        Some(At::End) => (None, Some("end")),
    };
    match timestamp {
        Some(at_ms) => whole(out, "timestamp", at_ms),
        None => null(out, "timestamp"),
    }
    match edge {
        Some(edge) => text(out, "startOrEnd", edge),
        None => null(out, "startOrEnd"),
    }
}

fn function(out: &mut Json, function: &Function) {
    out.raw("{");
    text(out, "name", function.name);
    out.key("argTypes");
    out.list(function.args, |out, kind| out.string(word(*kind)));
    let variadic = match function.arity {
        Arity::Exact => 0,
        Arity::LastOptional => 1,
        Arity::LastRepeated(times) => i64::try_from(times).unwrap_or(-1),
        Arity::Unbounded => -1,
    };
    whole(out, "variadic", variadic);
    text(out, "returnType", word(function.returns));
    out.end_object();
}

fn matching(out: &mut Json, op: BinaryOp, matching: &Matching) {
    out.raw("{");
    let cardinality = match matching.cardinality {
        _ if op.is_set() => "many-to-many",
        Cardinality::OneToOne => "one-to-one",
        Cardinality::ManyToOne => "many-to-one",
        Cardinality::OneToMany => "one-to-many",
        Cardinality::ManyToMany => "many-to-many",
    };
    text(out, "card", cardinality);
    names(out, "labels", &matching.labels);
    truth(out, "on", matching.on);
    names(out, "include", &matching.include);
    out.key("fillValues");
    out.raw("{");
    for (side, fill) in [("lhs", matching.fill_left), ("rhs", matching.fill_right)] {
        out.key(side);
        match fill.filter(|fill| fill.is_finite()) {
            Some(fill) => out.raw(&fill.to_string()),
            None => out.raw("null"),
        }
    }
    out.end_object();
    out.end_object();
}

fn word(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Scalar => "scalar",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
        ValueType::String => "string",
    }
}

/// Of an expression of durations, which has a value only at a time, nothing is said.
fn milliseconds(duration: &Duration) -> i64 {
    match duration {
        #[allow(clippy::cast_possible_truncation)]
        Duration::Literal(seconds) => (seconds.value * 1_000.0).round() as i64,
        _ => 0,
    }
}

fn positional(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

fn text(out: &mut Json, key: &str, value: &str) {
    out.key(key);
    out.string(value);
}

fn whole(out: &mut Json, key: &str, value: i64) {
    out.key(key);
    out.raw(&value.to_string());
}

fn truth(out: &mut Json, key: &str, value: bool) {
    out.key(key);
    out.raw(if value { "true" } else { "false" });
}

fn null(out: &mut Json, key: &str) {
    out.key(key);
    out.raw("null");
}

fn names(out: &mut Json, key: &str, names: &[String]) {
    out.key(key);
    out.list(names, |out, name| out.string(name));
}

fn child(out: &mut Json, key: &str, expr: Option<&Expr>) {
    match expr {
        Some(expr) => {
            out.key(key);
            write(out, expr);
        }
        None => null(out, key),
    }
}

#[cfg(test)]
mod tests;
