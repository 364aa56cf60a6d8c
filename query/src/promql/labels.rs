//! What evaluation does to labels.

use std::fmt::Write as _;

use store::labels::{Labels, METRIC_NAME};

use super::print::quote;

/// Only the labels of these names.
pub(crate) fn keep(labels: &Labels, names: &[String]) -> Labels {
    labels.filtered(|name| names.iter().any(|known| known == name))
}

/// All labels but those of these names.
pub(crate) fn without(labels: &Labels, names: &[String]) -> Labels {
    labels.filtered(|name| names.iter().all(|known| known != name))
}

/// All labels but the metric's name and those of these names.
pub(crate) fn without_name_and(labels: &Labels, names: &[String]) -> Labels {
    labels.filtered(|name| name != METRIC_NAME && names.iter().all(|known| known != name))
}

/// With a label set; an empty value takes it away.
pub(crate) fn with(labels: &Labels, name: &str, value: &str) -> Labels {
    Labels::from_pairs(labels.iter().chain([(name, value)]))
}

/// As Prometheus writes a set of labels in messages.
pub(crate) fn text(labels: &Labels) -> String {
    let mut text = String::from("{");
    for (place, (name, value)) in labels.iter().enumerate() {
        let separator = if place == 0 { "" } else { ", " };
        // Writing to a text cannot fail.
        write!(text, "{separator}{name}={}", quote(value)).unwrap_or_default();
    }
    text.push('}');
    text
}
