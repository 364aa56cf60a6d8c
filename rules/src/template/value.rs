//! What templates work on.
//!
//! Values are cheap to clone. How deep values lie in each other is counted as they are built and
//! bounded, for what walks over them, dropping included, goes down as deep as they are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How deep lists and maps may lie in each other.
const MAX_DEPTH: usize = 32;

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing: no such key, or nothing given.
    Nil,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any number.
    Float(f64),
    /// A text.
    Text(Arc<str>),
    /// Values in their order.
    List(Arc<List>),
    /// Values by name.
    Map(Arc<Map>),
    /// A moment, in nanoseconds since 1970.
    Time(i128),
    /// A length of time, in nanoseconds.
    Duration(i64),
    /// Something with fields or methods.
    Object(Arc<dyn Object>),
}

/// Something with fields or methods of its own.
pub trait Object: fmt::Debug + Send + Sync {
    /// As messages and `%T` name it.
    fn type_name(&self) -> &str;

    /// What it is made of, for printing, going through and looking fields up.
    fn content(&self) -> Content;

    /// What a method gives; nothing if there is no such method.
    fn method(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let _ = (name, arguments);
        None
    }
}

/// What an object is made of.
#[derive(Clone, Debug)]
pub enum Content {
    /// Fields in their order.
    Fields(Vec<(&'static str, Value)>),
    /// A list, map or other value that has methods.
    Value(Value),
}

/// Values in their order.
#[derive(Debug)]
pub struct List {
    type_name: &'static str,
    items: Vec<Value>,
    depth: usize,
}

/// Values by name.
#[derive(Debug)]
pub struct Map {
    entries: BTreeMap<String, Value>,
    /// Whether it can hold texts only, so that looking up what is missing gives an empty one.
    texts: bool,
    depth: usize,
}

impl List {
    /// The items.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        &self.items
    }
}

impl Map {
    /// The entries, sorted by name.
    #[must_use]
    pub fn entries(&self) -> &BTreeMap<String, Value> {
        &self.entries
    }

    /// What a name stands for that is missing.
    pub(super) fn zero(&self) -> Value {
        if self.texts {
            Value::text("")
        } else {
            Value::Nil
        }
    }
}

/// How a text is called that is HTML already.
const HTML: &str = "template.HTML";

/// A text that is HTML already.
#[derive(Debug)]
struct Html(Value);

impl Object for Html {
    fn type_name(&self) -> &str {
        HTML
    }

    fn content(&self) -> Content {
        Content::Value(self.0.clone())
    }
}

/// A text that is HTML already, and is not escaped where HTML is written.
#[must_use]
pub fn html(text: &str) -> Value {
    Value::Object(Arc::new(Html(Value::text(text))))
}

/// Whether a value is HTML already.
pub(super) fn is_html(value: &Value) -> bool {
    matches!(value, Value::Object(object) if object.type_name() == HTML)
}

impl Value {
    /// A text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// Texts by name, as labels are.
    #[must_use]
    pub fn texts<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let entries = pairs.into_iter();
        let entries = entries.map(|(name, value)| (name.to_owned(), Self::text(value)));
        Self::Map(Arc::new(Map {
            entries: entries.collect(),
            texts: true,
            depth: 1,
        }))
    }

    /// Values by name. An error if they would lie too deep in each other.
    pub fn map(entries: BTreeMap<String, Self>) -> Result<Self, String> {
        let depth = depth_over(entries.values())?;
        Ok(Self::Map(Arc::new(Map {
            entries,
            texts: false,
            depth,
        })))
    }

    /// Values in their order; `type_name` is what messages call the list. An error if they would lie
    /// too deep in each other.
    pub fn list(type_name: &'static str, items: Vec<Self>) -> Result<Self, String> {
        let depth = depth_over(items.iter())?;
        Ok(Self::List(Arc::new(List {
            type_name,
            items,
            depth,
        })))
    }

    /// A length of time.
    #[must_use]
    pub fn duration(duration: Duration) -> Self {
        Self::Duration(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }

    /// As messages and `%T` name the type.
    #[must_use]
    pub fn type_name(&self) -> &str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(list) => list.type_name,
            Self::Map(map) if map.texts => "map[string]string",
            Self::Map(_) => "map[string]interface {}",
            Self::Time(_) => "time.Time",
            Self::Duration(_) => "time.Duration",
            Self::Object(object) => object.type_name(),
        }
    }

    /// Whether `if` takes it for true.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self.plain() {
            Self::Nil => false,
            Self::Bool(value) => value,
            Self::Int(value) | Self::Duration(value) => value != 0,
            Self::Float(value) => value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Map(map) => !map.entries.is_empty(),
            Self::Time(_) | Self::Object(_) => true,
        }
    }

    /// The list, map or other value that an object is, where it is one.
    #[must_use]
    pub fn plain(&self) -> Self {
        if let Self::Object(object) = self
            && let Content::Value(value) = object.content()
        {
            return value;
        }
        self.clone()
    }

    fn depth(&self) -> usize {
        match self {
            Self::List(list) => list.depth,
            Self::Map(map) => map.depth,
            // What objects are made of comes from the program, not from templates.
            Self::Object(_) => 1,
            _ => 0,
        }
    }
}

fn depth_over<'a>(values: impl Iterator<Item = &'a Value>) -> Result<usize, String> {
    let depth = values.map(Value::depth).max().unwrap_or(0) + 1;
    if depth > MAX_DEPTH {
        return Err(format!(
            "values lie more than {MAX_DEPTH} deep in each other"
        ));
    }
    Ok(depth)
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}
