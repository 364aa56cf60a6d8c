//! Headers that a request has beside our own.

use std::path::PathBuf;

use rules::Problems;
use rules::yaml::Cursor;
use wire::secret::Secret;

use super::{secrets, value};

/// A header with all its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Values that may be seen.
    pub values: Vec<String>,
    /// Values that may not.
    pub secrets: Vec<Secret>,
    /// Files with one value each. A relative path starts at the folder of the configuration file.
    pub files: Vec<PathBuf>,
}

/// What is ours to set, or has a key of its own.
const RESERVED: [&str; 12] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "user-agent",
    "www-authenticate",
];

pub(super) fn read(at: &Cursor<'_>, problems: &mut Problems) -> Vec<Header> {
    let Some(headers) = at.get("http_headers") else {
        return Vec::new();
    };
    let mut read = Vec::new();
    for (name, at) in headers.entries(problems) {
        at.fields(&["values", "secrets", "files"], problems);
        if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
            let message = format!("the header {name:?} cannot be set here");
            at.key_problem(problems, message, "");
        } else if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            at.key_problem(problems, format!("{name:?} is no name of a header"), "");
        }
        let files = value::texts(&at, "files", problems);
        read.push(Header {
            name: name.to_owned(),
            values: value::texts(&at, "values", problems),
            secrets: secrets(&at, "secrets", problems),
            files: files.into_iter().map(PathBuf::from).collect(),
        });
    }
    read
}
