//! `/api/v2/alerts/groups`: alerts as they are told together.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use notify::alert::Fingerprint;
use serde_json::{Value, json};
use store::labels::Labels;

use crate::api::Api;
use crate::api::answer::{ApiError, pairs};
use crate::api::params::Params;
use crate::notify::ShownGroup;

use super::filter::Filter;
use super::refusal::Refusal;
use super::shape::Shown;

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    params: Result<Params, ApiError>,
) -> Result<Json<Value>, Refusal> {
    let filter = Filter::read(params)?;
    let shown = Shown::now(&api);
    let groups = wanted(api.notifier.groups(shown.now_ms), &filter);
    let groups = groups.iter().map(|group| {
        let alerts = group.alerts.iter().map(|alert| shown.alert(alert));
        json!({
            "alerts": alerts.collect::<Vec<_>>(),
            "labels": pairs(group.labels.iter()),
            "receiver": {"name": group.receiver},
        })
    });
    Ok(Json(groups.collect()))
}

/// The groups that are asked for, in Alertmanager's order. Their alerts name those receivers only that
/// are asked for, sorted.
fn wanted(groups: Vec<ShownGroup>, filter: &Filter) -> Vec<ShownGroup> {
    let groups = groups.into_iter();
    let mut groups: Vec<_> = groups
        .filter(|group| filter.has_receiver(&group.receiver))
        .collect();
    let mut receivers: BTreeMap<Fingerprint, BTreeSet<String>> = BTreeMap::new();
    for group in &mut groups {
        group.alerts.retain(|alert| filter.has(alert));
        for alert in &group.alerts {
            let of = receivers.entry(alert.fingerprint).or_default();
            of.insert(group.receiver.clone());
        }
    }
    groups.retain(|group| !group.alerts.is_empty());
    for group in &mut groups {
        for alert in &mut group.alerts {
            let of = receivers.get(&alert.fingerprint).into_iter().flatten();
            alert.receivers = of.cloned().collect();
        }
        group
            .alerts
            .sort_by(|one, other| by_place(&one.alert.labels, &other.alert.labels));
    }
    groups.sort_by(|one, other| {
        let by_labels = by_labels(&one.labels, &other.labels);
        by_labels.then_with(|| one.receiver.cmp(&other.receiver))
    });
    groups
}

/// Alerts of one job and instance stand together; those without come last.
fn by_place(one: &Labels, other: &Labels) -> Ordering {
    let place = |labels: &Labels, name| match labels.get(name) {
        Some(value) => (false, value.to_owned()),
        None => (true, String::new()),
    };
    let by = |name| place(one, name).cmp(&place(other, name));
    by("job")
        .then_with(|| by("instance"))
        .then_with(|| by_labels(one, other))
}

/// Fewer labels come first, then those that lack a name that the others have, then values count.
fn by_labels(one: &Labels, other: &Labels) -> Ordering {
    let by_count = one.iter().count().cmp(&other.iter().count());
    if by_count != Ordering::Equal {
        return by_count;
    }
    let pairs = one.iter().zip(other.iter());
    for ((name, value), (other_name, other_value)) in pairs {
        let by_name = other_name.cmp(name);
        let by_both = by_name.then_with(|| value.cmp(other_value));
        if by_both != Ordering::Equal {
            return by_both;
        }
    }
    Ordering::Equal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_an_order() {
        let labels = |text: &str| {
            let pairs = text.split_whitespace().map(|pair| pair.split_once('='));
            Labels::from_pairs(pairs.map(Option::unwrap).collect::<Vec<_>>())
        };
        let check = |texts: &[&str], order: fn(&Labels, &Labels) -> Ordering| {
            for (place, text) in texts.iter().enumerate() {
                for other in &texts[place + 1..] {
                    let (one, other) = (labels(text), labels(other));
                    assert_eq!(order(&one, &other), Ordering::Less, "{text}");
                    assert_eq!(order(&other, &one), Ordering::Greater, "{text}");
                }
            }
        };
        check(&["", "z=1", "a=1", "a=2", "a=9 b=1", "a=9 b=2"], by_labels);
        let by_job = ["job=a", "job=b instance=a", "job=b instance=b", "job=b"];
        check(&by_job, by_place);
        check(&["instance=a", "instance=b", "z=1", "a=1"], by_place);
    }
}
