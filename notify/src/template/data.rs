//! What templates see of a notification.
//!
//! The names are Alertmanager's. Ours beside them: `.GroupKey`, `.TruncatedAlerts`, and `.Reason`, which is
//! `first`, `more`, `resolved`, `repeat`, `escalation` or `digest`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rules::template::{Content, Object, Value};
use store::labels::Labels;

use super::moment::Moment;
use crate::alert::Alert;
use crate::notification::{Notification, Reason};

/// The label that comes first wherever labels are listed.
const ALERT_NAME: &str = "alertname";

/// A notification as templates see it.
pub(super) fn of(notification: &Notification) -> Value {
    let at_ms = notification.at_ms;
    let alerts = notification.alerts.iter();
    let alerts: Vec<_> = alerts
        .map(|alert| Arc::new(OneAlert::new(alert, at_ms)))
        .collect();
    let common = Alike::of(&notification.alerts);
    let fields = vec![
        ("Receiver", Value::text(&notification.receiver)),
        ("Status", Value::text(status(notification.is_firing()))),
        ("Alerts", Value::Object(Arc::new(Alerts(alerts)))),
        ("GroupLabels", kv(notification.group_labels.iter())),
        ("CommonLabels", kv(common.labels)),
        ("CommonAnnotations", kv(common.annotations)),
        ("ExternalURL", Value::text(&notification.external_url)),
        ("GroupKey", Value::text(&notification.group_key)),
        ("TruncatedAlerts", int(notification.truncated)),
        ("Reason", Value::text(reason(notification.reason))),
    ];
    Value::Object(Arc::new(Data(fields)))
}

/// `firing` or `resolved`.
pub(crate) fn status(is_firing: bool) -> &'static str {
    if is_firing { "firing" } else { "resolved" }
}

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::First => "first",
        Reason::More => "more",
        Reason::Resolved => "resolved",
        Reason::Repeat => "repeat",
        Reason::Escalation => "escalation",
        Reason::Digest => "digest",
    }
}

fn int(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// What all alerts have alike.
pub(crate) struct Alike<'a> {
    pub(crate) labels: Vec<(&'a str, &'a str)>,
    pub(crate) annotations: Vec<(&'a str, &'a str)>,
}

impl<'a> Alike<'a> {
    pub(crate) fn of(alerts: &'a [Alert]) -> Self {
        let Some((first, rest)) = alerts.split_first() else {
            return Self {
                labels: Vec::new(),
                annotations: Vec::new(),
            };
        };
        let has_label = |labels: &Labels, name, value| labels.get(name) == Some(value);
        let labels = first.labels.iter().filter(|(name, value)| {
            let mut rest = rest.iter();
            rest.all(|alert| has_label(&alert.labels, name, value))
        });
        let annotations = first.annotations.iter();
        let annotations = annotations.filter(|annotation| {
            let mut rest = rest.iter();
            rest.all(|alert| alert.annotations.contains(annotation))
        });
        Self {
            labels: labels.collect(),
            annotations: annotations
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
        }
    }
}

#[derive(Debug)]
struct Data(Vec<(&'static str, Value)>);

impl Object for Data {
    fn type_name(&self) -> &str {
        "*template.Data"
    }

    fn content(&self) -> Content {
        Content::Fields(self.0.clone())
    }

    fn method(&self, name: &str, _: &[Value]) -> Option<Result<Value, String>> {
        let json = || {
            let fields = self.0.iter();
            json_of(fields.map(|(name, value)| (json_name(name), value.clone())))
        };
        (name == JSON).then(json)
    }
}

/// What `toJson` asks an object for: itself with the names that JSON has.
pub(super) const JSON: &str = "__json__";

fn json_name(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

fn json_of(fields: impl Iterator<Item = (String, Value)>) -> Result<Value, String> {
    Value::map(fields.collect::<BTreeMap<_, _>>())
}

/// A list of alerts that can be filtered.
#[derive(Debug)]
struct Alerts(Vec<Arc<OneAlert>>);

impl Object for Alerts {
    fn type_name(&self) -> &str {
        "template.Alerts"
    }

    fn content(&self) -> Content {
        let alerts = self.0.iter();
        let alerts = alerts.map(|alert| Value::Object(Arc::clone(alert) as Arc<dyn Object>));
        let list = Value::list("template.Alerts", alerts.collect());
        Content::Value(list.unwrap_or(Value::Nil))
    }

    fn method(&self, name: &str, _: &[Value]) -> Option<Result<Value, String>> {
        let wanted = match name {
            "Firing" => true,
            "Resolved" => false,
            _ => return None,
        };
        let alerts = self.0.iter().filter(|alert| alert.is_firing == wanted);
        let alerts = Self(alerts.cloned().collect());
        Some(Ok(Value::Object(Arc::new(alerts))))
    }
}

#[derive(Debug)]
struct OneAlert {
    is_firing: bool,
    fields: Vec<(&'static str, Value)>,
}

impl OneAlert {
    fn new(alert: &Alert, at_ms: i64) -> Self {
        let is_firing = !alert.is_resolved(at_ms);
        let ends_at = alert.ends_at_ms.filter(|_| !is_firing);
        let annotations = alert.annotations.iter();
        let annotations = annotations.map(|(name, value)| (name.as_str(), value.as_str()));
        let fields = vec![
            ("Status", Value::text(status(is_firing))),
            ("Labels", kv(alert.labels.iter())),
            ("Annotations", kv(annotations)),
            ("StartsAt", Moment::of_ms(alert.starts_at_ms)),
            ("EndsAt", ends_at.map_or_else(Moment::zero, Moment::of_ms)),
            ("GeneratorURL", Value::text(&alert.generator_url)),
            ("Fingerprint", Value::from(alert.fingerprint().to_string())),
        ];
        Self { is_firing, fields }
    }
}

impl Object for OneAlert {
    fn type_name(&self) -> &str {
        "template.Alert"
    }

    fn content(&self) -> Content {
        Content::Fields(self.fields.clone())
    }

    fn method(&self, name: &str, _: &[Value]) -> Option<Result<Value, String>> {
        let json = || {
            let fields = self.fields.iter();
            json_of(fields.map(|(name, value)| {
                let name = match *name {
                    "GeneratorURL" => "generatorURL".to_owned(),
                    name => json_name(name),
                };
                (name, value.clone())
            }))
        };
        (name == JSON).then(json)
    }
}

fn kv<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    let pairs = pairs.into_iter();
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Value::Object(Arc::new(Kv(pairs.collect())))
}

/// Texts by name: labels, annotations.
#[derive(Debug)]
struct Kv(BTreeMap<String, String>);

impl Kv {
    /// Sorted by name, but for the alert's own, which comes first.
    fn sorted(&self) -> Vec<(String, String)> {
        let named = |(name, value): (&String, &String)| (name.clone(), value.clone());
        let (first, rest): (Vec<_>, Vec<_>) = self
            .0
            .iter()
            .map(named)
            .partition(|(name, _)| name == ALERT_NAME);
        first.into_iter().chain(rest).collect()
    }

    fn without(&self, names: &[Value]) -> Result<Self, String> {
        let [names] = names else {
            return Err(format!("wrong number of args: want 1 got {}", names.len()));
        };
        let Value::List(names) = names.plain() else {
            let got = names.type_name();
            return Err(format!(
                "wrong type for value; expected []string; got {got}"
            ));
        };
        let is_named = |name: &str| {
            let mut names = names.items().iter();
            names.any(|item| matches!(item, Value::Text(text) if **text == *name))
        };
        let kept = self.0.iter().filter(|(name, _)| !is_named(name));
        Ok(Self(
            kept.map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        ))
    }
}

impl Object for Kv {
    fn type_name(&self) -> &str {
        "template.KV"
    }

    fn content(&self) -> Content {
        let pairs = self.0.iter();
        Content::Value(Value::texts(
            pairs.map(|(name, value)| (name.as_str(), value.as_str())),
        ))
    }

    fn method(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        Some(match name {
            "SortedPairs" => Ok(Value::Object(Arc::new(Pairs(self.sorted())))),
            "Remove" => self
                .without(arguments)
                .map(|kept| Value::Object(Arc::new(kept))),
            "Names" | "Values" | "String" => return Pairs(self.sorted()).method(name, arguments),
            _ => return None,
        })
    }
}

/// Names with their values, in an order.
#[derive(Debug)]
struct Pairs(Vec<(String, String)>);

impl Object for Pairs {
    fn type_name(&self) -> &str {
        "template.Pairs"
    }

    fn content(&self) -> Content {
        let pairs = self.0.iter();
        let pairs = pairs.map(|(name, value)| {
            let pair = Pair([("Name", Value::text(name)), ("Value", Value::text(value))]);
            Value::Object(Arc::new(pair) as Arc<dyn Object>)
        });
        let list = Value::list("template.Pairs", pairs.collect());
        Content::Value(list.unwrap_or(Value::Nil))
    }

    fn method(&self, name: &str, _: &[Value]) -> Option<Result<Value, String>> {
        let pairs = self.0.iter();
        let texts: Vec<_> = match name {
            "Names" => pairs.map(|(name, _)| Value::text(name)).collect(),
            "Values" => pairs.map(|(_, value)| Value::text(value)).collect(),
            "String" => {
                let written: Vec<_> = pairs
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                return Some(Ok(written.join(", ").into()));
            }
            _ => return None,
        };
        Some(Value::list("[]string", texts))
    }
}

#[derive(Debug)]
struct Pair([(&'static str, Value); 2]);

impl Object for Pair {
    fn type_name(&self) -> &str {
        "template.Pair"
    }

    fn content(&self) -> Content {
        Content::Fields(self.0.to_vec())
    }
}
