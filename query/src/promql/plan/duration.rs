//! Durations as numbers.

use crate::promql::ast::{BinaryOp, Duration};
use crate::promql::error::QueryError;

/// What durations may refer to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueryTimes {
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    pub(crate) step_ms: i64,
}

/// Longer ones could not be added to a time; 2,850 years.
const LONGEST_SECONDS: f64 = 9e10;

/// A duration in milliseconds.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn resolve(duration: &Duration, times: QueryTimes) -> Result<i64, QueryError> {
    let seconds = seconds(duration, times)?;
    if seconds.is_nan() || seconds.abs() > LONGEST_SECONDS {
        return Err(QueryError::Invalid("duration is out of range".to_owned()));
    }
    Ok((seconds * 1000.0).round() as i64)
}

/// A duration that must be more than nothing.
pub(super) fn resolve_positive(duration: &Duration, times: QueryTimes) -> Result<i64, QueryError> {
    let ms = resolve(duration, times)?;
    if ms <= 0 {
        return Err(QueryError::Invalid(
            "duration must be greater than 0".to_owned(),
        ));
    }
    Ok(ms)
}

#[allow(clippy::cast_precision_loss)]
fn seconds(duration: &Duration, times: QueryTimes) -> Result<f64, QueryError> {
    let both = |sides: &(Duration, Duration)| {
        Ok::<_, QueryError>((seconds(&sides.0, times)?, seconds(&sides.1, times)?))
    };
    Ok(match duration {
        Duration::Literal(number) => number.value,
        Duration::Step(_) => times.step_ms as f64 / 1000.0,
        Duration::Range(_) => (times.end_ms - times.start_ms) as f64 / 1000.0,
        Duration::Paren(inner, _) => seconds(inner, times)?,
        Duration::Negate(inner, _) => -seconds(inner, times)?,
        Duration::Least(sides, _) => {
            let (first, second) = both(sides)?;
            first.min(second)
        }
        Duration::Greatest(sides, _) => {
            let (first, second) = both(sides)?;
            first.max(second)
        }
        Duration::Binary(op, sides) => {
            let (left, right) = both(sides)?;
            arithmetic(*op, left, right)?
        }
    })
}

fn arithmetic(op: BinaryOp, left: f64, right: f64) -> Result<f64, QueryError> {
    Ok(match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Pow => left.powf(right),
        BinaryOp::Div if right == 0.0 => {
            return Err(QueryError::Invalid("division by zero".to_owned()));
        }
        BinaryOp::Mod if right == 0.0 => {
            return Err(QueryError::Invalid("modulo by zero".to_owned()));
        }
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        _ => {
            return Err(QueryError::Invalid(
                "unexpected operator in a duration".to_owned(),
            ));
        }
    })
}
