//! The shape of a JSON text: which keys it has, and of what type each value is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Keys under which a name is data: labels, metric names, flags.
const MAPS: [&str; 6] = [
    "metric",
    "labels",
    "discoveredLabels",
    "seriesLabels",
    "target",
    "droppedTargetCounts",
];

/// Of each path the types that are found there.
pub(super) type Shape = BTreeMap<String, BTreeSet<&'static str>>;

/// Looks at a whole answer. In some the data are a map of names as well.
pub(super) fn of(answer: &Value, data_is_map: bool) -> Shape {
    let mut shape = Shape::new();
    walk(&mut shape, answer, String::new(), data_is_map);
    shape
}

fn walk(shape: &mut Shape, value: &Value, path: String, data_is_map: bool) {
    let types = shape.entry(path.clone()).or_default();
    types.insert(match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    });
    let last = path.rsplit('.').next().unwrap_or_default();
    let is_map = MAPS.contains(&last) || (data_is_map && path == ".data");
    match value {
        Value::Array(items) => {
            for item in items {
                walk(shape, item, format!("{path}[]"), data_is_map);
            }
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                let key = if is_map { "*" } else { key.as_str() };
                walk(shape, value, format!("{path}.{key}"), data_is_map);
            }
        }
        _ => {}
    }
}

/// Where two shapes differ, but for paths that may.
pub(super) fn difference(ours: &Shape, theirs: &Shape, excepted: &[&str]) -> Vec<String> {
    let paths: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let differ = paths.into_iter().filter(|path| {
        let is_excepted = excepted.iter().any(|known| path.starts_with(known));
        !is_excepted && ours.get(*path) != theirs.get(*path)
    });
    let told = differ.map(|path| {
        let (ours, theirs) = (ours.get(path), theirs.get(path));
        format!("{path}: {ours:?} / {theirs:?}")
    });
    told.collect()
}
