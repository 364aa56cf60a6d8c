//! One message on its way to one receiver.
//!
//! It writes the fields that the settings have templates for. A template that fails gives a plain text in
//! its place, and what failed is said in it: somebody is woken in any case.

use ring::digest::{SHA256, digest};
use wire::secret::Secret;

use super::{Verdict, plain};
use crate::config::SecretSource;
use crate::notification::Notification;
use crate::template::{Page, Templates};

/// Reads a secret, from the file that it lies in where that is so.
pub(crate) type ReadSecret<'a> = dyn Fn(&SecretSource) -> Result<Secret, String> + 'a;

/// Why there is no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    error: String,
}

/// What is to be told, and what it takes to write it.
pub struct Letter<'a> {
    /// What is told.
    pub notification: &'a Notification,
    /// The same for every attempt at it.
    pub key: &'a str,
    templates: &'a Templates,
    page: Page,
    read_secret: &'a ReadSecret<'a>,
    failed: Option<String>,
}

impl Fault {
    /// Something that an operator may mend; until then it is tried again.
    pub(crate) fn later(error: impl Into<String>) -> Self {
        Self {
            error: error.into(),
        }
    }
}

impl From<Fault> for Verdict {
    fn from(fault: Fault) -> Self {
        Self::Retry {
            after: None,
            error: fault.error,
        }
    }
}

impl<'a> Letter<'a> {
    /// A letter written at a time in milliseconds since 1970.
    pub(crate) fn new(
        (notification, key): (&'a Notification, &'a str),
        templates: &'a Templates,
        read_secret: &'a ReadSecret<'a>,
        now_ms: i64,
    ) -> Self {
        Self {
            notification,
            key,
            templates,
            page: Page::new(notification, now_ms),
            read_secret,
            failed: None,
        }
    }

    /// What is wrong with the first template that failed.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    fn failing(&mut self, wrong: impl ToString) -> String {
        let wrong = super::answer::readable(&wrong.to_string());
        self.failed.get_or_insert_with(|| wrong.clone());
        wrong
    }

    /// A field that the message can do without.
    pub(super) fn text(&mut self, field: &str, template: &str) -> String {
        match self.templates.text(field, template, &self.page) {
            Ok(text) => text,
            Err(wrong) => {
                self.failing(wrong);
                String::new()
            }
        }
    }

    /// A field without which nothing can be sent.
    pub(super) fn needed(&mut self, field: &str, template: &str) -> Result<String, Fault> {
        let written = self.templates.text(field, template, &self.page);
        written.map_err(|wrong| Fault::later(self.failing(wrong)))
    }

    /// A field that says in one line what this is about.
    pub(super) fn line(&mut self, field: &str, template: &str) -> String {
        let line = match self.templates.text(field, template, &self.page) {
            Ok(text) => text,
            Err(wrong) => {
                self.failing(wrong);
                plain::line(self.notification)
            }
        };
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// A field that says all of it.
    pub(super) fn message(&mut self, field: &str, template: &str) -> String {
        match self.templates.text(field, template, &self.page) {
            Ok(text) => text,
            Err(wrong) => {
                let wrong = self.failing(wrong);
                plain::message(self.notification, field, &wrong)
            }
        }
    }

    /// The same as HTML.
    pub(super) fn html(&mut self, field: &str, template: &str) -> Result<String, String> {
        self.templates
            .html(field, template, &self.page)
            .map_err(|wrong| {
                let wrong = self.failing(wrong);
                plain::message(self.notification, field, &wrong)
            })
    }

    /// A secret, read now.
    pub(super) fn secret(&self, source: &SecretSource) -> Result<Secret, Fault> {
        (self.read_secret)(source).map_err(Fault::later)
    }

    /// What identifies the group, as Alertmanager makes it of the same key.
    pub(super) fn group_hash(&self) -> String {
        hash(&self.notification.group_key)
    }
}

/// A short text for one of any length: SHA-256 in hexadecimal digits.
pub(crate) fn hash(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    let bytes = digest.as_ref().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}
