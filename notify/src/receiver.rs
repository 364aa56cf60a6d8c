//! Receivers of each kind: what the file may say of them, what they are sent, and what their answers
//! mean.
//!
//! All of it is pure. Settings and a [`Letter`] make a [`Request`] or a mail; an [`Answer`] becomes a
//! [`Verdict`]. Who sends is [`crate::deliver`]. Invariants: a template that fails never keeps a message
//! from being sent, what a receiver would refuse for its length is cut to fit, and no error holds a
//! secret.

mod answer;
pub mod email;
mod letter;
mod limit;
pub mod msteams;
pub mod opsgenie;
pub mod pagerduty;
mod plain;
mod read;
mod request;
mod shape;
pub mod slack;
pub mod telegram;
pub mod webhook;

use rules::Problems;
use rules::yaml::Cursor;

use crate::config::{Global, HttpConfig, Kind};

pub use answer::{Answer, Verdict};
pub use letter::{Fault, Letter};
pub use request::{Attempt, Request};

/// What the file says of one integration.
#[derive(Clone, Debug, PartialEq)]
pub enum Settings {
    /// Mail.
    Email(Box<email::Settings>),
    /// Slack, by a webhook or an app.
    Slack(Box<slack::Settings>),
    /// PagerDuty's events.
    Pagerduty(Box<pagerduty::Settings>),
    /// Anybody who takes Alertmanager's JSON.
    Webhook(Box<webhook::Settings>),
    /// A bot of Telegram.
    Telegram(Box<telegram::Settings>),
    /// A workflow of Microsoft Teams.
    MsteamsV2(Box<msteams::Settings>),
    /// Opsgenie's alerts.
    Opsgenie(Box<opsgenie::Settings>),
}

impl Settings {
    /// Reads the settings of an integration of a kind; nothing where they are wrong.
    pub fn read(
        kind: Kind,
        at: &Cursor<'_>,
        global: &Global,
        problems: &mut Problems,
    ) -> Option<Self> {
        Some(match kind {
            Kind::Email => Self::Email(Box::new(email::Settings::read(at, global, problems)?)),
            Kind::Slack => Self::Slack(Box::new(slack::Settings::read(at, global, problems)?)),
            Kind::Pagerduty => {
                Self::Pagerduty(Box::new(pagerduty::Settings::read(at, global, problems)?))
            }
            Kind::Webhook => {
                Self::Webhook(Box::new(webhook::Settings::read(at, global, problems)?))
            }
            Kind::Telegram => {
                Self::Telegram(Box::new(telegram::Settings::read(at, global, problems)?))
            }
            Kind::MsteamsV2 => {
                Self::MsteamsV2(Box::new(msteams::Settings::read(at, global, problems)?))
            }
            Kind::Opsgenie => {
                Self::Opsgenie(Box::new(opsgenie::Settings::read(at, global, problems)?))
            }
        })
    }

    /// How its requests are sent; nothing for mail.
    #[must_use]
    pub fn http(&self) -> Option<&HttpConfig> {
        match self {
            Self::Email(_) => None,
            Self::Slack(settings) => Some(&settings.http),
            Self::Pagerduty(settings) => Some(&settings.http),
            Self::Webhook(settings) => Some(&settings.http),
            Self::Telegram(settings) => Some(&settings.http),
            Self::MsteamsV2(settings) => Some(&settings.http),
            Self::Opsgenie(settings) => Some(&settings.http),
        }
    }

    /// The requests that tell a letter, in their order; none for mail. An attempt counts as made when
    /// the request, or what stands in for it, is taken.
    pub fn requests(&self, letter: &mut Letter<'_>) -> Result<Vec<Attempt>, Fault> {
        match self {
            Self::Email(_) => Ok(Vec::new()),
            Self::Slack(settings) => settings.request(letter).map(|request| vec![request.into()]),
            Self::Pagerduty(settings) => {
                settings.request(letter).map(|request| vec![request.into()])
            }
            Self::Webhook(settings) => settings.request(letter).map(|request| vec![request.into()]),
            Self::Telegram(settings) => settings.attempt(letter).map(|attempt| vec![attempt]),
            Self::MsteamsV2(settings) => {
                settings.request(letter).map(|request| vec![request.into()])
            }
            Self::Opsgenie(settings) => {
                let requests = settings.requests(letter)?;
                Ok(requests.into_iter().map(Attempt::from).collect())
            }
        }
    }

    /// What an answer to one of the requests means, at a time in milliseconds since 1970.
    #[must_use]
    pub fn verdict(&self, answer: &Answer, now_ms: i64) -> Verdict {
        match self {
            Self::Slack(_) => slack::verdict(answer, now_ms),
            Self::Telegram(_) => telegram::verdict(answer, now_ms),
            _ => answer.verdict(now_ms),
        }
    }

    /// What of the settings has no effect here, for the operator to know.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        match self {
            Self::Slack(settings) => settings.warnings(),
            _ => Vec::new(),
        }
    }

    /// The texts that are templates, each with the key that it stands under.
    #[must_use]
    pub fn templates(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Email(settings) => settings.templates(),
            Self::Slack(settings) => settings.templates(),
            Self::Pagerduty(settings) => settings.templates(),
            Self::Webhook(settings) => settings.templates(),
            Self::Telegram(settings) => settings.templates(),
            Self::MsteamsV2(settings) => settings.templates(),
            Self::Opsgenie(settings) => settings.templates(),
        }
    }
}
