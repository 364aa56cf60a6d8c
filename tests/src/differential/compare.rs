//! Whether two answers of the API say the same.

use serde_json::Value;

/// Sums are taken in another order or with another correction; the last digits may differ.
const RELATIVE: f64 = 1e-9;

/// What is left where equal numbers are subtracted.
const ABSOLUTE: f64 = 1e-9;

/// Whether the order of the series means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// It is what the query asked for.
    Asked,
    /// It is not: Prometheus 2 does not sort instant vectors.
    Any,
}

/// The first difference; nothing if there is none. Warnings and the wording of errors do not count.
#[must_use]
pub fn difference(ours: &Value, theirs: &Value, order: Order) -> Option<String> {
    for key in ["httpStatus", "status", "errorType"] {
        if ours.get(key) != theirs.get(key) {
            let error = |answer: &Value| {
                answer
                    .get("error")
                    .map_or_else(|| answer.to_string(), ToString::to_string)
            };
            return Some(format!(
                "{key}: {} / {}",
                cut(&error(ours)),
                cut(&error(theirs))
            ));
        }
    }
    let (ours, theirs) = (&ours["data"], &theirs["data"]);
    if ours["resultType"] != theirs["resultType"] {
        return Some(format!(
            "type: {} / {}",
            ours["resultType"], theirs["resultType"]
        ));
    }
    let (mut ours, mut theirs) = (ours["result"].clone(), theirs["result"].clone());
    if order == Order::Any {
        sort(&mut ours);
        sort(&mut theirs);
    }
    differ(&ours, &theirs, "")
}

/// Series by their labels; what is no list of series stays as it is.
fn sort(result: &mut Value) {
    if let Some(series) = result.as_array_mut()
        && series.iter().all(Value::is_object)
    {
        series.sort_by_cached_key(|series| series["metric"].to_string());
    }
}

fn differ(ours: &Value, theirs: &Value, path: &str) -> Option<String> {
    match (ours, theirs) {
        (Value::Array(ours), Value::Array(theirs)) => {
            let pairs = ours.iter().zip(theirs).enumerate();
            let mut found = pairs
                .map(|(place, (ours, theirs))| differ(ours, theirs, &format!("{path}[{place}]")));
            let (here, there) = (ours.len(), theirs.len());
            found.find_map(|found| found).or_else(|| {
                (here != there).then(|| format!("{path}: {here} entries / {there} entries"))
            })
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            let keys = ours.keys().chain(theirs.keys());
            let none = Value::Null;
            let mut found = keys.map(|key| {
                let of = |object: &serde_json::Map<String, Value>| {
                    object.get(key).unwrap_or(&none).clone()
                };
                differ(&of(ours), &of(theirs), &format!("{path}.{key}"))
            });
            found.find_map(|found| found)
        }
        (Value::String(one), Value::String(other)) if same_number(one, other) => None,
        (one, other) if one == other => None,
        (one, other) => Some(format!(
            "{path}: {} / {}",
            cut(&one.to_string()),
            cut(&other.to_string())
        )),
    }
}

fn same_number(one: &str, other: &str) -> bool {
    let texts = (one, other);
    let (Ok(one), Ok(other)) = (one.parse::<f64>(), other.parse::<f64>()) else {
        return false;
    };
    if one.to_bits() == other.to_bits() {
        // A number has one way to be written.
        return texts.0 == texts.1;
    }
    if one.is_nan() || other.is_nan() {
        return one.is_nan() && other.is_nan();
    }
    one == other || (one - other).abs() <= ABSOLUTE + RELATIVE * one.abs().max(other.abs())
}

fn cut(text: &str) -> String {
    text.chars().take(160).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn vector(series: &[(&str, &str)]) -> Value {
        let series: Vec<Value> = series
            .iter()
            .map(|(name, value)| json!({"metric": {"a": name}, "value": [1, value]}))
            .collect();
        json!({"status": "success", "data": {"resultType": "vector", "result": series}})
    }

    #[test]
    fn the_last_digits_and_the_order_may_differ() {
        let check = |one: &Value, other: &Value, order: Order, expected: Option<&str>| {
            let found = difference(one, other, order);
            assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
            if let (Some(found), Some(expected)) = (found, expected) {
                assert!(found.contains(expected), "{found}");
            }
        };
        let one = vector(&[("x", "1"), ("y", "NaN")]);
        check(
            &one,
            &vector(&[("y", "NaN"), ("x", "1.0000000001")]),
            Order::Any,
            None,
        );
        check(
            &one,
            &vector(&[("y", "NaN"), ("x", "1")]),
            Order::Asked,
            Some("[0].metric.a"),
        );
        check(
            &one,
            &vector(&[("x", "1.00001"), ("y", "NaN")]),
            Order::Any,
            Some("[0].value[1]"),
        );
        check(
            &one,
            &vector(&[("x", "1")]),
            Order::Any,
            Some("2 entries / 1 entries"),
        );
        check(
            &one,
            &vector(&[("x", "1"), ("y", "0")]),
            Order::Any,
            Some("\"NaN\" / \"0\""),
        );
        let failed = |kind: &str| json!({"status": "error", "errorType": kind, "error": kind});
        check(&one, &failed("execution"), Order::Any, Some("status"));
        check(
            &failed("bad_data"),
            &failed("execution"),
            Order::Any,
            Some("errorType"),
        );
        check(&failed("bad_data"), &failed("bad_data"), Order::Any, None);
    }
}
