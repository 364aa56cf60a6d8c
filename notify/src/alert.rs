//! An alert as those see it who pass it on: from our own rules, or from a Prometheus elsewhere.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use store::labels::Labels;

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// What it is known by.
    #[serde(with = "labels_as_map")]
    pub labels: Labels,
    /// What it tells people, sorted by name.
    pub annotations: Vec<(String, String)>,
    /// When it began, in milliseconds since 1970.
    pub starts_at_ms: i64,
    /// When it was over, or will be unless it is heard of again; nothing while it lasts.
    pub ends_at_ms: Option<i64>,
    /// When it was last heard of.
    pub updated_at_ms: i64,
    /// Where people see what it comes from; may be empty.
    pub generator_url: String,
}

/// Identifies labels among others: Alertmanager's own hash, so that its clients find theirs again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// That of labels: FNV-1a over names and values, each ended by a byte that text never holds.
    #[must_use]
    pub fn of(labels: &Labels) -> Self {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x100_0000_01b3;
        let texts = labels.iter().flat_map(|(name, value)| [name, value]);
        let bytes = texts.flat_map(|text| text.bytes().chain([0xff]));
        Self(bytes.fold(OFFSET, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(PRIME)
        }))
    }

    /// The reverse of its text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_whole = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_whole.then(|| u64::from_str_radix(text, 16).ok());
        number.flatten().map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let wrong = || serde::de::Error::custom(format!("{text:?} is no fingerprint"));
        Self::parse(&text).ok_or_else(wrong)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Alert {
    /// Its fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.labels)
    }

    /// Whether it is over at a time.
    #[must_use]
    pub fn is_resolved(&self, now_ms: i64) -> bool {
        self.ends_at_ms
            .is_some_and(|ends_at_ms| ends_at_ms <= now_ms)
    }

    /// The name of the rule that it comes from; empty where nobody said.
    #[must_use]
    pub fn name(&self) -> &str {
        self.labels.get("alertname").unwrap_or_default()
    }
}

/// Labels as serde writes and reads them: a map of texts.
pub mod labels_as_map {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};
    use store::labels::Labels;

    /// Writes them.
    pub fn serialize<S: Serializer>(labels: &Labels, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(labels.iter())
    }

    /// Reads them.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Labels, D::Error> {
        let pairs = BTreeMap::<String, String>::deserialize(from)?;
        let pairs = pairs.iter();
        Ok(Labels::from_pairs(
            pairs.map(|(name, value)| (name.as_str(), value.as_str())),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_alertmanager() {
        // As Alertmanager 0.25 gives it for these labels.
        let none = Fingerprint::of(&Labels::from_pairs([]));
        assert_eq!(none.to_string(), "cbf29ce484222325");
        let some = Fingerprint::of(&Labels::from_pairs([("alertname", "A"), ("host", "b")]));
        assert_eq!(Fingerprint::parse(&some.to_string()), Some(some));
        assert_eq!(Fingerprint::parse("xyz"), None);
    }
}
