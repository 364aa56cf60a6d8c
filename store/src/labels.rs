//! Labels as the store holds them: sorted, without empty values, in one shared allocation.
//!
//! A collector holds the labels of every active series, so what they cost is what a fleet costs. All
//! text of a label set lies in one `str`, each name and value behind its length:
//!
//! ```text
//! labels := (length name length value)*      length := base-64 digits, least first, each one ASCII
//!                                             character; 0x40 is set on all but the last
//! ```
//! Names are strictly ascending and no value is empty: an empty value is the same as no label. Equal
//! label sets are therefore equal byte for byte, and the same bytes stand in the journal.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The label that carries the metric's name.
pub const METRIC_NAME: &str = "__name__";

/// A set of labels; clones share the text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<str>);

impl Labels {
    /// From pairs in any order. Of two pairs with one name the later counts; empty values are left out.
    #[must_use]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        pairs.sort_by_key(|(name, _)| *name);
        let mut text = String::new();
        for (place, (name, value)) in pairs.iter().enumerate() {
            let overridden = pairs
                .get(place + 1)
                .is_some_and(|(following, _)| following == name);
            if !overridden && !value.is_empty() {
                push_text(&mut text, name);
                push_text(&mut text, value);
            }
        }
        Self(text.into())
    }

    /// From pairs in strictly ascending order of their names; empty values are left out. `scratch` is
    /// room to write in, for those who make many.
    #[must_use]
    pub fn from_sorted<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        scratch: &mut String,
    ) -> Self {
        scratch.clear();
        for (name, value) in pairs {
            if !value.is_empty() {
                push_text(scratch, name);
                push_text(scratch, value);
            }
        }
        debug_assert!(Self::from_encoded(scratch).is_some(), "names must ascend");
        Self(scratch.as_str().into())
    }

    /// Those of which the name is kept.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        let mut text = String::with_capacity(self.0.len());
        let mut rest = &*self.0;
        while let Some((name, after_name)) = take_text(rest)
            && let Some((_, after_value)) = take_text(after_name)
        {
            if keep(name) {
                text.push_str(&rest[..rest.len() - after_value.len()]);
            }
            rest = after_value;
        }
        if text.len() == self.0.len() {
            return self.clone();
        }
        Self(text.into())
    }

    /// From the encoded form, as a file holds it; nothing if it is not one.
    #[must_use]
    pub fn from_encoded(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut previous: Option<&str> = None;
        while !rest.is_empty() {
            let (name, after_name) = take_text(rest)?;
            let (value, after_value) = take_text(after_name)?;
            if value.is_empty() || previous.is_some_and(|previous| previous >= name) {
                return None;
            }
            previous = Some(name);
            rest = after_value;
        }
        Some(Self(text.into()))
    }

    /// The encoded form.
    #[must_use]
    pub fn as_encoded(&self) -> &str {
        &self.0
    }

    /// The pairs, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (name, after_name) = take_text(rest)?;
            let (value, after_value) = take_text(after_name)?;
            rest = after_value;
            Some((name, value))
        })
    }

    /// The value of a label.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(candidate, _)| *candidate == name)
            .map(|(_, value)| value)
    }

    /// The metric's name; empty where a series has none.
    #[must_use]
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME).unwrap_or_default()
    }

    /// Whether there is no label at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

const DIGIT_BITS: u32 = 6;
const MORE: u8 = 0x40;

fn push_text(out: &mut String, text: &str) {
    let mut length = text.len();
    loop {
        let digit = (length & 0x3f) as u8;
        length >>= DIGIT_BITS;
        out.push(char::from(if length == 0 { digit } else { digit | MORE }));
        if length == 0 {
            break;
        }
    }
    out.push_str(text);
}

/// Splits the first text off; nothing if `encoded` does not begin with one.
fn take_text(encoded: &str) -> Option<(&str, &str)> {
    let mut length = 0usize;
    for (place, byte) in encoded.bytes().enumerate() {
        let shift = u32::try_from(place).ok()?.checked_mul(DIGIT_BITS)?;
        if shift > 30 || byte >= 0x80 {
            return None;
        }
        length |= usize::from(byte & 0x3f) << shift;
        if byte & MORE == 0 {
            let rest = encoded.get(place + 1..)?;
            return Some((rest.get(..length)?, rest.get(length..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests;
