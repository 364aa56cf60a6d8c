//! Small values that several sections have: secrets, addresses.
//!
//! What is wrong is said without the value where the value is a secret.

use std::fmt;
use std::path::PathBuf;

use rules::Problems;
use rules::yaml::Cursor;
use wire::secret::Secret;

/// What Alertmanager, and this program, show in a secret's place.
pub const HIDDEN: &str = "<secret>";

/// A secret, or where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// The file says it.
    Inline(Secret),
    /// A file holds it, to be read whenever it is needed. A relative path starts at the folder of
    /// the configuration file.
    File(PathBuf),
}

/// An absolute address of `http` or `https`.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(reqwest::Url);

/// A host and a port. The port may be a name, as `smtp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// The host, without the brackets of an IPv6 address; may be empty.
    pub host: String,
    /// The port.
    pub port: String,
}

impl Url {
    /// Reads an address, as strictly as Alertmanager does.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.ends_with(HIDDEN) {
            return Err("its secret was hidden when the file was shown".to_owned());
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err("it has no scheme, such as https".to_owned());
        };
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err(format!("unsupported scheme {scheme:?}"));
        }
        let host = rest.strip_prefix("//").unwrap_or_default();
        if host.is_empty() || host.starts_with(['/', '?', '#', '\\']) {
            return Err("it has no host".to_owned());
        }
        if text.chars().any(char::is_control) {
            return Err("it has a control character".to_owned());
        }
        let parsed = reqwest::Url::parse(text);
        parsed.map(Self).map_err(|wrong| wrong.to_string())
    }

    /// For sending a request to.
    #[must_use]
    pub fn get(&self) -> &reqwest::Url {
        &self.0
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Without what may be a secret: many addresses have a token in their path.
impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host_str().unwrap_or_default();
        write!(f, "{}://{host}/***", self.0.scheme())
    }
}

impl HostPort {
    /// Reads `host:port`, `[address]:port` or `:port`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = match host.strip_prefix('[') {
            Some(address) => address.strip_suffix(']')?,
            None if host.contains([':', '[', ']']) => return None,
            None => host,
        };
        let is_right = !port.is_empty() && !port.contains(['[', ']']) && !host.contains(['[', ']']);
        is_right.then(|| Self {
            host: host.to_owned(),
            port: port.to_owned(),
        })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The text that a key has; nothing where it is missing or empty, for Alertmanager takes both alike.
pub fn text(at: &Cursor<'_>, key: &str, problems: &mut Problems) -> Option<String> {
    let text = at.text(key, problems)?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// The texts of the list that a key has.
pub fn texts(at: &Cursor<'_>, key: &str, problems: &mut Problems) -> Vec<String> {
    let mut texts = Vec::new();
    for item in at.list(key, problems) {
        texts.extend(item.as_text(problems).map(str::to_owned));
    }
    texts
}

/// The path that a key has.
pub fn path(at: &Cursor<'_>, key: &str, problems: &mut Problems) -> Option<PathBuf> {
    text(at, key, problems).map(PathBuf::from)
}

/// The secret that a key has, or that the file has which `key_file` names.
pub fn secret(at: &Cursor<'_>, key: &str, problems: &mut Problems) -> Option<SecretSource> {
    let inline = at.text(key, problems).filter(|text| !text.is_empty());
    let inline = inline.map(|text| SecretSource::Inline(Secret::new(text)));
    either(at, key, inline, problems)
}

/// The address that a key has, or that the file has which `key_file` names; the address is a secret.
pub fn secret_url(at: &Cursor<'_>, key: &str, problems: &mut Problems) -> Option<SecretSource> {
    let inline = at.text(key, problems).and_then(|text| {
        let place = at.get(key)?;
        match Url::parse(text) {
            Ok(_) => Some(SecretSource::Inline(Secret::new(text))),
            Err(wrong) => {
                place.problem(problems, format!("{key}: not an address: {wrong}"), "");
                None
            }
        }
    });
    either(at, key, inline, problems)
}

/// What stands inline, or the file named beside it; not both.
fn either(
    at: &Cursor<'_>,
    key: &str,
    inline: Option<SecretSource>,
    problems: &mut Problems,
) -> Option<SecretSource> {
    let file_key = format!("{key}_file");
    let file = path(at, &file_key, problems);
    if let (Some(_), Some(place)) = (at.get(key), at.get(&file_key).filter(|_| file.is_some()))
        && at.text(key, problems) != Some("")
    {
        let message = format!("at most one of {key} and {file_key} may be set");
        place.key_problem(problems, message, "remove one of them");
    }
    inline.or(file.map(SecretSource::File))
}

/// The address that a key has.
pub fn url(at: &Cursor<'_>, key: &str, problems: &mut Problems) -> Option<Url> {
    let place = at.get(key)?;
    let text = place.as_text(problems)?;
    match Url::parse(text) {
        Ok(url) => Some(url),
        Err(wrong) => {
            let hint = "write it as https://host/path";
            place.problem(problems, format!("{key}: not an address: {wrong}"), hint);
            None
        }
    }
}

/// The host and port that a key has; nothing where it is missing or empty.
pub fn host_port(at: &Cursor<'_>, key: &str, problems: &mut Problems) -> Option<HostPort> {
    let text = text(at, key, problems)?;
    let parsed = HostPort::parse(&text);
    if let (None, Some(place)) = (&parsed, at.get(key)) {
        let message = format!("{key}: expected host:port, got {text:?}");
        place.problem(problems, message, "write it as mail.example.org:587");
    }
    parsed
}
