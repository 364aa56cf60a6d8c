//! Finds the line and column of a value.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::read::Key;
use super::{Part, Step};
use crate::problem::Place;

/// Where a value, or the key of one, stands; nothing where it came by a merge key.
pub fn locate(text: &str, path: &[Step], part: Part) -> Option<Place> {
    let document = serde_yaml_ng::Deserializer::from_str(text).next()?;
    let found = Probe { path, part }.deserialize(document).err()?;
    if !found.to_string().contains(HERE) {
        return None;
    }
    let location = found.location()?;
    Some(Place {
        line: location.line(),
        column: location.column(),
    })
}

/// The error that carries the place.
const HERE: &str = "the place that was asked for";

/// Walks along a path and fails at its end.
#[derive(Clone, Copy)]
struct Probe<'a> {
    path: &'a [Step],
    part: Part,
}

impl Probe<'_> {
    fn at_end<E: Error>(self) -> Result<(), E> {
        if self.path.is_empty() {
            return Err(E::custom(HERE));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Probe<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Probe<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.at_end()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.at_end()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.at_end()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.at_end()
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.at_end()
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.at_end()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.at_end()?;
        if let [Step::Item(wanted), path @ ..] = self.path {
            for _ in 0..*wanted {
                items.next_element::<IgnoredAny>()?;
            }
            items.next_element_seed(Self { path, ..self })?;
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.at_end()?;
        let Some((Step::Key(wanted), path)) = self.path.split_first() else {
            while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        let fails = path.is_empty() && self.part == Part::Key;
        while let Some(key) = entries.next_key_seed(KeyProbe { wanted, fails })? {
            if key == *wanted {
                entries.next_value_seed(Self { path, ..self })?;
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct KeyProbe<'a> {
    wanted: &'a str,
    fails: bool,
}

impl<'de> DeserializeSeed<'de> for KeyProbe<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        if self.fails {
            deserializer.deserialize_str(self)
        } else {
            Key.deserialize(deserializer)
        }
    }
}

impl Visitor<'_> for KeyProbe<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        if text == self.wanted {
            return Err(E::custom(HERE));
        }
        Ok(text.to_owned())
    }
}
