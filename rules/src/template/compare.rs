//! Comparisons, which in templates are between values of the same basic kind.

use std::cmp::Ordering;

use super::value::Value;

const BAD: &str = "incompatible types for comparison";
const MISSING: &str = "missing argument for comparison";

/// `eq`: whether the first is equal to any of the others.
pub(super) fn equal(values: &[Value]) -> Result<Value, String> {
    let Some((first, others)) = values.split_first() else {
        return Err("wrong number of args: want at least 1 got 0".to_owned());
    };
    if others.is_empty() {
        return Err(MISSING.to_owned());
    }
    for other in others {
        if same(first, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

/// `ne`
pub(super) fn unequal(values: &[Value]) -> Result<Value, String> {
    let [one, other] = pair(values)?;
    same(one, other).map(|same| Value::Bool(!same))
}

/// `lt`
pub(super) fn less(values: &[Value]) -> Result<Value, String> {
    order(values, |order| order == Some(Ordering::Less))
}

/// `le`
pub(super) fn less_or_equal(values: &[Value]) -> Result<Value, String> {
    order(values, |order| order.is_some_and(Ordering::is_le))
}

/// `gt`
pub(super) fn greater(values: &[Value]) -> Result<Value, String> {
    // As in Go, where it is the opposite of `le`, also for what is not a number.
    order(values, |order| !order.is_some_and(Ordering::is_le))
}

/// `ge`
pub(super) fn greater_or_equal(values: &[Value]) -> Result<Value, String> {
    order(values, |order| order != Some(Ordering::Less))
}

fn order(values: &[Value], fits: fn(Option<Ordering>) -> bool) -> Result<Value, String> {
    let [one, other] = pair(values)?;
    let order = match (one, other) {
        (Value::Int(one), Value::Int(other)) | (Value::Duration(one), Value::Duration(other)) => {
            one.partial_cmp(other)
        }
        (Value::Float(one), Value::Float(other)) => one.partial_cmp(other),
        (Value::Text(one), Value::Text(other)) => one.partial_cmp(other),
        (one, other) if is_basic(one) && is_basic(other) && kind(one) != kind(other) => {
            return Err(BAD.to_owned());
        }
        _ => return Err("invalid type for comparison".to_owned()),
    };
    Ok(Value::Bool(fits(order)))
}

fn pair(values: &[Value]) -> Result<[&Value; 2], String> {
    match values {
        [one, other] => Ok([one, other]),
        _ => Err(format!("wrong number of args: want 2 got {}", values.len())),
    }
}

#[allow(clippy::float_cmp)]
fn same(one: &Value, other: &Value) -> Result<bool, String> {
    match (one, other) {
        (Value::Nil, other) | (other, Value::Nil) => Ok(matches!(other, Value::Nil)),
        (Value::Bool(one), Value::Bool(other)) => Ok(one == other),
        (Value::Int(one), Value::Int(other)) | (Value::Duration(one), Value::Duration(other)) => {
            Ok(one == other)
        }
        (Value::Duration(one), Value::Int(other)) | (Value::Int(one), Value::Duration(other)) => {
            Ok(one == other)
        }
        (Value::Float(one), Value::Float(other)) => Ok(one == other),
        (Value::Text(one), Value::Text(other)) => Ok(one == other),
        (Value::Time(one), Value::Time(other)) => Ok(one == other),
        (one, other) => match [one, other].into_iter().find(|value| !is_basic(value)) {
            Some(value) => Err(format!("uncomparable type {}", value.type_name())),
            None => Err(BAD.to_owned()),
        },
    }
}

fn is_basic(value: &Value) -> bool {
    !matches!(value, Value::List(_) | Value::Map(_) | Value::Object(_))
}

fn kind(value: &Value) -> std::mem::Discriminant<Value> {
    std::mem::discriminant(value)
}
