//! How a receiver answers: as its maker does, or as a test wants it.

use super::formats::Format;
use super::server::Received;

/// How it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// As its maker does: takes what is in the published form, refuses what is not.
    AsPublished,
    /// With this, whatever came.
    Say {
        /// The status.
        status: u16,
        /// Headers beside the length.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// Not at all, while the connection stays open.
    Hang,
    /// By closing the connection.
    Close,
    /// With an answer that ends before it should.
    Torn,
    /// With these bytes.
    Bytes(Vec<u8>),
}

impl Reply {
    /// A status with a body.
    #[must_use]
    pub fn say(status: u16, body: &str) -> Self {
        Self::Say {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
        }
    }

    /// A status with a header and a body.
    #[must_use]
    pub fn with_header(status: u16, (name, value): (&str, &str), body: &str) -> Self {
        Self::Say {
            status,
            headers: vec![(name.to_owned(), value.to_owned())],
            body: body.to_owned(),
        }
    }
}

/// The bytes of an answer, and whether they say that the message was taken; nothing where nothing is
/// answered.
pub(super) fn answer(
    format: Format,
    received: &Received,
    reply: &Reply,
) -> Option<(Vec<u8>, bool)> {
    let (status, headers, body) = match reply {
        Reply::AsPublished => {
            let is_fine = received.problems.is_empty();
            let (status, body) = if is_fine {
                format.taken()
            } else {
                format.refused(&received.problems)
            };
            return Some((written(status, &[], &body), is_fine));
        }
        Reply::Say {
            status,
            headers,
            body,
        } => (*status, headers, body),
        Reply::Hang | Reply::Close => return None,
        Reply::Torn => {
            let torn = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"ok\":tr";
            return Some((torn.into(), false));
        }
        Reply::Bytes(bytes) => return Some((bytes.clone(), false)),
    };
    // What a test has it say of success counts as taken, whatever it says in words.
    let is_success = (200..300).contains(&status) && !body.contains("\"ok\":false");
    Some((written(status, headers, body), is_success))
}

fn written(status: u16, headers: &[(String, String)], body: &str) -> Vec<u8> {
    let mut text = format!(
        "HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += "\r\n";
    text += body;
    text.into_bytes()
}
