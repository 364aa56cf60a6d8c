//! What people do not want to be told of for a time.
//!
//! A silence that was in force is history and is never changed: an edit ends it and begins another,
//! unless the edit leaves alone what it silenced and since when. Where silences are kept is the
//! collector's, and so is making up their ids.

use store::labels::Labels;

use crate::matcher::{Matcher, MatcherError, Matchers};

/// Keeps alerts from being told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// What it is known by; empty until it has been taken in.
    pub id: String,
    /// Which alerts.
    pub matchers: Matchers,
    /// From when, in milliseconds since 1970.
    pub starts_at_ms: i64,
    /// Until when.
    pub ends_at_ms: i64,
    /// When it was last changed.
    pub updated_at_ms: i64,
    /// Who wants it.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

/// Where a silence is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    Active,
    Pending,
    Expired,
}

/// What is wrong with a silence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SilenceError {
    #[error("at least one matcher required")]
    NoMatcher,
    #[error("at least one matcher must not match the empty string")]
    MatchesEverything,
    #[error("invalid label name {0:?}")]
    Name(String),
    #[error(transparent)]
    Matcher(#[from] MatcherError),
    #[error("start time must be before end time")]
    EndsBeforeItStarts,
    #[error("end time can't be in the past")]
    EndsInThePast,
}

/// What an edit of a silence comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// It keeps its id.
    InPlace,
    /// It ends, where it has not, and the edited one begins under a new id.
    Replace,
}

impl State {
    /// As the API has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Expired => "expired",
        }
    }
}

impl Silence {
    /// Whether it may be taken in. A silence of what has no labels would silence everything.
    pub fn validate(&self, now_ms: i64) -> Result<(), SilenceError> {
        if self.matchers.is_empty() {
            return Err(SilenceError::NoMatcher);
        }
        if let Some(unnamed) = self.matchers.iter().find(|one| one.name().is_empty()) {
            return Err(SilenceError::Name(unnamed.name().to_owned()));
        }
        // A negative matcher counts as one that picks something out, as in Alertmanager.
        let is_empty = |one: &Matcher| one.op().is_equal() && one.accepts("");
        if self.matchers.iter().all(is_empty) {
            return Err(SilenceError::MatchesEverything);
        }
        if self.ends_at_ms <= self.starts_at_ms {
            return Err(SilenceError::EndsBeforeItStarts);
        }
        if self.ends_at_ms < now_ms {
            return Err(SilenceError::EndsInThePast);
        }
        Ok(())
    }

    /// Where it is in its life.
    #[must_use]
    pub fn state(&self, now_ms: i64) -> State {
        if now_ms < self.starts_at_ms {
            State::Pending
        } else if now_ms >= self.ends_at_ms {
            State::Expired
        } else {
            State::Active
        }
    }

    /// Whether it silences an alert at a time.
    #[must_use]
    pub fn mutes(&self, labels: &Labels, now_ms: i64) -> bool {
        self.state(now_ms) == State::Active && self.matchers.match_labels(labels)
    }

    /// What it comes to if this silence is to become another.
    #[must_use]
    pub fn edit(&self, edited: &Self, now_ms: i64) -> Edit {
        if self.matchers != edited.matchers {
            return Edit::Replace;
        }
        let keeps = match self.state(now_ms) {
            // To the second: clients write times back with less digits than they were given.
            State::Active => {
                edited.starts_at_ms.div_euclid(1000) == self.starts_at_ms.div_euclid(1000)
                    && edited.ends_at_ms >= now_ms
            }
            State::Pending => edited.starts_at_ms >= now_ms,
            State::Expired => false,
        };
        if keeps { Edit::InPlace } else { Edit::Replace }
    }

    /// As it begins under a new id: not before now, for what is over cannot be silenced any more.
    #[must_use]
    pub fn begun(self, id: String, now_ms: i64) -> Self {
        Self {
            id,
            starts_at_ms: self.starts_at_ms.max(now_ms),
            updated_at_ms: now_ms,
            ..self
        }
    }

    /// As it is once it has been ended; nothing where it has ended already.
    #[must_use]
    pub fn expired(&self, now_ms: i64) -> Option<Self> {
        let starts_at_ms = match self.state(now_ms) {
            State::Expired => return None,
            State::Active => self.starts_at_ms,
            State::Pending => now_ms,
        };
        Some(Self {
            starts_at_ms,
            ends_at_ms: now_ms,
            updated_at_ms: now_ms,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests;
