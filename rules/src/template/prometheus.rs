//! The functions of Prometheus' templates.
//!
//! They are those of alerting rules; `safeHtml` is here so that a template that uses it loads, and
//! gives its text as it is, for what is written is text.

mod humanize;
mod text;

use std::collections::BTreeMap;

use query::promql::{LabelledValue, duration_ms};
use regex::{Regex, RegexBuilder};

use super::builtin::url_query;
use super::value::{Content, Object, Value};
use super::{Function, Kind};

pub use humanize::{duration, humanize_duration};

/// How much a pattern may take once it is compiled.
const MAX_PATTERN: usize = 1 << 20;

/// How the list that `query` gives is called.
const RESULT: &str = "template.queryResult";
/// How one of its samples is called.
const SAMPLE: &str = "*template.sample";

/// Answers `query` at the time of evaluation.
pub type Ask<'a> = dyn Fn(&str) -> Result<Vec<LabelledValue>, String> + 'a;

/// What the functions look at.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// Answers `query`.
    pub ask: &'a Ask<'a>,
    /// The time of evaluation, in milliseconds since 1970.
    pub at_ms: i64,
    /// Under which URL the collector is reached.
    pub external_url: &'a str,
}

impl<'a> Environment<'a> {
    /// The functions.
    pub const FUNCTIONS: &'a [Function<Self>] = &[
        function("query", &[Kind::Text], query),
        function("first", &[Kind::List], first),
        function("label", &[Kind::Text, Kind::Object(SAMPLE)], label),
        function("value", &[Kind::Object(SAMPLE)], value),
        function("strvalue", &[Kind::Object(SAMPLE)], strvalue),
        function("sortByLabel", &[Kind::Text, Kind::List], sort_by_label),
        Function {
            name: "args",
            takes: &[],
            rest: Some(Kind::Any),
            body: args,
        },
        function("humanize", &[Kind::Any], |_, v| humanize::humanize(&v[0])),
        function("humanize1024", &[Kind::Any], |_, v| {
            humanize::humanize_1024(&v[0])
        }),
        function("humanizeDuration", &[Kind::Any], |_, v| {
            humanize::duration(&v[0])
        }),
        function("humanizePercentage", &[Kind::Any], |_, v| {
            humanize::percentage(&v[0])
        }),
        function("humanizeTimestamp", &[Kind::Any], |_, v| {
            humanize::timestamp(&v[0])
        }),
        function("toTime", &[Kind::Any], |_, v| humanize::to_time(&v[0])),
        function("toDuration", &[Kind::Any], |_, v| {
            humanize::to_duration(&v[0])
        }),
        function("now", &[], now),
        function("parseDuration", &[Kind::Text], parse_duration),
        function("title", &[Kind::Text], |_, v| {
            Ok(text::title(text_of(&v[0])).into())
        }),
        function("toUpper", &[Kind::Text], |_, v| {
            Ok(text_of(&v[0]).to_uppercase().into())
        }),
        function("toLower", &[Kind::Text], |_, v| {
            Ok(text_of(&v[0]).to_lowercase().into())
        }),
        function("stripPort", &[Kind::Text], |_, v| {
            Ok(text::strip_port(text_of(&v[0])).into())
        }),
        function("stripDomain", &[Kind::Text], |_, v| {
            Ok(text::strip_domain(text_of(&v[0])).into())
        }),
        function("match", &[Kind::Text, Kind::Text], |_, v| is_match(v)),
        function(
            "reReplaceAll",
            &[Kind::Text, Kind::Text, Kind::Text],
            |_, v| replace_all(v),
        ),
        function("graphLink", &[Kind::Text], |_, v| Ok(link(&v[0], 0))),
        function("tableLink", &[Kind::Text], |_, v| Ok(link(&v[0], 1))),
        function("pathPrefix", &[], |env, _| {
            Ok(text::path(env.external_url).into())
        }),
        function("externalURL", &[], |env, _| Ok(env.external_url.into())),
        function("safeHtml", &[Kind::Text], |_, v| Ok(v[0].clone())),
        function("urlQueryEscape", &[Kind::Text], |_, v| {
            Ok(url_query(text_of(&v[0])).into())
        }),
    ];
}

const fn function<'a>(
    name: &'static str,
    takes: &'static [Kind],
    body: fn(&Environment<'a>, &[Value]) -> Result<Value, String>,
) -> Function<Environment<'a>> {
    Function {
        name,
        takes,
        rest: None,
        body,
    }
}

/// One sample of what `query` gives.
#[derive(Debug)]
struct Sample {
    labels: Value,
    value: f64,
    text: String,
}

impl Object for Sample {
    fn type_name(&self) -> &str {
        SAMPLE
    }

    fn content(&self) -> Content {
        Content::Fields(vec![
            ("Labels", self.labels.clone()),
            ("Value", Value::Float(self.value)),
        ])
    }

    fn method(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        // What `strvalue` reads: not a field, but reached in the same way.
        (name == "__value__" && arguments.is_empty()).then(|| Ok(Value::text(&self.text)))
    }
}

/// The text of an argument whose kind was checked.
fn text_of(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        _ => "",
    }
}

fn query(env: &Environment<'_>, arguments: &[Value]) -> Result<Value, String> {
    let found = (env.ask)(text_of(&arguments[0]))?;
    let samples = found.into_iter().map(|found| {
        let sample = Sample {
            labels: Value::texts(found.labels.iter()),
            value: found.value,
            text: found.labels.get("__value__").unwrap_or_default().to_owned(),
        };
        Value::Object(std::sync::Arc::new(sample))
    });
    Value::list(RESULT, samples.collect())
}

fn first(_: &Environment<'_>, arguments: &[Value]) -> Result<Value, String> {
    match arguments[0].plain() {
        Value::List(list) if !list.items().is_empty() => Ok(list.items()[0].clone()),
        _ => Err("first() called on vector with no elements".to_owned()),
    }
}

fn field(sample: &Value, name: &str) -> Value {
    let Value::Object(object) = sample else {
        return Value::Nil;
    };
    let Content::Fields(fields) = object.content() else {
        return Value::Nil;
    };
    let found = fields.into_iter().find(|(known, _)| *known == name);
    found.map_or(Value::Nil, |(_, value)| value)
}

fn label_of(sample: &Value, name: &str) -> Value {
    match field(sample, "Labels") {
        Value::Map(labels) => labels.entries().get(name).cloned(),
        _ => None,
    }
    .unwrap_or_else(|| Value::text(""))
}

fn label(_: &Environment<'_>, arguments: &[Value]) -> Result<Value, String> {
    Ok(label_of(&arguments[1], text_of(&arguments[0])))
}

fn value(_: &Environment<'_>, arguments: &[Value]) -> Result<Value, String> {
    Ok(field(&arguments[0], "Value"))
}

fn strvalue(_: &Environment<'_>, arguments: &[Value]) -> Result<Value, String> {
    match &arguments[0] {
        Value::Object(object) => object
            .method("__value__", &[])
            .unwrap_or(Ok(Value::text(""))),
        _ => Ok(Value::text("")),
    }
}

fn sort_by_label(_: &Environment<'_>, arguments: &[Value]) -> Result<Value, String> {
    let Value::List(list) = arguments[1].plain() else {
        return Ok(arguments[1].clone());
    };
    let name = text_of(&arguments[0]);
    let mut samples = list.items().to_vec();
    samples.sort_by_cached_key(|sample| text_of(&label_of(sample, name)).to_owned());
    Value::list(RESULT, samples)
}

fn args(_: &Environment<'_>, arguments: &[Value]) -> Result<Value, String> {
    let named = arguments.iter().enumerate();
    let named = named.map(|(place, value)| (format!("arg{place}"), value.clone()));
    Value::map(named.collect::<BTreeMap<_, _>>())
}

#[allow(clippy::cast_precision_loss)]
fn now(env: &Environment<'_>, _: &[Value]) -> Result<Value, String> {
    Ok(Value::Float(env.at_ms as f64 / 1000.0))
}

#[allow(clippy::cast_precision_loss)]
fn parse_duration(_: &Environment<'_>, arguments: &[Value]) -> Result<Value, String> {
    let text = text_of(&arguments[0]);
    let ms = duration_ms(text).ok_or_else(|| format!("not a valid duration string: {text:?}"))?;
    Ok(Value::Float(ms as f64 / 1000.0))
}

fn pattern(text: &str) -> Result<Regex, String> {
    let mut builder = RegexBuilder::new(text);
    let built = builder.size_limit(MAX_PATTERN).build();
    built.map_err(|wrong| format!("error parsing regexp: {wrong}"))
}

/// `match`: whether a pattern fits anywhere in a text.
pub fn is_match(arguments: &[Value]) -> Result<Value, String> {
    let pattern = pattern(text_of(&arguments[0]))?;
    Ok(Value::Bool(pattern.is_match(text_of(&arguments[1]))))
}

/// `reReplaceAll`: a text with something else wherever a pattern fits.
pub fn replace_all(arguments: &[Value]) -> Result<Value, String> {
    let pattern = pattern(text_of(&arguments[0]))?;
    let (replacement, text) = (text_of(&arguments[1]), text_of(&arguments[2]));
    let most = pattern
        .find_iter(text)
        .count()
        .saturating_mul(replacement.len().max(1));
    if most > super::MAX_TEXT {
        return Err(format!("more than {} bytes of text", super::MAX_TEXT));
    }
    Ok(pattern.replace_all(text, replacement).into_owned().into())
}

fn link(expr: &Value, tab: u8) -> Value {
    let expr = url_query(text_of(expr));
    format!("/graph?g0.expr={expr}&g0.tab={tab}").into()
}
