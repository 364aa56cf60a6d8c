//! Through whom a request goes.

use std::fmt;

use rules::Problems;
use rules::yaml::Cursor;
use wire::secret::Secret;

use super::{secrets, value};

/// Through whom a request goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proxy {
    /// Straight to its goal, whatever the environment says.
    #[default]
    None,
    /// As `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say.
    Environment {
        /// Headers of the request for a tunnel.
        connect_headers: Vec<(String, Vec<Secret>)>,
    },
    /// Through this one.
    Through {
        url: ProxyUrl,
        /// Hosts, domains and networks to which the way is straight, parted by commas.
        no_proxy: String,
        /// Headers of the request for a tunnel.
        connect_headers: Vec<(String, Vec<Secret>)>,
    },
}

/// The address of a proxy. It may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(reqwest::Url);

impl ProxyUrl {
    /// For sending requests through.
    #[must_use]
    pub fn get(&self) -> &reqwest::Url {
        &self.0
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host_str().unwrap_or_default();
        write!(f, "{}://{host}", self.0.scheme())
    }
}

impl Proxy {
    pub(super) fn read(at: &Cursor<'_>, problems: &mut Problems) -> Self {
        let text = value::text(at, "proxy_url", problems);
        let no_proxy = value::text(at, "no_proxy", problems);
        let is_from_environment = at.flag("proxy_from_environment", problems) == Some(true);
        let mut connect_headers = Vec::new();
        if let Some(headers) = at.get("proxy_connect_header") {
            for (name, _) in headers.entries(problems) {
                connect_headers.push((name.to_owned(), secrets(&headers, name, problems)));
            }
        }
        if is_from_environment && (text.is_some() || no_proxy.is_some()) {
            let message = "proxy_from_environment goes neither with proxy_url nor with no_proxy";
            at.problem(problems, message, "");
        }
        if text.is_none() && no_proxy.is_some() {
            at.problem(problems, "no_proxy without proxy_url", "add proxy_url");
        }
        if text.is_none() && !is_from_environment && !connect_headers.is_empty() {
            let message = "proxy_connect_header without a proxy";
            at.problem(problems, message, "add proxy_url");
        }
        if is_from_environment {
            return Self::Environment { connect_headers };
        }
        let Some(url) = text.and_then(|text| url(at, &text, problems)) else {
            return Self::None;
        };
        Self::Through {
            url,
            no_proxy: no_proxy.unwrap_or_default(),
            connect_headers,
        }
    }
}

fn url(at: &Cursor<'_>, text: &str, problems: &mut Problems) -> Option<ProxyUrl> {
    let parsed = reqwest::Url::parse(text);
    let parsed = parsed.ok().filter(reqwest::Url::has_host);
    if let (None, Some(place)) = (&parsed, at.get("proxy_url")) {
        let message = "proxy_url: not an address";
        place.problem(problems, message, "write it as http://proxy:3128");
    }
    parsed.map(ProxyUrl)
}
