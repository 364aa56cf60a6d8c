//! How a request says who sends it. One way at most.

use std::path::PathBuf;

use rules::Problems;
use rules::yaml::Cursor;

use super::proxy::{self, Proxy};
use super::{SecretSource, TlsConfig, value};

/// How we say who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    #[default]
    None,
    /// A name and a password.
    Basic {
        username: Username,
        password: Option<SecretSource>,
    },
    /// A header `Authorization: SCHEME CREDENTIALS`.
    Header {
        scheme: String,
        credentials: Option<SecretSource>,
    },
    /// A token that another server gives.
    OAuth2(Box<OAuth2>),
}

/// A name, or the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Username {
    Inline(String),
    /// A relative path starts at the folder of the configuration file.
    File(PathBuf),
}

/// Who gives tokens, and what we show for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth2 {
    /// Our name there.
    pub client_id: String,
    /// Our password there.
    pub client_secret: Option<SecretSource>,
    /// What the token is to be good for.
    pub scopes: Vec<String>,
    /// Where tokens are given.
    pub token_url: String,
    /// What else the request for one says.
    pub endpoint_params: Vec<(String, String)>,
    /// Whom to trust on the way there.
    pub tls: TlsConfig,
    /// Through whom.
    pub proxy: Proxy,
}

impl Auth {
    pub(super) fn read(at: &Cursor<'_>, problems: &mut Problems) -> Self {
        // `bearer_token` is the old way to write `authorization`.
        let bearer = value::secret(at, "bearer_token", problems).map(|credentials| Self::Header {
            scheme: "Bearer".to_owned(),
            credentials: Some(credentials),
        });
        let basic = at.get("basic_auth").map(|at| basic(&at, problems));
        let header = at.get("authorization").map(|at| header(&at, problems));
        let oauth2 = at.get("oauth2").map(|at| oauth2(&at, problems));
        let mut ways = [bearer, basic, header, oauth2].into_iter().flatten();
        let first = ways.next();
        if ways.next().is_some() {
            let message =
                "at most one of basic_auth, authorization, oauth2 and bearer_token may be set";
            at.problem(problems, message, "");
        }
        first.unwrap_or_default()
    }
}

fn basic(at: &Cursor<'_>, problems: &mut Problems) -> Auth {
    const KEYS: [&str; 4] = ["username", "username_file", "password", "password_file"];
    at.fields(&KEYS, problems);
    let name = value::text(at, "username", problems);
    let file = value::path(at, "username_file", problems);
    if name.is_some() && file.is_some() {
        let message = "at most one of username and username_file may be set";
        at.problem(problems, message, "remove one of them");
    }
    Auth::Basic {
        username: match (name, file) {
            (None, Some(path)) => Username::File(path),
            (name, _) => Username::Inline(name.unwrap_or_default()),
        },
        password: value::secret(at, "password", problems),
    }
}

fn header(at: &Cursor<'_>, problems: &mut Problems) -> Auth {
    at.fields(&["type", "credentials", "credentials_file"], problems);
    let scheme = value::text(at, "type", problems).unwrap_or_default();
    let scheme = match scheme.trim() {
        "" => "Bearer",
        scheme => scheme,
    };
    if scheme.eq_ignore_ascii_case("basic") {
        let message = "the type of authorization cannot be basic";
        at.problem(problems, message, "use basic_auth");
    }
    Auth::Header {
        scheme: scheme.to_owned(),
        credentials: value::secret(at, "credentials", problems),
    }
}

const OAUTH2_KEYS: [&str; 11] = [
    "client_id",
    "client_secret",
    "client_secret_file",
    "scopes",
    "token_url",
    "endpoint_params",
    "tls_config",
    "proxy_url",
    "no_proxy",
    "proxy_from_environment",
    "proxy_connect_header",
];

fn oauth2(at: &Cursor<'_>, problems: &mut Problems) -> Auth {
    at.fields(&OAUTH2_KEYS, problems);
    let needed = |key: &str, problems: &mut Problems| {
        let text = value::text(at, key, problems);
        if text.is_none() {
            at.problem(problems, format!("oauth2 needs {key}"), "");
        }
        text.unwrap_or_default()
    };
    let client_id = needed("client_id", problems);
    let token_url = needed("token_url", problems);
    let params = at.texts("endpoint_params", problems).into_iter();
    let tls = at.get("tls_config");
    Auth::OAuth2(Box::new(OAuth2 {
        client_id,
        client_secret: value::secret(at, "client_secret", problems),
        scopes: value::texts(at, "scopes", problems),
        token_url,
        endpoint_params: params
            .map(|(name, value, _)| (name.to_owned(), value.to_owned()))
            .collect(),
        tls: tls.map_or_else(TlsConfig::default, |tls| TlsConfig::read(&tls, problems)),
        proxy: proxy::Proxy::read(at, problems),
    }))
}
