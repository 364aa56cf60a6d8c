//! Reads a document into a tree.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Node;
use crate::problem::{Place, Problem};

/// The most values that a document may hold once its aliases are resolved: some ten thousand rules
/// have a fourth of it.
const MAX_VALUES: usize = 1_000_000;

/// How many brackets of one line may stay open. The YAML crate looks for its own bound only once it
/// has gone through the whole text, in a time that grows with the square of the depth.
const MAX_OPEN: usize = 500;

/// The first document of a text.
#[derive(Debug)]
pub struct Document {
    pub root: Node,
    /// Whether there are others, which are not read.
    pub is_followed: bool,
}

/// Reads the first document of a text.
pub fn document(text: &str) -> Result<Document, Vec<Problem>> {
    check_depth(text)?;
    let mut documents = serde_yaml_ng::Deserializer::from_str(text);
    let Some(first) = documents.next() else {
        return Ok(Document {
            root: Node::Null,
            is_followed: false,
        });
    };
    let left = Cell::new(MAX_VALUES);
    let root = Values { left: &left }.deserialize(first);
    let mut root = root.map_err(|wrong| problem(&wrong))?;
    let is_followed = documents.next().is_some();
    // A second reading, for the text of what is not a text.
    if let Some(again) = serde_yaml_ng::Deserializer::from_str(text).next() {
        let texts = Texts(&mut root).deserialize(again);
        texts.map_err(|wrong| problem(&wrong))?;
    }
    merge(&mut root);
    Ok(Document { root, is_followed })
}

fn check_depth(text: &str) -> Result<(), Vec<Problem>> {
    for (number, line) in text.lines().enumerate() {
        let mut open = 0usize;
        for (at, byte) in line.bytes().enumerate() {
            match byte {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open = open.saturating_sub(1),
                _ => continue,
            }
            if open > MAX_OPEN {
                let message = format!("more than {MAX_OPEN} brackets of one line are open");
                let place = Some(Place {
                    line: number + 1,
                    column: at + 1,
                });
                return Err(vec![Problem {
                    place,
                    ..Problem::new(message, "")
                }]);
            }
        }
    }
    Ok(())
}

fn problem(wrong: &serde_yaml_ng::Error) -> Vec<Problem> {
    let place = wrong.location().map(|location| Place {
        line: location.line(),
        column: location.column(),
    });
    // The place stands beside the message.
    let text = wrong.to_string();
    let message = text.split(" at line ").next().unwrap_or_default();
    vec![Problem {
        place,
        ..Problem::new(format!("not YAML: {message}"), "")
    }]
}

/// Reads values; scalars that are no texts are left empty.
#[derive(Clone, Copy)]
struct Values<'a> {
    left: &'a Cell<usize>,
}

impl Values<'_> {
    fn count<E: Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1);
        let too_many = || E::custom(format!("more than {MAX_VALUES} values, aliases resolved"));
        self.left.set(left.ok_or_else(too_many)?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Values<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without a tag of its own")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar(String::new()))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar(String::new()))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar(String::new()))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Scalar(String::new()))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Scalar(String::new()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar(String::new()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Scalar(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map: Vec<(String, Node)> = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            if !names.insert(key.clone()) {
                return Err(A::Error::custom(format!(
                    "the key {key:?} stands there twice"
                )));
            }
            map.push((key, entries.next_value_seed(self)?));
        }
        Ok(Node::Map(map))
    }
}

/// A key as it stands there.
pub(super) struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

/// Fills in the texts of scalars.
struct Texts<'a>(&'a mut Node);

impl<'de> DeserializeSeed<'de> for Texts<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0 {
            Node::Null => deserializer.deserialize_any(IgnoredAny).map(|_| ()),
            Node::Scalar(_) => deserializer.deserialize_str(self),
            Node::List(_) => deserializer.deserialize_seq(self),
            Node::Map(_) => deserializer.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Texts<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the same value again")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        *self.0 = Node::Scalar(text.to_owned());
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if let Node::List(list) = self.0 {
            for item in list {
                items.next_element_seed(Texts(item))?;
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        if let Node::Map(map) = self.0 {
            for (_, value) in map {
                if entries.next_key::<IgnoredAny>()?.is_some() {
                    entries.next_value_seed(Texts(value))?;
                }
            }
        }
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// Resolves `<<`: what a map says itself counts more than what it takes over.
fn merge(node: &mut Node) {
    match node {
        Node::List(items) => items.iter_mut().for_each(merge),
        Node::Map(entries) => {
            entries.iter_mut().for_each(|(_, value)| merge(value));
            let Some(at) = entries.iter().position(|(key, _)| key == "<<") else {
                return;
            };
            let sources = match entries.remove(at).1 {
                Node::List(items) => items,
                one => vec![one],
            };
            for source in sources {
                let Node::Map(taken) = source else {
                    continue;
                };
                for (key, value) in taken {
                    if !entries.iter().any(|(known, _)| *known == key) {
                        entries.push((key, value));
                    }
                }
            }
        }
        Node::Null | Node::Scalar(_) => {}
    }
}
