//! The functions that templates of messages may call, beside those that every template may.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use rules::template::{Content, Function, Kind, Value, html, prometheus};

use super::data::JSON;
use super::moment::{self, Moment};

/// How deep a value may be that is made JSON of.
const MAX_DEPTH: usize = 64;

/// What functions look at.
pub(super) struct Environment {
    /// The time at which the message is written, in milliseconds since 1970.
    pub(super) now_ms: i64,
}

type Body = fn(&Environment, &[Value]) -> Result<Value, String>;

/// The functions.
pub(super) const FUNCTIONS: &[Function<Environment>] = &[
    function("toUpper", TEXT, |_, v| {
        Ok(text_of(&v[0]).to_uppercase().into())
    }),
    function("toLower", TEXT, |_, v| {
        Ok(text_of(&v[0]).to_lowercase().into())
    }),
    function("title", TEXT, |_, v| Ok(title(text_of(&v[0])).into())),
    function("trimSpace", TEXT, |_, v| Ok(text_of(&v[0]).trim().into())),
    function("join", &[Kind::Text, Kind::List], join),
    function("match", &[Kind::Text, Kind::Text], |_, v| {
        prometheus::is_match(v)
    }),
    function(
        "reReplaceAll",
        &[Kind::Text, Kind::Text, Kind::Text],
        |_, v| prometheus::replace_all(v),
    ),
    function("safeHtml", TEXT, |_, v| Ok(html(text_of(&v[0])))),
    function("safeUrl", TEXT, |_, v| Ok(v[0].clone())),
    function("urlUnescape", TEXT, |_, v| unescape(text_of(&v[0]))),
    variadic("stringSlice", Kind::Text, |_, v| {
        Value::list("[]string", v.to_vec())
    }),
    variadic("list", Kind::Any, |_, v| Value::list(ANY_LIST, v.to_vec())),
    Function {
        name: "append",
        takes: &[Kind::List],
        rest: Some(Kind::Any),
        body: append,
    },
    variadic("dict", Kind::Any, dict),
    function("date", &[Kind::Text, Kind::Any], |_, v| {
        Moment::format_value(&v[1], text_of(&v[0])).map(Value::from)
    }),
    function("tz", &[Kind::Text, Kind::Any], zone),
    function("now", &[], |env, _| Ok(Moment::of_ms(env.now_ms))),
    function("since", &[Kind::Any], since),
    function("humanizeDuration", &[Kind::Any], |_, v| {
        prometheus::duration(&v[0])
    }),
    function("toJson", &[Kind::Any], |_, v| {
        json(&v[0], 0).map(|value| value.to_string().into())
    }),
];

const TEXT: &[Kind] = &[Kind::Text];
const ANY_LIST: &str = "[]interface {}";

const fn function(name: &'static str, takes: &'static [Kind], body: Body) -> Function<Environment> {
    Function {
        name,
        takes,
        rest: None,
        body,
    }
}

const fn variadic(name: &'static str, rest: Kind, body: Body) -> Function<Environment> {
    Function {
        name,
        takes: &[],
        rest: Some(rest),
        body,
    }
}

/// The text of an argument whose kind was checked.
fn text_of(value: &Value) -> &str {
    match value {
        Value::Text(text) => text,
        _ => "",
    }
}

/// Every word with a capital, and only there.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_within = false;
    for c in text.chars() {
        if is_within {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        is_within = c.is_alphanumeric() || (is_within && matches!(c, '\'' | '_' | '.'));
    }
    out
}

fn join(_: &Environment, arguments: &[Value]) -> Result<Value, String> {
    let Value::List(list) = arguments[1].plain() else {
        return Ok(Value::text(""));
    };
    let mut joined = String::new();
    for (place, item) in list.items().iter().enumerate() {
        let Value::Text(item) = item else {
            let got = item.type_name();
            return Err(format!("wrong type for value; expected string; got {got}"));
        };
        if place > 0 {
            joined.push_str(text_of(&arguments[0]));
        }
        joined.push_str(item);
        if joined.len() > rules::template::MAX_TEXT {
            return Err("the text is too long".to_owned());
        }
    }
    Ok(joined.into())
}

/// The reverse of how the query of a URL is written.
fn unescape(text: &str) -> Result<Value, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = rest
                    .get(..2)
                    .and_then(|pair| std::str::from_utf8(pair).ok());
                let byte = digits.and_then(|pair| u8::from_str_radix(pair, 16).ok());
                bytes.push(byte.ok_or_else(|| format!("invalid URL escape in {text:?}"))?);
                rest = &rest[2..];
            }
            byte => bytes.push(*byte),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned().into())
}

fn append(_: &Environment, arguments: &[Value]) -> Result<Value, String> {
    let Value::List(list) = arguments[0].plain() else {
        return Ok(Value::Nil);
    };
    let items = list.items().iter().chain(&arguments[1..]);
    Value::list(ANY_LIST, items.cloned().collect())
}

fn dict(_: &Environment, arguments: &[Value]) -> Result<Value, String> {
    let pairs = arguments.chunks(2).map(|pair| match pair {
        [Value::Text(name), value] => Ok((name.to_string(), value.clone())),
        [_] => Err("dict needs a value for each name".to_owned()),
        _ => Err("the names of a dict are texts".to_owned()),
    });
    Value::map(pairs.collect::<Result<BTreeMap<_, _>, _>>()?)
}

fn zone(_: &Environment, arguments: &[Value]) -> Result<Value, String> {
    let name = text_of(&arguments[0]);
    let zone = match name {
        "" | "UTC" => TimeZone::UTC,
        "Local" => TimeZone::system(),
        name => TimeZone::get(name).map_err(|_| format!("unknown time zone {name}"))?,
    };
    Moment::within(&arguments[1], zone)
}

fn since(environment: &Environment, arguments: &[Value]) -> Result<Value, String> {
    let now = i128::from(environment.now_ms) * 1_000_000;
    moment::nanos(&arguments[0]).map(|then| moment::length(now - then))
}

fn json(value: &Value, depth: usize) -> Result<serde_json::Value, String> {
    use serde_json::Value as Json;
    if depth > MAX_DEPTH {
        return Err("values lie too deep in each other".to_owned());
    }
    Ok(match value {
        Value::Nil => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(number) | Value::Duration(number) => Json::from(*number),
        Value::Float(number) => serde_json::Number::from_f64(*number)
            .map(Json::Number)
            .ok_or_else(|| format!("json: unsupported value: {number}"))?,
        Value::Text(text) => Json::from(&**text),
        Value::Time(_) => json(&Moment::within(value, TimeZone::UTC)?, depth + 1)?,
        Value::List(list) => {
            let items = list.items().iter();
            Json::Array(
                items
                    .map(|item| json(item, depth + 1))
                    .collect::<Result<_, _>>()?,
            )
        }
        Value::Map(map) => {
            let entries = map.entries().iter();
            let entries = entries.map(|(name, value)| Ok((name.clone(), json(value, depth + 1)?)));
            Json::Object(entries.collect::<Result<_, String>>()?)
        }
        Value::Object(object) => match (object.method(JSON, &[]), object.content()) {
            (Some(written), _) => json(&written?, depth + 1)?,
            (None, Content::Value(value)) => json(&value, depth + 1)?,
            (None, Content::Fields(fields)) => {
                let fields = fields.iter();
                let fields =
                    fields.map(|(name, value)| Ok(((*name).to_owned(), json(value, depth + 1)?)));
                Json::Object(fields.collect::<Result<_, String>>()?)
            }
        },
    })
}
