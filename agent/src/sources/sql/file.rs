//! Query files, in postgres_exporter's format:
//!
//! ```yaml
//! etl:                          # the namespace: metrics are called etl_COLUMN
//!   query: SELECT job, age_seconds FROM audit.etl_ages
//!   master: true                # only in the DSN's own database
//!   cache_seconds: 300          # give the same result again for so long
//!   runonserver: ">=13.0.0"     # only on these versions
//!   metrics:
//!     - job: { usage: LABEL }
//!     - age_seconds: { usage: GAUGE, description: "Age of the last success." }
//! ```
//!
//! A file is taken whole or not at all; what is wrong is told with file, namespace and key.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use crate::config::Problems;
use crate::pipeline::relabel::is_label_name;

use super::statement::is_single;
use super::version::Range;

/// More than any file a person wrote; a mistaken path may name anything.
const MOST_BYTES: u64 = 4 << 20;

/// A query and what its columns mean.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Query {
    pub(super) namespace: String,
    pub(super) sql: String,
    pub(super) scope: Scope,
    /// For how long a result is given again.
    pub(super) keep: Duration,
    pub(super) versions: Option<Range>,
    pub(super) columns: Vec<Column>,
}

/// Where a query runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    EveryDatabase,
    OwnDatabase,
}

/// What one column means.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) usage: Usage,
    pub(super) help: String,
}

/// What becomes of a column's values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Usage {
    Discard,
    Label,
    Counter,
    Gauge,
    /// An array of bounds, beside columns `_bucket`, `_sum` and `_count`.
    Histogram,
    /// Words that stand for numbers.
    Mapped(BTreeMap<String, f64>),
    /// A duration as text, given in milliseconds.
    Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuery {
    query: String,
    #[serde(default)]
    master: bool,
    #[serde(default)]
    cache_seconds: u64,
    runonserver: Option<String>,
    #[serde(default)]
    metrics: Vec<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawColumn {
    usage: String,
    #[serde(default)]
    description: String,
    metric_mapping: Option<BTreeMap<String, f64>>,
}

/// Reads one file; `None` after each problem was noted under `key`.
pub(super) fn read(path: &Path, key: &str, problems: &mut Problems) -> Option<Vec<Query>> {
    let mut note = |what: String| {
        let message = format!("{}: {what}", path.display());
        let hint = "see postgres_exporter's queries.yaml for the format";
        problems.add(key, message, hint);
    };
    let text = match load(path) {
        Ok(text) => text,
        Err(error) => {
            note(format!("cannot read it: {error}"));
            return None;
        }
    };
    let namespaces: Mapping = match serde_yaml_ng::from_str(&text) {
        Ok(namespaces) => namespaces,
        Err(error) => {
            note(format!("not a YAML file of namespaces: {error}"));
            return None;
        }
    };
    if namespaces.is_empty() {
        note("holds no query".to_owned());
        return None;
    }
    let count = namespaces.len();
    let mut queries = Vec::new();
    for (namespace, value) in namespaces {
        match parse(namespace, value) {
            Ok(query) => queries.push(query),
            Err(what) => note(what),
        }
    }
    (queries.len() == count).then_some(queries)
}

fn load(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        let message = format!("longer than {MOST_BYTES} bytes");
        return Err(std::io::Error::other(message));
    }
    Ok(text)
}

fn parse(namespace: Value, value: Value) -> Result<Query, String> {
    let Value::String(namespace) = namespace else {
        return Err("a namespace is not a text".to_owned());
    };
    if !is_label_name(&namespace) {
        return Err(format!("{namespace}: not the beginning of a metric's name"));
    }
    let raw: RawQuery =
        serde_yaml_ng::from_value(value).map_err(|error| format!("{namespace}: {error}"))?;
    if raw.query.trim().is_empty() {
        return Err(format!("{namespace}.query: is empty"));
    }
    if !is_single(&raw.query) {
        return Err(format!("{namespace}.query: holds more than one statement"));
    }
    let versions = match raw.runonserver.as_deref() {
        None | Some("") => None,
        Some(text) => Some(Range::parse(text).ok_or_else(|| {
            format!("{namespace}.runonserver: {text:?} is no range such as >=10.0.0 <14.0.0")
        })?),
    };
    let mut columns: Vec<Column> = Vec::new();
    for (place, entry) in raw.metrics.into_iter().enumerate() {
        let key = format!("{namespace}.metrics[{place}]");
        let column = column(&key, entry)?;
        if columns.iter().any(|other| other.name == column.name) {
            return Err(format!("{key}: {} is there twice", column.name));
        }
        columns.push(column);
    }
    Ok(Query {
        namespace,
        sql: raw.query,
        scope: match raw.master {
            true => Scope::OwnDatabase,
            false => Scope::EveryDatabase,
        },
        keep: Duration::from_secs(raw.cache_seconds),
        versions,
        columns,
    })
}

fn column(key: &str, entry: BTreeMap<String, Value>) -> Result<Column, String> {
    let mut entries = entry.into_iter();
    let (Some((name, value)), None) = (entries.next(), entries.next()) else {
        return Err(format!("{key}: must be one column with what it means"));
    };
    if !is_label_name(&name) {
        return Err(format!("{key}: {name:?} cannot be in a metric's name"));
    }
    let raw: RawColumn =
        serde_yaml_ng::from_value(value).map_err(|error| format!("{key}.{name}: {error}"))?;
    let usage = match (raw.usage.as_str(), raw.metric_mapping) {
        ("MAPPEDMETRIC", Some(words)) if !words.is_empty() => Usage::Mapped(words),
        ("MAPPEDMETRIC", _) => {
            return Err(format!(
                "{key}.{name}.metric_mapping: MAPPEDMETRIC needs it"
            ));
        }
        (_, Some(_)) => {
            return Err(format!(
                "{key}.{name}.metric_mapping: only for MAPPEDMETRIC"
            ));
        }
        ("DISCARD", None) => Usage::Discard,
        ("LABEL", None) => Usage::Label,
        ("COUNTER", None) => Usage::Counter,
        ("GAUGE", None) => Usage::Gauge,
        ("HISTOGRAM", None) => Usage::Histogram,
        ("DURATION", None) => Usage::Duration,
        (other, None) => {
            let known = "LABEL, COUNTER, GAUGE, HISTOGRAM, DISCARD, MAPPEDMETRIC, DURATION";
            return Err(format!("{key}.{name}.usage: {other:?} is none of {known}"));
        }
    };
    Ok(Column {
        name,
        usage,
        help: raw.description,
    })
}
