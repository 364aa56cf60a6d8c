//! Puts points back into families once rules have changed their names.

use std::borrow::Cow;
use std::collections::HashMap;

use wire::metric::{Family, Kind, Suffix, Text};

/// Families by name and kind, in the order in which they were first met.
#[derive(Default)]
pub(super) struct Regrouped {
    pub(super) families: Vec<Family>,
    places: HashMap<(Text, Kind), usize>,
}

impl Regrouped {
    pub(super) fn family(&mut self, name: Text, help: &Text, kind: Kind) -> &mut Family {
        let place = *self.places.entry((name.clone(), kind)).or_insert_with(|| {
            self.families.push(Family::new(name, help.clone(), kind));
            self.families.len() - 1
        });
        &mut self.families[place]
    }
}

/// A point's own name.
pub(super) fn full_name(family: &Text, suffix: Suffix) -> Text {
    match suffix {
        Suffix::None => family.clone(),
        suffix => Cow::Owned(format!("{family}{}", suffix.as_str())),
    }
}

/// To which family a point belongs whose name a rule changed. A part of a histogram whose new name
/// has lost its suffix is a plain number from then on.
pub(super) fn renamed_family(name: &Text, suffix: &mut Suffix, kind: Kind) -> (Text, Kind) {
    match name.strip_suffix(suffix.as_str()) {
        Some(base) if !base.is_empty() => (Cow::Owned(base.to_owned()), kind),
        _ => {
            *suffix = Suffix::None;
            (name.clone(), Kind::Untyped)
        }
    }
}
