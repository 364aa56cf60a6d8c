//! Whether an integration is told of a group, by what fires, what is over, and what it was told last.

use std::collections::BTreeSet;

use crate::alert::Fingerprint;
use crate::notification::Reason;

use super::{Channel, Told};

/// What of a group may be told: the alerts that are not muted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) firing: BTreeSet<Fingerprint>,
    pub(super) resolved: BTreeSet<Fingerprint>,
}

/// Whether it is long enough ago that the same was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    Due,
    NotYet,
}

/// Why the integration is told, if it is.
pub(super) fn decide(
    told: Option<&Told>,
    standing: &Standing,
    channel: &Channel,
    repeat: Repeat,
) -> Option<Reason> {
    let Standing { firing, resolved } = standing;
    let Some(told) = told else {
        return (!firing.is_empty()).then_some(Reason::First);
    };
    if !firing.is_subset(&told.firing) {
        let is_first = told.firing.is_empty();
        return Some(if is_first {
            Reason::First
        } else {
            Reason::More
        });
    }
    if firing.is_empty() {
        let was_firing = !told.firing.is_empty() || !told.open.is_disjoint(resolved);
        return (was_firing && !resolved.is_empty()).then_some(Reason::Resolved);
    }
    if channel.send_resolved && !resolved.is_subset(&told.resolved) {
        return Some(Reason::More);
    }
    (repeat == Repeat::Due).then_some(Reason::Repeat)
}

/// What the integration was told, once it is.
pub(super) fn told(before: Option<&Told>, standing: &Standing, at_ms: i64) -> Told {
    let Standing { firing, resolved } = standing.clone();
    let was_open = before.into_iter().flat_map(|told| &told.open);
    let open = was_open.chain(&firing).copied();
    Told {
        open: open.filter(|one| !resolved.contains(one)).collect(),
        firing,
        resolved,
        at_ms,
    }
}
