//! How Go prints values: `fmt.Sprint` and `fmt.Sprintf`.
//!
//! Nothing longer than [`super::MAX_TEXT`] is ever built: what refers to the same value many times
//! prints far longer than it is.

mod number;
mod verb;

use super::MAX_TEXT;
use super::builtin::quoted;
use super::time;
use super::value::{Content, Value};

pub use number::float;
pub use verb::printf;

/// Text that does not grow beyond its bound.
pub(super) struct Bounded(String);

impl Bounded {
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    pub(super) fn push(&mut self, text: &str) -> Result<(), String> {
        if self.0.len() + text.len() > MAX_TEXT {
            return Err(format!("more than {MAX_TEXT} bytes of text"));
        }
        self.0.push_str(text);
        Ok(())
    }

    pub(super) fn into_inner(self) -> String {
        self.0
    }
}

/// How the parts of a value are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `%v`
    Plain,
    /// `%+v`: fields with their names.
    Named,
    /// `%#v`: texts in quotes too.
    Source,
}

/// What an action writes: nothing is `<no value>`.
pub(super) fn shown(value: &Value) -> Result<String, String> {
    match value {
        Value::Nil => Ok("<no value>".to_owned()),
        Value::Text(text) => Ok(text.to_string()),
        value => print(std::slice::from_ref(value)),
    }
}

/// `fmt.Sprint`: a blank between two operands of which neither is a text.
pub fn print(values: &[Value]) -> Result<String, String> {
    let mut out = Bounded::new();
    let is_text = |value: &Value| matches!(value, Value::Text(_));
    for (place, value) in values.iter().enumerate() {
        if place > 0 && !is_text(value) && !is_text(&values[place - 1]) {
            out.push(" ")?;
        }
        write(&mut out, value, Style::Plain)?;
    }
    Ok(out.into_inner())
}

/// `fmt.Sprintln`: a blank between all operands, and the end of the line.
pub(super) fn println(values: &[Value]) -> Result<String, String> {
    let mut out = Bounded::new();
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            out.push(" ")?;
        }
        write(&mut out, value, Style::Plain)?;
    }
    out.push("\n")?;
    Ok(out.into_inner())
}

/// Writes a value as `%v` does.
pub(super) fn write(out: &mut Bounded, value: &Value, style: Style) -> Result<(), String> {
    match value {
        Value::Nil => out.push("<nil>"),
        Value::Bool(value) => out.push(if *value { "true" } else { "false" }),
        Value::Int(value) => out.push(&value.to_string()),
        Value::Float(value) => out.push(&float(*value, 'g', None)),
        Value::Text(text) if style == Style::Source => out.push(&quoted(text)),
        Value::Text(text) => out.push(text),
        Value::Time(nanos) => out.push(&time::utc(*nanos)),
        Value::Duration(nanos) => out.push(&time::duration(*nanos)),
        Value::List(list) => {
            out.push("[")?;
            for (place, item) in list.items().iter().enumerate() {
                if place > 0 {
                    out.push(" ")?;
                }
                write(out, item, style)?;
            }
            out.push("]")
        }
        Value::Map(map) => {
            out.push("map[")?;
            for (place, (key, item)) in map.entries().iter().enumerate() {
                if place > 0 {
                    out.push(" ")?;
                }
                write(out, &Value::text(key), style)?;
                out.push(":")?;
                write(out, item, style)?;
            }
            out.push("]")
        }
        Value::Object(object) => match object.content() {
            // What says itself how it is written.
            _ if style != Style::Source
                && let Some(Ok(Value::Text(text))) = object.method("String", &[]) =>
            {
                out.push(&text)
            }
            Content::Value(value) => write(out, &value, style),
            Content::Fields(fields) => {
                out.push("{")?;
                for (place, (name, value)) in fields.iter().enumerate() {
                    if place > 0 {
                        out.push(" ")?;
                    }
                    if style != Style::Plain {
                        out.push(name)?;
                        out.push(":")?;
                    }
                    write(out, value, style)?;
                }
                out.push("}")
            }
        },
    }
}
