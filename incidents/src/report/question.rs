//! What the rule of an alert asks for, as it is drawn: the expression before it is compared, and the
//! bound that it is compared with.

use query::promql::Expr;
use query::promql::ast::{Binary, BinaryOp, Sign};

/// What is drawn for a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The expression.
    pub expr: String,
    /// What it is compared with, where that is a number.
    pub bound: Option<Bound>,
}

/// What an expression is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The number.
    pub value: f64,
    /// On which side the alert fires.
    pub side: Side,
}

/// On which side of a bound an alert fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Above it.
    Above,
    /// Below it.
    Below,
    /// At it, or anywhere but at it.
    At,
}

/// Conditions of one rule that are drawn at the most.
const MOST: usize = 3;

/// Functions that change labels or order, and no value.
const TRANSPARENT: [&str; 6] = [
    "label_replace",
    "label_join",
    "sort",
    "sort_desc",
    "sort_by_label",
    "sort_by_label_desc",
];

impl Question {
    /// What is drawn for an expression: every condition that must hold, or one of them.
    #[must_use]
    pub fn of(expr: &Expr) -> Vec<Self> {
        let mut found = Vec::new();
        gather(expr, &mut found);
        found.truncate(MOST);
        found
    }
}

fn gather(expr: &Expr, found: &mut Vec<Question>) {
    match expr {
        Expr::Paren(paren) => gather(&paren.expr, found),
        Expr::Binary(binary) => match binary.op {
            BinaryOp::And | BinaryOp::Or => {
                gather(&binary.left, found);
                gather(&binary.right, found);
            }
            // What must not be there has no line of its own.
            BinaryOp::Unless => gather(&binary.left, found),
            op if op.is_comparison() && !binary.return_bool => found.push(compared(binary)),
            _ => found.push(unbounded(expr)),
        },
        Expr::Call(call) if TRANSPARENT.contains(&call.function.name) => {
            if let Some(inner) = call.args.first() {
                gather(inner, found);
            }
        }
        // A number by itself says nothing.
        Expr::Number(_) | Expr::String(_) => {}
        _ => found.push(unbounded(expr)),
    }
}

fn unbounded(expr: &Expr) -> Question {
    Question {
        expr: expr.to_string(),
        bound: None,
    }
}

fn compared(binary: &Binary) -> Question {
    let (shown, value, op) = match (constant(&binary.left), constant(&binary.right)) {
        (_, Some(value)) => (&binary.left, Some(value), binary.op),
        (Some(value), None) => (&binary.right, Some(value), turned(binary.op)),
        (None, None) => (&binary.left, None, binary.op),
    };
    let side = match op {
        BinaryOp::Greater | BinaryOp::GreaterOrEqual => Side::Above,
        BinaryOp::Less | BinaryOp::LessOrEqual => Side::Below,
        _ => Side::At,
    };
    let mut shown = shown;
    while let Expr::Paren(paren) = shown {
        shown = &paren.expr;
    }
    Question {
        expr: shown.to_string(),
        bound: value.map(|value| Bound { value, side }),
    }
}

fn turned(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterOrEqual => BinaryOp::LessOrEqual,
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessOrEqual => BinaryOp::GreaterOrEqual,
        other => other,
    }
}

/// The number that an expression is without looking at any series: `5 * 1024 * 1024`.
fn constant(expr: &Expr) -> Option<f64> {
    let value = match expr {
        Expr::Number(number) => number.value,
        Expr::Paren(paren) => constant(&paren.expr)?,
        Expr::Unary(unary) => {
            let value = constant(&unary.expr)?;
            if matches!(unary.sign, Sign::Minus) {
                -value
            } else {
                value
            }
        }
        Expr::Binary(binary) => {
            let (left, right) = (constant(&binary.left)?, constant(&binary.right)?);
            match binary.op {
                BinaryOp::Add => left + right,
                BinaryOp::Sub => left - right,
                BinaryOp::Mul => left * right,
                BinaryOp::Div => left / right,
                BinaryOp::Pow => left.powf(right),
                _ => return None,
            }
        }
        _ => return None,
    };
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_taken_apart() {
        let check = |expr: &str, expected: &[(&str, Option<(f64, Side)>)]| {
            let parsed = query::promql::parse(expr).unwrap();
            let found = Question::of(&parsed);
            let found: Vec<(&str, Option<(f64, Side)>)> = found
                .iter()
                .map(|one| (one.expr.as_str(), one.bound.map(|it| (it.value, it.side))))
                .collect();
            assert_eq!(found, expected, "{expr}");
        };
        check("pg_up == 0", &[("pg_up", Some((0.0, Side::At)))]);
        check("(a / b) > 0.9", &[("a / b", Some((0.9, Side::Above)))]);
        check("-5 >= a", &[("a", Some((-5.0, Side::Below)))]);
        check(
            "a > 5 * 1024 ^ 3 and on (job) b == 1",
            &[
                ("a", Some((5.0 * 1024f64.powi(3), Side::Above))),
                ("b", Some((1.0, Side::At))),
            ],
        );
        check(
            r#"label_replace(sum by (i) (a) < 1, "h", "$1", "i", "(.*)") unless b"#,
            &[("sum by (i) (a)", Some((1.0, Side::Below)))],
        );
        check("a > on (x) b", &[("a", None)]);
        check("absent(a)", &[("absent(a)", None)]);
        check("a > bool 5", &[("a > bool 5", None)]);
        check("1", &[]);
        check(
            "a > 1 or b > 1 or c > 1 or d > 1",
            &[
                ("a", Some((1.0, Side::Above))),
                ("b", Some((1.0, Side::Above))),
                ("c", Some((1.0, Side::Above))),
            ],
        );
    }
}
