//! YAML as Go's programs read it: every scalar also as the text that stands in the file, merge keys,
//! no key twice, and all that is wrong said at once with its place.
//!
//! The YAML crate tells places only in its errors. So [`locate`] reads the document again with a reader
//! that fails at the place in question; that costs one more reading for each problem, and nothing where
//! there is none.

mod cursor;
mod place;
mod read;

pub use cursor::Cursor;
pub use place::locate;
pub use read::document;

/// A value of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Nothing stands there.
    Null,
    /// A scalar as it stands there.
    Scalar(String),
    List(Vec<Self>),
    /// Keys in their order, none twice.
    Map(Vec<(String, Self)>),
}

/// One step from a value to one within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Item(usize),
}

/// Which part of an entry is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The key of the last step.
    Key,
    /// The value there.
    Value,
}

impl Node {
    /// As messages name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}
