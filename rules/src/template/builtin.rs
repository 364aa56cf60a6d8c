//! The functions that every template knows, as `text/template` defines them.

use std::sync::Arc;

use query::promql::quote;

use super::compare;
use super::format;
use super::value::Value;

/// How a function that every template knows is called.
pub(super) enum Builtin {
    /// Evaluates its arguments only up to the first that is not true.
    And,
    /// Evaluates its arguments only up to the first that is true.
    Or,
    /// Writes a template.
    Render,
    /// Takes its arguments evaluated.
    Plain(fn(&[Value]) -> Result<Value, String>),
}

/// The function of that name.
pub(super) fn find(name: &str) -> Option<Builtin> {
    Some(match name {
        "and" => Builtin::And,
        "or" => Builtin::Or,
        "tmpl" => Builtin::Render,
        "not" => Builtin::Plain(not),
        "eq" => Builtin::Plain(compare::equal),
        "ne" => Builtin::Plain(compare::unequal),
        "lt" => Builtin::Plain(compare::less),
        "le" => Builtin::Plain(compare::less_or_equal),
        "gt" => Builtin::Plain(compare::greater),
        "ge" => Builtin::Plain(compare::greater_or_equal),
        "len" => Builtin::Plain(len),
        "index" => Builtin::Plain(index),
        "slice" => Builtin::Plain(slice),
        "print" => Builtin::Plain(|values| format::print(values).map(Value::from)),
        "println" => Builtin::Plain(|values| format::println(values).map(Value::from)),
        "printf" => Builtin::Plain(printf),
        "html" => Builtin::Plain(|values| Ok(Value::from(html(&joined(values)?)))),
        "js" => Builtin::Plain(|values| Ok(Value::from(js(&joined(values)?)))),
        "urlquery" => Builtin::Plain(|values| Ok(Value::from(url_query(&joined(values)?)))),
        "call" => Builtin::Plain(call),
        _ => return None,
    })
}

/// Whether there is a function of that name.
pub(super) fn is_known(name: &str) -> bool {
    find(name).is_some()
}

fn not(values: &[Value]) -> Result<Value, String> {
    match values {
        [value] => Ok(Value::Bool(!value.is_true())),
        _ => Err(format!("wrong number of args: want 1 got {}", values.len())),
    }
}

fn len(values: &[Value]) -> Result<Value, String> {
    let [value] = values else {
        return Err(format!("wrong number of args: want 1 got {}", values.len()));
    };
    let length = match value.plain() {
        Value::Text(text) => text.len(),
        Value::List(list) => list.items().len(),
        Value::Map(map) => map.entries().len(),
        Value::Nil => return Err("len of nil pointer".to_owned()),
        _ => return Err(format!("len of type {}", value.type_name())),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn index(values: &[Value]) -> Result<Value, String> {
    let Some((first, keys)) = values.split_first() else {
        return Err("wrong number of args: want at least 1 got 0".to_owned());
    };
    let mut value = first.clone();
    for key in keys {
        value = match (value.plain(), key) {
            (Value::Nil, _) => return Err("index of untyped nil".to_owned()),
            (Value::Map(map), Value::Text(key)) => {
                let found = map.entries().get(&**key).cloned();
                found.unwrap_or_else(|| map.zero())
            }
            (Value::Map(_), key) => {
                let got = key.type_name();
                return Err(format!("value has type {got}; should be string"));
            }
            (Value::List(list), key) => {
                let place = position(key, list.items().len().saturating_sub(1))?;
                let found = list.items().get(place).cloned();
                found.ok_or_else(|| format!("index out of range: {place}"))?
            }
            (Value::Text(text), key) => {
                let place = position(key, text.len().saturating_sub(1))?;
                let byte = text.as_bytes().get(place);
                let byte = byte.ok_or_else(|| format!("index out of range: {place}"))?;
                Value::Int(i64::from(*byte))
            }
            (other, _) => return Err(format!("can't index item of type {}", other.type_name())),
        };
    }
    Ok(value)
}

fn position(key: &Value, most: usize) -> Result<usize, String> {
    match key {
        Value::Int(place) => usize::try_from(*place)
            .ok()
            .filter(|place| *place <= most)
            .ok_or_else(|| format!("index out of range: {place}")),
        Value::Nil => Err("cannot index slice/array with nil".to_owned()),
        other => {
            let got = other.type_name();
            Err(format!("cannot index slice/array with type {got}"))
        }
    }
}

fn slice(values: &[Value]) -> Result<Value, String> {
    let Some((value, bounds)) = values.split_first() else {
        return Err("wrong number of args: want at least 1 got 0".to_owned());
    };
    if bounds.len() > 2 {
        return Err(format!("too many slice indexes: {}", bounds.len()));
    }
    let plain = value.plain();
    let length = match &plain {
        Value::Text(text) => text.len(),
        Value::List(list) => list.items().len(),
        Value::Nil => return Err("slice of untyped nil".to_owned()),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let start = bounds.first().map_or(Ok(0), |key| position(key, length))?;
    let end = bounds
        .get(1)
        .map_or(Ok(length), |key| position(key, length))?;
    if start > end {
        return Err(format!("invalid slice index: {start} > {end}"));
    }
    match &plain {
        Value::List(list) => {
            let items = list.items()[start..end].to_vec();
            Value::list("[]interface {}", items)
        }
        Value::Text(text) => {
            let bytes = &text.as_bytes()[start..end];
            Ok(Value::from(String::from_utf8_lossy(bytes).into_owned()))
        }
        _ => Ok(Value::Nil),
    }
}

fn printf(values: &[Value]) -> Result<Value, String> {
    match values.split_first() {
        Some((Value::Text(format), rest)) => format::printf(format, rest).map(Value::from),
        Some((other, _)) => {
            let got = other.type_name();
            Err(format!("wrong type for value; expected string; got {got}"))
        }
        None => Err("wrong number of args: want at least 1 got 0".to_owned()),
    }
}

/// There are no values that are functions.
fn call(values: &[Value]) -> Result<Value, String> {
    match values.first() {
        None => Err("wrong number of args: want at least 1 got 0".to_owned()),
        Some(Value::Nil) => Err("call of nil".to_owned()),
        Some(other) => Err(format!("non-function of type {}", other.type_name())),
    }
}

/// As the escaping functions see their arguments.
fn joined(values: &[Value]) -> Result<Arc<str>, String> {
    match values {
        [Value::Text(text)] => Ok(Arc::clone(text)),
        _ => format::print(values).map(Arc::from),
    }
}

/// As HTML has it, within a quoted attribute too.
pub(super) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\0' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

fn js(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\'' => escaped.push_str("\\'"),
            '"' => escaped.push_str("\\\""),
            '<' => escaped.push_str("\\u003C"),
            '>' => escaped.push_str("\\u003E"),
            '&' => escaped.push_str("\\u0026"),
            '=' => escaped.push_str("\\u003D"),
            c if u32::from(c) < 0x20 => escaped.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

/// As the query of a URL has it.
pub(super) fn url_query(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => escaped.push('+'),
            b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => escaped.push(char::from(byte)),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// As `%q` writes a text.
pub(super) fn quoted(text: &str) -> String {
    quote(text)
}
