//! Incidents as JSON: what the API answers, and the post-mortem with everything in it. Times are
//! RFC 3339 in UTC, durations seconds.

use serde_json::{Value, json};

use super::Report;
use super::chart::Chart;
use super::question::Side;
use crate::incident::{Incident, Member, Span};
use crate::measure::{Impact, Means};
use crate::scope::Key;
use crate::timeline::{Entry, number};

/// A moment as RFC 3339 has it; null where calendars have none.
#[must_use]
pub fn moment(at_ms: i64) -> Value {
    match jiff::Timestamp::from_millisecond(at_ms) {
        Ok(at) => at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string().into(),
        Err(_) => Value::Null,
    }
}

/// An incident at a time: what it is, what it comes to, and its alerts.
#[must_use]
pub fn incident(incident: &Incident, now_ms: i64) -> Value {
    let mut clusters = Vec::new();
    let mut hosts = Vec::new();
    for key in &incident.keys {
        match key {
            Key::Cluster(name) => clusters.push(name),
            Key::Host(name) => hosts.push(name),
            Key::Rule(_) => {}
        }
    }
    let acknowledged = incident.acknowledged.as_ref();
    let resolved = incident.resolved.as_ref();
    let alerts: Vec<Value> = incident.alerts.iter().map(member).collect();
    json!({
        "id": incident.id,
        "title": incident.title,
        "severity": incident.severity,
        "status": incident.status(),
        "owner": incident.owner,
        "clusters": clusters,
        "hosts": hosts,
        "openedAt": moment(incident.opened_at_ms),
        "activeAt": moment(incident.active_at_ms),
        "acknowledgedAt": acknowledged.map(|one| moment(one.at_ms)),
        "acknowledgedBy": acknowledged.map(|one| one.by.as_str()),
        "resolvedAt": resolved.map(|one| moment(one.at_ms)),
        "resolvedBy": resolved.and_then(|one| one.by.as_deref()),
        "endedAt": incident.ended_at_ms().map(moment),
        "reopened": incident.reopened,
        "firing": incident.alerts.iter().filter(|alert| alert.is_firing()).count(),
        "impact": impact(&Impact::of(incident, now_ms)),
        "alerts": alerts,
    })
}

/// An incident in numbers.
fn impact(impact: &Impact) -> Value {
    json!({
        "lastedSeconds": seconds(impact.lasted_ms),
        "firingSeconds": seconds(impact.firing_ms),
        "toAcknowledgeSeconds": impact.to_acknowledge_ms.map(seconds),
        "toResolveSeconds": impact.to_resolve_ms.map(seconds),
        "alerts": impact.alerts,
        "firings": impact.firings,
        "instances": impact.instances,
    })
}

/// Several incidents in numbers.
#[must_use]
pub fn means(means: &Means) -> Value {
    json!({
        "incidents": means.incidents,
        "acknowledged": means.acknowledged,
        "meanToAcknowledgeSeconds": means.to_acknowledge_ms.map(seconds),
        "resolved": means.resolved,
        "meanToResolveSeconds": means.to_resolve_ms.map(seconds),
    })
}

/// An entry of a timeline.
#[must_use]
pub fn entry(entry: &Entry) -> Value {
    let mut told = serde_json::to_value(&entry.what).unwrap_or_default();
    told["at"] = moment(entry.at_ms);
    told["sentence"] = entry.sentence().into();
    if let Some(active_at_ms) = told["active_at_ms"].as_i64() {
        told["activeAt"] = moment(active_at_ms);
        if let Some(told) = told.as_object_mut() {
            told.remove("active_at_ms");
        }
    }
    told
}

/// Everything that a post-mortem is written from.
pub(super) fn report(report: &Report) -> Value {
    let entries: Vec<Value> = report.entries.iter().map(entry).collect();
    let charts: Vec<Value> = report.charts.iter().map(chart).collect();
    json!({
        "incident": incident(&report.incident, report.made_at_ms),
        "timeline": entries,
        "charts": charts,
        "missing": report.missing,
        "madeAt": moment(report.made_at_ms),
    })
}

fn member(member: &Member) -> Value {
    let annotations = member.annotations.iter();
    let annotations: serde_json::Map<String, Value> = annotations
        .map(|(name, text)| (name.clone(), text.as_str().into()))
        .collect();
    let labels = member.labels.iter();
    let labels: serde_json::Map<String, Value> = labels
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    let spans: Vec<Value> = member.spans.iter().map(span).collect();
    json!({
        "labels": labels,
        "annotations": annotations,
        "group": member.group,
        "rule": member.rule,
        "severity": member.severity,
        "summary": member.summary(),
        "activeAt": moment(member.active_at_ms),
        "firing": member.is_firing(),
        "firings": member.firings(),
        "spans": spans,
    })
}

fn span(span: &Span) -> Value {
    json!({"from": moment(span.from_ms), "to": span.to_ms.map(moment)})
}

fn chart(chart: &Chart) -> Value {
    let lines = chart.lines.iter().map(|line| {
        let points = line.points.iter();
        // JSON knows no infinities; as in Prometheus' API values are texts.
        let points: Vec<Value> = points
            .map(|(at_ms, value)| json!([*at_ms as f64 / 1_000.0, query::promql::go_float(*value)]))
            .collect();
        json!({"name": line.name, "points": points})
    });
    let lines: Vec<Value> = lines.collect();
    let spans: Vec<Value> = chart.spans.iter().map(span).collect();
    json!({
        "title": chart.title,
        "expr": chart.expr,
        "threshold": chart.bound.map(|bound| number(bound.value)),
        "firesWhen": chart.bound.map(|bound| match bound.side {
            Side::Above => "above",
            Side::Below => "below",
            Side::At => "at",
        }),
        "lines": lines,
        "linesLeftOut": chart.more,
        "firing": spans,
        "from": moment(chart.from_ms),
        "to": moment(chart.to_ms),
    })
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}
