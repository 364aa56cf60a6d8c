//! How labels, annotations and numbers lie in columns.

use std::collections::BTreeSet;

use notify::alert::Fingerprint;
use serde_json::{Map, Value};
use store::labels::Labels;

/// Labels as a JSON object, sorted by name: the same labels are the same text.
pub(super) fn labels(labels: &Labels) -> String {
    object(labels.iter())
}

/// Annotations as a JSON object.
pub(super) fn annotations(annotations: &[(String, String)]) -> String {
    object(annotations.iter().map(|(name, text)| (&**name, &**text)))
}

fn object<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let object: Map<String, Value> = pairs
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
    Value::Object(object).to_string()
}

/// The reverse; nothing where it is not one.
pub(super) fn read_pairs(text: &str) -> Option<Vec<(String, String)>> {
    let object: Map<String, Value> = serde_json::from_str(text).ok()?;
    let pair = |(name, value): (String, Value)| match value {
        Value::String(value) => Some((name, value)),
        _ => None,
    };
    object.into_iter().map(pair).collect()
}

/// The reverse of [`labels`].
pub(super) fn read_labels(text: &str) -> Option<Labels> {
    let pairs = read_pairs(text)?;
    let pairs = pairs.iter().map(|(name, value)| (&**name, &**value));
    Some(Labels::from_pairs(pairs))
}

/// A number that reads back as itself.
pub(super) fn number(value: f64) -> String {
    query::promql::go_float(value)
}

/// The reverse.
pub(super) fn read_number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Identities of alerts as a JSON list.
pub(super) fn fingerprints(fingerprints: &BTreeSet<Fingerprint>) -> String {
    let texts = fingerprints.iter().map(|one| one.to_string().into());
    Value::Array(texts.collect()).to_string()
}

/// The reverse.
pub(super) fn read_fingerprints(text: &str) -> Option<BTreeSet<Fingerprint>> {
    serde_json::from_str(text).ok()
}
