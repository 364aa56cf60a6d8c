//! Mail: what stands in it, and to whom it goes. How it gets there is [`crate::deliver`]'s.
//!
//! Every attempt at a notification makes the same mail, with the same `Message-ID`, so that mailboxes
//! that know repeats can drop them.

mod settings;

use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};

use super::letter::{self, Fault, Letter};
use super::limit;
use settings::Threading;
pub use settings::{Login, Settings};

/// In characters: longer ones are cut by mail clients anyway.
const MAX_SUBJECT: usize = 250;

/// So much of a hash tells groups apart.
const SHORT_HASH: usize = 16;

/// A mail that can be sent.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Who sends it.
    pub from: Address,
    /// To whom it goes.
    pub to: Vec<Address>,
    /// All of it, headers included.
    pub bytes: Vec<u8>,
}

impl Settings {
    /// The mail for a letter.
    pub fn mail(&self, letter: &mut Letter<'_>) -> Result<Mail, Fault> {
        let from = mailboxes("from", &letter.needed("from", &self.from)?)?;
        let [from] = from.as_slice() else {
            return Err(Fault::later("from: one address is wanted"));
        };
        let to = mailboxes("to", &letter.needed("to", &self.to)?)?;
        let at_ms = u64::try_from(letter.notification.at_ms).unwrap_or(0);
        let mut builder = Message::builder()
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(at_ms))
            .message_id(Some(message_id(letter, from)))
            .from(from.clone());
        for mailbox in &to {
            builder = builder.to(mailbox.clone());
        }
        for (name, value) in self.all_headers(letter) {
            let name = HeaderName::new_from_ascii(name.clone())
                .map_err(|_| Fault::later(format!("{name:?} is no name of a header")))?;
            builder = builder.raw_header(HeaderValue::new(name, value));
        }
        let message = self.body(builder, letter);
        let message = message.map_err(|wrong| Fault::later(format!("the mail: {wrong}")))?;
        Ok(Mail {
            from: from.email.clone(),
            to: to.into_iter().map(|mailbox| mailbox.email).collect(),
            bytes: message.formatted(),
        })
    }

    /// Ours, and those of the file, which may replace them.
    fn all_headers(&self, letter: &mut Letter<'_>) -> Vec<(String, String)> {
        let is_own = |wanted: &str| {
            let mut own = self.headers.iter();
            own.any(|(name, _)| name.eq_ignore_ascii_case(wanted))
        };
        let mut headers = Vec::new();
        if !is_own("Subject") {
            let template = r#"{{ template "email.default.subject" . }}"#;
            let subject = limit::chars(&letter.line("subject", template), MAX_SUBJECT);
            headers.push(("Subject".to_owned(), subject));
        }
        if !is_own("Auto-Submitted") {
            // Nobody's notice of absence is wanted in return.
            headers.push(("Auto-Submitted".to_owned(), "auto-generated".to_owned()));
        }
        if let Some(root) = self.thread(letter) {
            headers.push(("References".to_owned(), root.clone()));
            headers.push(("In-Reply-To".to_owned(), root));
        }
        for (name, template) in &self.headers {
            let value = if name.eq_ignore_ascii_case("subject") {
                limit::chars(&letter.line("headers", template), MAX_SUBJECT)
            } else {
                one_line(&letter.text("headers", template))
            };
            if !value.is_empty() {
                headers.push((name.clone(), value));
            }
        }
        headers
    }

    /// The mail that all mails of a group answer. There is none: clients show them together all the
    /// same.
    fn thread(&self, letter: &Letter<'_>) -> Option<String> {
        let day = match self.threading {
            Threading::No => return None,
            Threading::Group => String::new(),
            Threading::GroupAndDay => {
                let at = jiff::Timestamp::from_millisecond(letter.notification.at_ms).ok()?;
                at.strftime("%Y-%m-%d").to_string()
            }
        };
        let group = letter.group_hash();
        Some(format!("<alert-{}-{day}@nightshift>", &group[..SHORT_HASH]))
    }

    fn body(
        &self,
        builder: lettre::message::MessageBuilder,
        letter: &mut Letter<'_>,
    ) -> Result<Message, lettre::error::Error> {
        let text = match self.text.as_str() {
            "" => String::new(),
            template => letter.message("text", template),
        };
        let html = match self.html.as_str() {
            "" => String::new(),
            template => letter.html("html", template).unwrap_or_else(preformatted),
        };
        match (text.is_empty(), html.is_empty()) {
            (false, true) => builder.singlepart(SinglePart::plain(text)),
            (true, false) => builder.singlepart(SinglePart::html(html)),
            (true, true) => {
                let text = letter.message("text", r#"{{ template "email.default.text" . }}"#);
                builder.singlepart(SinglePart::plain(text))
            }
            (false, false) => {
                let boundary = letter::hash(letter.key);
                let parts = MultiPart::alternative().boundary(boundary);
                let parts = parts.singlepart(SinglePart::plain(text));
                builder.multipart(parts.singlepart(SinglePart::html(html)))
            }
        }
    }
}

/// A text within HTML, as it stands.
fn preformatted(text: String) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    format!("<!DOCTYPE html><html><body><pre>{escaped}</pre></body></html>")
}

fn message_id(letter: &Letter<'_>, from: &Mailbox) -> String {
    let key = letter::hash(letter.key);
    format!("<{}@{}>", &key[..2 * SHORT_HASH], from.email.domain())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The addresses of a list parted by commas.
fn mailboxes(field: &str, text: &str) -> Result<Vec<Mailbox>, Fault> {
    let mut mailboxes = Vec::new();
    let mut is_quoted = false;
    let pieces = text.split(|c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    });
    for piece in pieces.map(str::trim).filter(|piece| !piece.is_empty()) {
        let mailbox = piece.parse::<Mailbox>();
        let wrong = |_| Fault::later(format!("{field}: {piece:?} is no address"));
        mailboxes.push(mailbox.map_err(wrong)?);
    }
    if mailboxes.is_empty() {
        return Err(Fault::later(format!("{field}: no address")));
    }
    Ok(mailboxes)
}
