//! An OTLP request as deliveries to the store: one a resource.
//!
//! What cannot be stored is counted with the reason, and the rest is stored: the caller answers with
//! a partial success. Nothing here reads a clock; a point without a time gets that of its arrival.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar as OtlpExemplar, Metric, ResourceMetrics, ScopeMetrics,
    metric::Data,
};
use store::append::{Arrival, Delivery, Origin, Outcome, Row};
use store::labels::Labels;
use store::read::{Exemplar, Metadata, Sample};
use wire::batch::HOST_ATTRIBUTE;
use wire::metric::Kind;

use super::attributes::{self, Attributes};
use super::exemplars;
use super::naming::{self, Naming};
use super::points::{self, Part, Parts};
use super::untimely;

/// A request's labels, written out for every series, may take this much. A resource's labels are
/// sent once and stored with each of its series, so a small request could otherwise become huge.
const MAX_BYTES: usize = 256 << 20;

/// Reasons told in one answer; a request has rarely more than one.
const MAX_REASONS: usize = 5;

/// What became of a request.
#[derive(Debug, Default)]
pub(super) struct Translated {
    pub(super) deliveries: Vec<Delivery>,
    pub(super) rejected: Rejected,
}

/// What of it cannot be stored.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rejected {
    pub(super) points: u64,
    reasons: Vec<String>,
}

/// Its labels, written out, exceed any bound.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Translates a request that arrived at `arrival`.
pub(super) fn translate(
    request: ExportMetricsServiceRequest,
    arrival: Arrival,
) -> Result<Translated, TooLarge> {
    let mut translated = Translated::default();
    let mut budget = MAX_BYTES;
    for resource in request.resource_metrics {
        let delivery =
            translate_resource(resource, arrival, &mut translated.rejected, &mut budget)?;
        translated.deliveries.extend(delivery);
    }
    Ok(translated)
}

impl Rejected {
    /// The reasons as one text.
    pub(super) fn message(&self) -> String {
        self.reasons.join("; ")
    }

    /// Adds what the store refused for its time, sample by sample.
    pub(super) fn add_untimely(&mut self, outcome: Outcome) {
        if let Outcome::StoredInPart(refused) = outcome {
            self.add(refused.future as usize, untimely::FUTURE);
            self.add(refused.late as usize, untimely::LATE);
        }
    }

    fn add(&mut self, points: usize, reason: &str) {
        self.points += points as u64;
        let is_known = self.reasons.iter().any(|known| known == reason);
        if points > 0 && !is_known && self.reasons.len() < MAX_REASONS {
            self.reasons.push(reason.to_owned());
        }
    }
}

fn translate_resource(
    resource: ResourceMetrics,
    arrival: Arrival,
    rejected: &mut Rejected,
    budget: &mut usize,
) -> Result<Option<Delivery>, TooLarge> {
    let attributes = attributes::read(resource.resource.unwrap_or_default().attributes);
    let id = match attributes::identity(&attributes) {
        Ok(id) => id,
        Err(why) => {
            let metrics = resource.scope_metrics.iter().flat_map(|s| &s.metrics);
            rejected.add(metrics.map(points_in).sum(), &why);
            return Ok(None);
        }
    };
    let source = resource.scope_metrics.first();
    let source = source.and_then(|scope| Some(scope.scope.as_ref()?.name.clone()));
    let attribute = |key| {
        attributes::find(&attributes, key)
            .unwrap_or_default()
            .to_owned()
    };
    let origin = id.map(|id| Origin {
        id,
        host: attribute(HOST_ATTRIBUTE),
        source: source.unwrap_or_default(),
        instance: attribute("service.instance.id"),
    });
    let mut sink = Sink {
        rows: Vec::new(),
        metadata: BTreeMap::new(),
        exemplars: Vec::new(),
        rejected,
        budget,
        arrived_ms: arrival.wall_ms,
    };
    sink.scopes(resource.scope_metrics, &attributes)?;
    let delivery = Delivery {
        origin,
        arrival,
        rows: sink.rows,
        metadata: sink.metadata.into_iter().collect(),
        exemplars: sink.exemplars,
    };
    let is_empty = delivery.rows.is_empty() && delivery.origin.is_none();
    Ok((!is_empty).then_some(delivery))
}

/// Gathers rows, metadata and reasons of one resource.
struct Sink<'a> {
    rows: Vec<Row>,
    metadata: BTreeMap<String, Metadata>,
    exemplars: Vec<(Labels, Exemplar)>,
    rejected: &'a mut Rejected,
    budget: &'a mut usize,
    arrived_ms: i64,
}

/// What is of interest in a data point of whatever kind.
struct Taken {
    parts: Parts,
    time_unix_nano: u64,
    attributes: Vec<KeyValue>,
    exemplars: Vec<OtlpExemplar>,
}

/// One metric, as its points need to know it.
struct Named<'a> {
    naming: &'a Naming<'a>,
    name: String,
}

impl Sink<'_> {
    fn scopes(
        &mut self,
        scopes: Vec<ScopeMetrics>,
        attributes: &Attributes,
    ) -> Result<(), TooLarge> {
        let mut has_translated = false;
        for scope in scopes {
            let naming = Naming::of(&scope, attributes);
            has_translated |= matches!(naming, Naming::Translated(_));
            for metric in scope.metrics {
                self.metric(metric, &naming)?;
            }
        }
        if has_translated && !self.rows.is_empty() {
            self.target_info(attributes)?;
        }
        Ok(())
    }

    fn metric(&mut self, metric: Metric, naming: &Naming<'_>) -> Result<(), TooLarge> {
        let points = points_in(&metric);
        if let Some(reason) = reason_to_refuse(&metric) {
            self.rejected.add(points, &reason);
            return Ok(());
        }
        let (name, kind) = naming::name_and_kind(&metric, naming);
        if name.is_empty() {
            self.rejected.add(points, "a metric has no name");
            return Ok(());
        }
        // What has ended says nothing of what it was: its sender may have forgotten the help.
        if points::has_values(&metric) {
            self.describe(&name, kind, &metric);
        }
        let named = Named { naming, name };
        match metric.data {
            Some(Data::Gauge(gauge)) => self.numbers(&named, gauge.data_points),
            Some(Data::Sum(sum)) => self.numbers(&named, sum.data_points),
            Some(Data::Histogram(histogram)) => {
                self.points(&named, histogram.data_points, |point| Taken {
                    parts: points::histogram(&point),
                    time_unix_nano: point.time_unix_nano,
                    attributes: point.attributes,
                    exemplars: point.exemplars,
                })
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                self.points(&named, histogram.data_points, |point| Taken {
                    parts: points::exponential(&point),
                    time_unix_nano: point.time_unix_nano,
                    attributes: point.attributes,
                    exemplars: point.exemplars,
                })
            }
            Some(Data::Summary(summary)) => {
                self.points(&named, summary.data_points, |point| Taken {
                    parts: points::summary(&point),
                    time_unix_nano: point.time_unix_nano,
                    attributes: point.attributes,
                    exemplars: Vec::new(),
                })
            }
            None => Ok(()),
        }
    }

    fn numbers(
        &mut self,
        named: &Named<'_>,
        points: Vec<opentelemetry_proto::tonic::metrics::v1::NumberDataPoint>,
    ) -> Result<(), TooLarge> {
        self.points(named, points, |point| Taken {
            parts: points::number(&point),
            time_unix_nano: point.time_unix_nano,
            attributes: point.attributes,
            exemplars: point.exemplars,
        })
    }

    fn points<P>(
        &mut self,
        named: &Named<'_>,
        points: Vec<P>,
        take_apart: impl Fn(P) -> Taken,
    ) -> Result<(), TooLarge> {
        for point in points {
            let taken = take_apart(point);
            let parts = match taken.parts {
                Ok(parts) => parts,
                Err(why) => {
                    self.rejected.add(1, why);
                    continue;
                }
            };
            let at_ms = match taken.time_unix_nano {
                0 => self.arrived_ms,
                nanoseconds => (nanoseconds / 1_000_000).cast_signed(),
            };
            let attributes = attributes::read(taken.attributes);
            let labels_of = |part: &Part| {
                let name = format!("{}{}", named.name, part.suffix);
                let extra = part.label.as_ref().map(|(n, v)| (*n, v.as_str()));
                naming::labels_of(&name, named.naming, &attributes, extra)
            };
            for exemplar in taken.exemplars.into_iter().filter_map(exemplars::translate) {
                if let Some(place) = exemplars::part_of(&parts, exemplar.sample.value) {
                    self.push_exemplar(labels_of(&parts[place]), exemplar)?;
                }
            }
            for part in &parts {
                let sample = Sample {
                    at_ms,
                    value: part.value,
                };
                self.push(labels_of(part), sample)?;
            }
        }
        Ok(())
    }

    /// Metadata is kept by family: a histogram that comes as three metrics is one.
    fn describe(&mut self, name: &str, kind: Kind, metric: &Metric) {
        let family = match kind {
            Kind::Histogram | Kind::Summary => ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .unwrap_or(name),
            Kind::Counter | Kind::Gauge | Kind::Untyped => name,
        };
        let metadata = Metadata {
            kind,
            help: metric.description.clone(),
            unit: metric.unit.clone(),
        };
        self.metadata.insert(family.to_owned(), metadata);
    }

    /// The resource's attributes that did not become labels of every series, as one series.
    fn target_info(&mut self, attributes: &Attributes) -> Result<(), TooLarge> {
        const IDENTIFYING: [&str; 3] = ["service.name", "service.namespace", "service.instance.id"];
        let target = naming::job_and_instance(attributes);
        let others: Attributes = attributes
            .iter()
            .filter(|(key, _)| !IDENTIFYING.contains(&key.as_str()))
            .cloned()
            .collect();
        let newest = self.rows.iter().map(|row| row.sample.at_ms).max();
        let Some(at_ms) = newest.filter(|_| !target.is_empty() && !others.is_empty()) else {
            return Ok(());
        };
        let labels = naming::labels_of("target_info", &Naming::Translated(target), &others, None);
        let metadata = Metadata {
            kind: Kind::Gauge,
            help: "Target metadata".into(),
            unit: String::new(),
        };
        self.metadata.insert("target_info".into(), metadata);
        self.push(labels, Sample { at_ms, value: 1.0 })
    }

    fn push(&mut self, labels: Labels, sample: Sample) -> Result<(), TooLarge> {
        self.spend(labels.as_encoded().len() + size_of::<Row>())?;
        self.rows.push(Row { labels, sample });
        Ok(())
    }

    fn push_exemplar(&mut self, series: Labels, exemplar: Exemplar) -> Result<(), TooLarge> {
        let labels = series.as_encoded().len() + exemplar.labels.as_encoded().len();
        self.spend(labels + size_of::<(Labels, Exemplar)>())?;
        self.exemplars.push((series, exemplar));
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), TooLarge> {
        *self.budget = self.budget.checked_sub(bytes).ok_or(TooLarge)?;
        Ok(())
    }
}

/// Why none of a metric's points can be stored.
fn reason_to_refuse(metric: &Metric) -> Option<String> {
    let temporality = match metric.data.as_ref()? {
        Data::Sum(sum) => sum.aggregation_temporality,
        Data::Histogram(histogram) => histogram.aggregation_temporality,
        Data::ExponentialHistogram(histogram) => histogram.aggregation_temporality,
        Data::Gauge(_) | Data::Summary(_) => return None,
    };
    let what = match AggregationTemporality::try_from(temporality) {
        Ok(AggregationTemporality::Cumulative) => return None,
        Ok(AggregationTemporality::Delta) => "delta",
        Ok(AggregationTemporality::Unspecified) | Err(_) => "no",
    };
    let name: String = metric.name.chars().take(100).collect();
    Some(format!(
        "{name} has {what} temporality: send it cumulative (OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative)"
    ))
}

fn points_in(metric: &Metric) -> usize {
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
        None => 0,
    }
}

#[cfg(test)]
mod tests;
