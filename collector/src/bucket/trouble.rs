//! What to make of blocks that cannot be opened: whether waiting helps, and what a person can do.

use std::fmt;

use store::blocks;
use store::embedded::OpenError;
use wire::causes::with_causes;

use super::config::Place;

/// Whether it may be better soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// It may: what cannot be reached now comes back, as a rule.
    Wait,
    /// Somebody has to change something first.
    Hopeless,
}

/// Why blocks cannot be opened, for a person.
#[derive(Debug)]
pub struct Trouble {
    /// Whether it may be better soon.
    pub outlook: Outlook,
    /// What went wrong.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

impl Trouble {
    /// Judges an error of opening the blocks at a place; nothing where it has nothing to do with it.
    #[must_use]
    pub fn of(place: &Place, error: &OpenError) -> Option<Self> {
        match error {
            OpenError::Blocks(error) => Self::of_blocks(place, error),
            OpenError::Folder { .. } | OpenError::Journal(_) => None,
        }
    }

    /// The same for blocks by themselves.
    #[must_use]
    pub fn of_blocks(place: &Place, error: &blocks::OpenError) -> Option<Self> {
        let Place::Bucket(config) = place else {
            return None;
        };
        let (outlook, hint) = match error {
            blocks::OpenError::Objects(error) => judge(&error.source),
            blocks::OpenError::Owned(_) => (
                Outlook::Hopeless,
                "give each collector a prefix of its own; if that one is gone for good, make the \
                 blocks this one's: nightshift store take-over DIR --config FILE",
            ),
            blocks::OpenError::Folder { .. } | blocks::OpenError::Version { .. } => return None,
        };
        let message = format!("the blocks at {}: {}", config.address, with_causes(error));
        Some(Self {
            outlook,
            message,
            hint,
        })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; hint: {}", self.message, self.hint)
    }
}

impl std::error::Error for Trouble {}

fn judge(error: &object_store::Error) -> (Outlook, &'static str) {
    match error {
        object_store::Error::NotFound { .. } => (
            Outlook::Hopeless,
            "create the bucket, or correct store.blocks, store.s3.endpoint or store.s3.path_style",
        ),
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => (
            Outlook::Hopeless,
            "check the access key and the region (option store.s3), and that the key may list the \
             bucket and read, write and delete in it",
        ),
        _ => (
            Outlook::Wait,
            "see whether store.s3.endpoint answers from this host; it is tried again",
        ),
    }
}
