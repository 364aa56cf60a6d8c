//! Templates of messages: what users write in their configuration and their files, and our own.
//!
//! Data and functions are Alertmanager's, so that what was written for it works; [`data`] has what is
//! ours beside it. A set begins with our own templates, under Alertmanager's names, which users'
//! files may override. Nothing here reads a clock or a file: when "now" is, and what stands in the
//! files, is said by the caller.

mod data;
mod function;
mod layout;
mod moment;

use rules::template::{Set, Surroundings, TemplateError, Value};

use crate::notification::Notification;
pub(crate) use data::{Alike, status};
use function::{Environment, FUNCTIONS};

/// Our own templates, by the name that errors give them.
const OWN: [(&str, &str); 2] = [
    ("default.tmpl", include_str!("template/default.tmpl")),
    ("email.tmpl", include_str!("template/email.tmpl")),
];

/// Our own templates and those of users' files.
#[derive(Clone, Debug)]
pub struct Templates {
    set: Set,
}

/// What a message is made from.
#[derive(Clone, Debug)]
pub struct Page {
    data: Value,
    now_ms: i64,
}

impl Templates {
    /// From the names and texts of users' files, in their order. An error for each file that is none.
    pub fn new<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<TemplateError>> {
        let mut set = Set::default();
        for (name, text) in OWN {
            set.add(name, text, FUNCTIONS)
                .expect("our own templates are parsed by a test");
        }
        let mut wrong = Vec::new();
        for (name, text) in files {
            if let Err(error) = set.add(name, text, FUNCTIONS) {
                wrong.push(error);
            }
        }
        if wrong.is_empty() {
            Ok(Self { set })
        } else {
            Err(wrong)
        }
    }

    /// Whether a text is a template that can be parsed; `name` is what errors call it.
    pub fn check(&self, name: &str, text: &str) -> Result<(), TemplateError> {
        self.set.parse(name, text, FUNCTIONS, &[]).map(drop)
    }

    /// Writes a text out.
    pub fn text(&self, name: &str, text: &str, page: &Page) -> Result<String, TemplateError> {
        let template = self.set.parse(name, text, FUNCTIONS, &[])?;
        let environment = Environment {
            now_ms: page.now_ms,
        };
        template.render(&page.data, &[], surroundings(&environment))
    }

    /// Writes out a text that is HTML: what comes from alerts is escaped.
    pub fn html(&self, name: &str, text: &str, page: &Page) -> Result<String, TemplateError> {
        let template = self.set.parse(name, text, FUNCTIONS, &[])?;
        let environment = Environment {
            now_ms: page.now_ms,
        };
        template.render_html(&page.data, surroundings(&environment))
    }
}

fn surroundings(environment: &Environment) -> Surroundings<'_, Environment> {
    Surroundings {
        functions: FUNCTIONS,
        environment,
    }
}

impl Page {
    /// What a notification says, told at a time.
    #[must_use]
    pub fn new(notification: &Notification, now_ms: i64) -> Self {
        Self {
            data: data::of(notification),
            now_ms,
        }
    }
}

#[cfg(test)]
mod tests;
