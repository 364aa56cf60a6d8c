//! Requests as data.

use std::fmt;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::letter::Fault;

/// A request to a receiver; always a POST.
#[derive(Clone)]
pub struct Request {
    /// Where to; may hold a secret.
    pub url: reqwest::Url,
    /// Headers beside those of the `http_config`; those that hold secrets are marked so.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What is sent.
    pub body: Vec<u8>,
    /// How long it may take, where the file says so.
    pub timeout: Option<Duration>,
}

/// A request, and what is sent in its place if it is refused.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The request.
    pub request: Request,
    /// The same without what may be the reason for a refusal.
    pub instead: Option<Request>,
}

impl From<Request> for Attempt {
    fn from(request: Request) -> Self {
        Self {
            request,
            instead: None,
        }
    }
}

/// Without the address and the values of headers, which hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("host", &self.url.host_str())
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Request {
    /// A request with JSON.
    pub(super) fn json(url: reqwest::Url, body: &serde_json::Value) -> Self {
        let json = HeaderValue::from_static("application/json");
        Self {
            url,
            headers: vec![(http::header::CONTENT_TYPE, json)],
            body: body.to_string().into_bytes(),
            timeout: None,
        }
    }

    /// With a header that holds a secret.
    pub(super) fn secret(mut self, name: HeaderName, value: &str) -> Result<Self, Fault> {
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| Fault::later(format!("the secret for {name} cannot stand in a header")))?;
        value.set_sensitive(true);
        self.headers.push((name, value));
        Ok(self)
    }
}

/// An address that may hold a secret: what is wrong with it is told without it.
pub(super) fn url(text: &str) -> Result<reqwest::Url, Fault> {
    let parsed = reqwest::Url::parse(text.trim());
    let parsed = parsed.map_err(|wrong| Fault::later(format!("the address is none: {wrong}")))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(Fault::later("the address is neither http nor https"));
    }
    Ok(parsed)
}
