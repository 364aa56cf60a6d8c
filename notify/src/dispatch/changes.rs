//! What is to be kept safe: which alerts and groups are not what they were, or are no more.

use std::collections::BTreeSet;

use crate::alert::Fingerprint;

use super::GroupId;

/// What is not what it was. What it is now, the machine says; what it does not know is no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Alerts.
    pub alerts: BTreeSet<Fingerprint>,
    /// Groups, with what was told of them.
    pub groups: BTreeSet<GroupId>,
}

impl Changes {
    /// Whether everything is what it was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty() && self.groups.is_empty()
    }

    /// These as well.
    pub fn add(&mut self, other: Self) {
        self.alerts.extend(other.alerts);
        self.groups.extend(other.groups);
    }
}
