//! `http_config`: how a request of a receiver is sent.

use rules::Problems;
use rules::yaml::Cursor;
use wire::secret::Secret;

use super::tls::TlsConfig;
use super::value::{self, SecretSource};

mod auth;
mod header;
mod proxy;

pub use auth::{Auth, OAuth2, Username};
pub use header::Header;
pub use proxy::Proxy;

/// How requests are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// How we say who we are.
    pub auth: Auth,
    /// Whom to trust.
    pub tls: TlsConfig,
    /// Whether to go where an answer sends us.
    pub follow_redirects: bool,
    /// Whether HTTP/2 may be spoken.
    pub enable_http2: bool,
    /// Through whom.
    pub proxy: Proxy,
    /// What stands in each request beside our own.
    pub headers: Vec<Header>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            auth: Auth::None,
            tls: TlsConfig::default(),
            follow_redirects: true,
            enable_http2: true,
            proxy: Proxy::None,
            headers: Vec::new(),
        }
    }
}

const KEYS: [&str; 13] = [
    "basic_auth",
    "authorization",
    "oauth2",
    "bearer_token",
    "bearer_token_file",
    "tls_config",
    "follow_redirects",
    "enable_http2",
    "proxy_url",
    "no_proxy",
    "proxy_from_environment",
    "proxy_connect_header",
    "http_headers",
];

impl HttpConfig {
    /// Reads a section.
    pub fn read(at: &Cursor<'_>, problems: &mut Problems) -> Self {
        at.fields(&KEYS, problems);
        let tls = at.get("tls_config");
        Self {
            auth: Auth::read(at, problems),
            tls: tls.map_or_else(TlsConfig::default, |tls| TlsConfig::read(&tls, problems)),
            follow_redirects: at.flag("follow_redirects", problems) != Some(false),
            enable_http2: at.flag("enable_http2", problems) != Some(false),
            proxy: Proxy::read(at, problems),
            headers: header::read(at, problems),
        }
    }
}

/// The secrets of the list that a key has.
fn secrets(at: &Cursor<'_>, key: &str, problems: &mut Problems) -> Vec<Secret> {
    let texts = value::texts(at, key, problems);
    texts.iter().map(|text| Secret::new(text)).collect()
}
