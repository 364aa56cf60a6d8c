//! `[[forward]]`: whom to send to, what, and as whom.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use serde::Deserialize;
use store::matcher::Matcher;
use wire::quantity::Period;
use wire::remote_write::Version;

use super::tls;
use crate::config::Problems;

/// Samples of one request, as Prometheus sends them.
const MAX_SAMPLES: usize = 2_000;
/// Requests at once to one receiver.
const CONCURRENCY: usize = 4;
/// How long a receiver may take for a request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// One target as the file has it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawForward {
    /// Its name in metrics, logs and the file of its cursor. Default: the host and port of `url`.
    pub name: Option<String>,
    /// Where it takes remote write.
    pub url: Option<String>,
    /// `1.0` (default) or `2.0`.
    pub protocol: Option<String>,
    /// File of a bearer token.
    pub bearer_token_file: Option<PathBuf>,
    /// User of basic authentication.
    pub username: Option<String>,
    /// File of that user's password.
    pub password_file: Option<PathBuf>,
    /// PEM file of the authorities to trust. Default: those that the host trusts.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the certificate to show, where the receiver asks for one. Default: none.
    pub certificate_file: Option<PathBuf>,
    /// PEM file of that certificate's key.
    pub key_file: Option<PathBuf>,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Further headers of which the values stand in files.
    #[serde(default)]
    pub header_files: BTreeMap<String, PathBuf>,
    /// Selectors; where there are any, only series that one of them selects are sent.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Selectors of series that are not sent.
    #[serde(default)]
    pub drop: Vec<String>,
    /// Labels that every series gets which does not have them.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Samples of one request at the most.
    pub max_samples: Option<i64>,
    /// Requests at once.
    pub concurrency: Option<i64>,
    /// How long the receiver may take.
    pub timeout: Option<String>,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardConfig {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Which message it is sent.
    pub version: Version,
    /// As whom.
    pub credential: Credential,
    /// Whom its TLS trusts, and as whom it is spoken to.
    pub tls: TlsFiles,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Further headers of which the values stand in files.
    pub header_files: Vec<(HeaderName, PathBuf)>,
    /// What is sent; all where there is none.
    pub keep: Vec<Choice>,
    /// What is not.
    pub drop: Vec<Choice>,
    /// Labels that every series gets which does not have them.
    pub labels: Vec<(String, String)>,
    /// Samples of one request at the most.
    pub max_samples: usize,
    /// Requests at once.
    pub concurrency: usize,
    /// How long the receiver may take.
    pub timeout: Duration,
}

/// The files of TLS, read at each connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM file of the authorities to trust; none for those that the host trusts.
    pub authorities: Option<PathBuf>,
    /// PEM files of an own certificate and its key.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// Where a receiver is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Host name or address, an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Host and port as the URL has them.
    pub authority: String,
    /// The path, with its query.
    pub path: String,
}

/// As whom requests are sent. Files are read for each request, so that a secret can be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// As nobody.
    None,
    /// With the token in a file.
    Bearer(PathBuf),
    /// With a name, and the password in a file.
    Basic(String, PathBuf),
}

/// A selector and its text.
#[derive(Clone, Debug)]
pub struct Choice {
    text: String,
    /// What must all hold.
    pub matchers: Vec<Matcher>,
}

impl PartialEq for Choice {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Choice {}

/// Checks all targets.
pub fn validate(raw: Vec<RawForward>, problems: &mut Problems) -> Vec<ForwardConfig> {
    let mut targets: Vec<ForwardConfig> = Vec::new();
    for (place, raw) in raw.into_iter().enumerate() {
        let key = |name: &str| format!("forward[{place}].{name}");
        let Some(target) = target(raw, &key, problems) else {
            continue;
        };
        if targets.iter().any(|other| other.name == target.name) {
            let message = format!("{:?} is the name of two targets", target.name);
            problems.add(&key("name"), message, "give each a name of its own");
        }
        targets.push(target);
    }
    targets
}

fn target(
    raw: RawForward,
    key: &dyn Fn(&str) -> String,
    problems: &mut Problems,
) -> Option<ForwardConfig> {
    let credential = credential(&raw, key, problems);
    let tls = tls_files(&raw, key, problems);
    let Some(endpoint) = raw.url.as_deref().and_then(Endpoint::parse) else {
        let message = "not a URL that can be sent to";
        let hint = "write for instance http://prometheus:9090/api/v1/write";
        problems.add(&key("url"), message, hint);
        return None;
    };
    let version = match raw.protocol.as_deref() {
        None | Some("1.0") => Version::V1,
        Some("2.0") => Version::V2,
        Some(other) => {
            let message = format!("{other:?} is not a version of remote write");
            problems.add(&key("protocol"), message, "write \"1.0\" or \"2.0\"");
            Version::V1
        }
    };
    if endpoint.tls
        && let Err(message) = tls::connector(&tls)
    {
        let hint = "name PEM files that the collector may read";
        problems.add(&key("ca_file"), message, hint);
    }
    let header_files = raw
        .header_files
        .into_iter()
        .filter_map(|(name, path)| Some((header_name(&name, key, problems)?, path)));
    let header_files = header_files.collect();
    Some(ForwardConfig {
        name: name(raw.name, &endpoint, key, problems),
        version,
        credential,
        tls,
        headers: headers(raw.headers, key, problems),
        header_files,
        keep: choices(raw.keep, &key("keep"), problems),
        drop: choices(raw.drop, &key("drop"), problems),
        labels: raw.labels.into_iter().collect(),
        max_samples: count(
            raw.max_samples,
            MAX_SAMPLES,
            100_000,
            &key("max_samples"),
            problems,
        ),
        concurrency: count(
            raw.concurrency,
            CONCURRENCY,
            64,
            &key("concurrency"),
            problems,
        ),
        timeout: timeout(raw.timeout, &key("timeout"), problems),
        endpoint,
    })
}

fn tls_files(raw: &RawForward, key: &dyn Fn(&str) -> String, problems: &mut Problems) -> TlsFiles {
    let own = match (&raw.certificate_file, &raw.key_file) {
        (Some(certificate), Some(own_key)) => Some((certificate.clone(), own_key.clone())),
        (None, None) => None,
        _ => {
            let message = "certificate_file and key_file go together";
            problems.add(&key("certificate_file"), message, "set both or neither");
            None
        }
    };
    TlsFiles {
        authorities: raw.ca_file.clone(),
        own,
    }
}

fn credential(
    raw: &RawForward,
    key: &dyn Fn(&str) -> String,
    problems: &mut Problems,
) -> Credential {
    match (&raw.bearer_token_file, &raw.username, &raw.password_file) {
        (None, None, None) => Credential::None,
        (Some(token), None, None) => Credential::Bearer(token.clone()),
        (None, Some(user), Some(password)) if !user.contains(':') => {
            Credential::Basic(user.clone(), password.clone())
        }
        _ => {
            let message = "neither a token nor a name with a password";
            let hint = "set bearer_token_file, or username (without a colon) and password_file";
            problems.add(&key("username"), message, hint);
            Credential::None
        }
    }
}

/// The name is that of a file too.
fn name(
    given: Option<String>,
    endpoint: &Endpoint,
    key: &dyn Fn(&str) -> String,
    problems: &mut Problems,
) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let Some(name) = given else {
        let authority = endpoint.authority.chars();
        return authority
            .map(|c| if is_allowed(c) { c } else { '_' })
            .collect();
    };
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_allowed) {
        let message = format!("{name:?} is not a name");
        let hint = "write letters, digits, -, _ and ., the first no dot";
        problems.add(&key("name"), message, hint);
    }
    name
}

fn headers(
    given: BTreeMap<String, String>,
    key: &dyn Fn(&str) -> String,
    problems: &mut Problems,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    for (name, value) in given {
        let name = header_name(&name, key, problems);
        match (name, HeaderValue::from_str(&value)) {
            (Some(name), Ok(value)) => headers.push((name, value)),
            (_, Err(_)) => {
                let hint = "write one line of text";
                problems.add(&key("headers"), "the value of a header is not text", hint);
            }
            (None, Ok(_)) => {}
        }
    }
    headers
}

fn header_name(
    name: &str,
    key: &dyn Fn(&str) -> String,
    problems: &mut Problems,
) -> Option<HeaderName> {
    // These say what the request is; another value would make it another.
    const OWN: [&str; 5] = [
        "host",
        "content-type",
        "content-encoding",
        "content-length",
        "authorization",
    ];
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(name) if !OWN.contains(&name.as_str()) => Some(name),
        _ => {
            let message = format!("{name:?} is not a header that can be set");
            let hint = "write another; credentials have options of their own";
            problems.add(&key("headers"), message, hint);
            None
        }
    }
}

fn choices(given: Vec<String>, key: &str, problems: &mut Problems) -> Vec<Choice> {
    let mut choices = Vec::new();
    for text in given {
        match query::selector::parse(&text) {
            Ok(matchers) => choices.push(Choice { text, matchers }),
            Err(error) => {
                let message = format!("{text:?} is not a selector: {error}");
                problems.add(key, message, "write for instance {__name__=~\"pg_.*\"}");
            }
        }
    }
    choices
}

fn count(
    given: Option<i64>,
    usual: usize,
    most: usize,
    key: &str,
    problems: &mut Problems,
) -> usize {
    let Some(given) = given else {
        return usual;
    };
    match usize::try_from(given) {
        Ok(count) if (1..=most).contains(&count) => count,
        _ => {
            let message = format!("{given} is not between 1 and {most}");
            problems.add(key, message, "write a number within these bounds");
            usual
        }
    }
}

fn timeout(given: Option<String>, key: &str, problems: &mut Problems) -> Duration {
    let usual = Period(TIMEOUT);
    match given.map(|text| text.parse::<Period>()) {
        None => TIMEOUT,
        Some(Ok(period)) if !period.0.is_zero() => period.0,
        Some(_) => {
            let message = "not a length of time";
            problems.add(key, message, format!("write for instance \"{usual}\""));
            TIMEOUT
        }
    }
}

impl Endpoint {
    /// Takes a URL apart; one with a password in it is none, for it would be shown.
    fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let (tls, usual) = match uri.scheme_str()? {
            "http" => (false, 80),
            "https" => (true, 443),
            _ => return None,
        };
        let authority = uri.authority()?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        Some(Self {
            tls,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(usual),
            authority: authority.as_str().to_owned(),
            path: uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
