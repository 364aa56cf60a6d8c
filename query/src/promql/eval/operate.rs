//! Operators on numbers, and between a vector and a scalar.

use super::Evaluator;
use super::row::{ABSENT, Row, Sink, is_absent};
use crate::promql::ast::BinaryOp;
use crate::promql::error::QueryError;
use crate::promql::plan::{Grid, ScalarSide, WithScalar};

/// An operator between scalars; comparisons give 1 or 0.
pub(super) fn on_scalars(op: BinaryOp, left: f64, right: f64) -> f64 {
    if op.is_comparison() {
        f64::from(u8::from(compare(op, left, right)))
    } else {
        arithmetic(op, left, right)
    }
}

/// What an operator between samples gives; of a comparison that filters, `kept` where it holds.
#[inline]
pub(super) fn on_samples(op: BinaryOp, return_bool: bool, sides: (f64, f64), kept: f64) -> f64 {
    let (left, right) = sides;
    if !op.is_comparison() {
        return arithmetic(op, left, right);
    }
    match (return_bool, compare(op, left, right)) {
        (true, holds) => f64::from(u8::from(holds)),
        (false, true) => kept,
        (false, false) => ABSENT,
    }
}

/// Whether what an operator gives is no longer what the metric's name says.
pub(super) fn drops_name(op: BinaryOp, return_bool: bool) -> bool {
    return_bool || !op.is_comparison()
}

impl Evaluator<'_> {
    pub(super) fn with_scalar(
        &self,
        operation: &WithScalar,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let scalars = self.scalar(&operation.scalar, grid)?;
        let (op, return_bool) = (operation.op, operation.return_bool);
        self.vector(&operation.vector, grid, &mut |mut row: Row| {
            let mut any = false;
            for (value, scalar) in row.values.iter_mut().zip(&scalars) {
                if is_absent(*value) {
                    continue;
                }
                let sides = match operation.side {
                    ScalarSide::Left => (*scalar, *value),
                    ScalarSide::Right => (*value, *scalar),
                };
                *value = on_samples(op, return_bool, sides, *value);
                any |= !is_absent(*value);
            }
            row.unnamed |= drops_name(op, return_bool);
            if any { sink(row) } else { Ok(()) }
        })
    }
}

#[inline]
fn arithmetic(op: BinaryOp, left: f64, right: f64) -> f64 {
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
        BinaryOp::Atan2 => left.atan2(right),
        // The parser lets only these be asked of numbers.
        _ => f64::NAN,
    }
}

#[inline]
#[allow(clippy::float_cmp)]
fn compare(op: BinaryOp, left: f64, right: f64) -> bool {
    match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Less => left < right,
        BinaryOp::LessOrEqual => left <= right,
        BinaryOp::Greater => left > right,
        BinaryOp::GreaterOrEqual => left >= right,
        _ => false,
    }
}
