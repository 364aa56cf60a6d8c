//! Which kinds of receivers there are, and how one of them is called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A way to tell people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Email,
    Slack,
    Pagerduty,
    Webhook,
    Telegram,
    MsteamsV2,
    Opsgenie,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Email,
        Self::Slack,
        Self::Pagerduty,
        Self::Webhook,
        Self::Telegram,
        Self::MsteamsV2,
        Self::Opsgenie,
    ];

    /// As Alertmanager names it in metrics and group keys.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Slack => "slack",
            Self::Pagerduty => "pagerduty",
            Self::Webhook => "webhook",
            Self::Telegram => "telegram",
            Self::MsteamsV2 => "msteamsv2",
            Self::Opsgenie => "opsgenie",
        }
    }

    /// The key of a receiver that lists those of this kind.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Email => "email_configs",
            Self::Slack => "slack_configs",
            Self::Pagerduty => "pagerduty_configs",
            Self::Webhook => "webhook_configs",
            Self::Telegram => "telegram_configs",
            Self::MsteamsV2 => "msteamsv2_configs",
            Self::Opsgenie => "opsgenie_configs",
        }
    }

    /// Whether it is told that an alert is over unless the file says otherwise. As Alertmanager has
    /// it: not where a person would have to read one message more.
    #[must_use]
    pub fn sends_resolved(self) -> bool {
        !matches!(self, Self::Email | Self::Slack)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Names one integration of one receiver: `team-db/slack[0]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntegrationId {
    /// The receiver's name, which may hold anything.
    pub receiver: String,
    /// Which kind.
    pub kind: Kind,
    /// Its place among those of its kind, counted from 0.
    pub index: usize,
}

/// The text names no integration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no integration: expected RECEIVER/KIND[INDEX]")]
pub struct NotAnIntegration {
    text: String,
}

impl fmt::Display for IntegrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}[{}]", self.receiver, self.kind, self.index)
    }
}

impl FromStr for IntegrationId {
    type Err = NotAnIntegration;

    fn from_str(text: &str) -> Result<Self, NotAnIntegration> {
        parse(text).ok_or_else(|| NotAnIntegration {
            text: text.to_owned(),
        })
    }
}

/// From the end, for the name of a receiver may hold slashes and brackets.
fn parse(text: &str) -> Option<IntegrationId> {
    let (receiver, integration) = text.rsplit_once('/')?;
    let (name, index) = integration.strip_suffix(']')?.split_once('[')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
    Some(IntegrationId {
        receiver: receiver.to_owned(),
        kind,
        index: index.parse().ok()?,
    })
}

impl Serialize for IntegrationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IntegrationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_integrations_read_back() {
        for receiver in ["team", "a/b[0]/c", "", "x y\u{1f642}"] {
            for kind in Kind::ALL {
                let id = IntegrationId {
                    receiver: receiver.to_owned(),
                    kind,
                    index: 11,
                };
                assert_eq!(id.to_string().parse(), Ok(id));
            }
        }
        for text in [
            "",
            "slack[0]",
            "a/slack",
            "a/slack[",
            "a/slack[x]",
            "a/irc[0]",
        ] {
            assert!(text.parse::<IntegrationId>().is_err(), "{text}");
        }
    }
}
