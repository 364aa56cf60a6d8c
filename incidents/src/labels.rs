//! Labels as JSON: an object, sorted by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serializer};
use store::labels::Labels;

pub(crate) fn serialize<S: Serializer>(labels: &Labels, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(labels.iter())
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Labels, D::Error> {
    let pairs = BTreeMap::<String, String>::deserialize(from)?;
    let pairs = pairs.iter().map(|(name, value)| (&**name, &**value));
    Ok(Labels::from_pairs(pairs))
}
