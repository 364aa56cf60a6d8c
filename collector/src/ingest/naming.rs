//! How a scope's series are named, and the labels that all of them have.
//!
//! Where the scope says `nightshift.verbatim`, names and labels stay as they came: our own agent sends
//! what the exporters' dashboards expect. Everything else is named as Prometheus' OTLP receiver names
//! it ([`super::names`]).

use std::borrow::Cow;
use std::collections::BTreeMap;

use opentelemetry_proto::tonic::metrics::v1::{Metric, ScopeMetrics, metric::Data};
use store::labels::{Labels, METRIC_NAME};
use wire::batch::{KIND_METADATA, VERBATIM_ATTRIBUTE};
use wire::metric::Kind;

use super::attributes::{self, Attributes};
use super::names::{self, Form};

/// How the series of a scope are named, and the labels all of them have.
pub(super) enum Naming<'a> {
    Verbatim(Vec<(&'a str, &'a str)>),
    Translated(Vec<(&'static str, String)>),
}

impl Naming<'_> {
    pub(super) fn of<'a>(scope: &ScopeMetrics, attributes: &'a Attributes) -> Naming<'a> {
        let scope = scope.scope.clone().unwrap_or_default();
        let scope = attributes::read(scope.attributes);
        if attributes::find(&scope, VERBATIM_ATTRIBUTE) == Some("true") {
            return Naming::Verbatim(attributes::target_labels(attributes));
        }
        Naming::Translated(job_and_instance(attributes))
    }
}

pub(super) fn job_and_instance(attributes: &Attributes) -> Vec<(&'static str, String)> {
    let find = |key| attributes::find(attributes, key);
    let job = find("service.name").map(|name| match find("service.namespace") {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    });
    let instance = find("service.instance.id").map(str::to_owned);
    let labels = [("job", job), ("instance", instance)];
    labels
        .into_iter()
        .filter_map(|(label, value)| Some((label, value?)))
        .collect()
}

pub(super) fn name_and_kind(metric: &Metric, naming: &Naming<'_>) -> (String, Kind) {
    let (form, kind) = match &metric.data {
        Some(Data::Sum(sum)) if sum.is_monotonic => (Form::Counter, Kind::Counter),
        Some(Data::Gauge(_)) => (Form::Gauge, Kind::Gauge),
        Some(Data::Sum(_)) => (Form::Other, Kind::Gauge),
        Some(Data::Histogram(_) | Data::ExponentialHistogram(_)) => (Form::Other, Kind::Histogram),
        Some(Data::Summary(_)) => (Form::Other, Kind::Summary),
        None => (Form::Other, Kind::Untyped),
    };
    match naming {
        Naming::Translated(_) => (names::metric(&metric.name, &metric.unit, form), kind),
        Naming::Verbatim(_) => {
            let metadata = attributes::read(metric.metadata.clone());
            let said = attributes::find(&metadata, KIND_METADATA).and_then(Kind::parse);
            (metric.name.clone(), said.unwrap_or(kind))
        }
    }
}

pub(super) fn labels_of(
    name: &str,
    naming: &Naming<'_>,
    attributes: &Attributes,
    extra: Option<(&str, &str)>,
) -> Labels {
    let own = std::iter::once((METRIC_NAME, name)).chain(extra);
    match naming {
        // What the point says counts more than what its target says.
        Naming::Verbatim(target) => {
            let point = attributes.iter().map(|(k, v)| (k.as_str(), v.as_str()));
            Labels::from_pairs(target.iter().copied().chain(point).chain(own))
        }
        Naming::Translated(target) => {
            let point = clean_labels(attributes);
            let point = point.iter().map(|(k, v)| (k.as_str(), &**v));
            let target = target.iter().map(|(k, v)| (*k, v.as_str()));
            Labels::from_pairs(point.chain(target).chain(own))
        }
    }
}

/// Attributes whose names become the same label are joined, in the order of their names.
fn clean_labels(attributes: &Attributes) -> BTreeMap<String, Cow<'_, str>> {
    let mut sorted: Vec<_> = attributes.iter().collect();
    sorted.sort();
    let mut labels: BTreeMap<String, Cow<'_, str>> = BTreeMap::new();
    for (key, value) in sorted {
        labels
            .entry(names::label(key))
            .and_modify(|joined| *joined = Cow::Owned(format!("{joined};{value}")))
            .or_insert(Cow::Borrowed(value));
    }
    labels
}
