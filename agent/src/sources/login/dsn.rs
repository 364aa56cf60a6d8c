//! Where a server is and as whom to log in, read from a URL or from `key=value` words.
//!
//! Invariant: no error and no `Debug` of this module shows any part of a value that may be a
//! password. Hence errors name a key only where the key is one of libpq's own.

use std::path::PathBuf;

use wire::secret::Secret;

/// libpq's modes. `allow` is `prefer` here: both end encrypted where the server can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted where the server offers it, with whoever answers: libpq's `allow` and `prefer`.
    #[default]
    Prefer,
    /// Encrypted; verified where an authority is named.
    Require,
    /// Encrypted, with a server whose certificate an authority vouches for.
    VerifyCa,
    /// The same, and the certificate is for the name that is connected to.
    VerifyFull,
}

/// What a DSN says; what it leaves open is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dsn {
    /// `host`, or a socket's folder.
    pub host: Option<String>,
    /// `port`.
    pub port: Option<u16>,
    /// `user`.
    pub user: Option<String>,
    /// `dbname`.
    pub dbname: Option<String>,
    /// `sslmode`.
    pub sslmode: Option<SslMode>,
    /// `password`.
    pub password: Option<Secret>,
    /// `options`: settings for the session, as the server's command line has them.
    pub options: Option<String>,
    /// `sslrootcert`.
    pub ca_file: Option<PathBuf>,
    /// `sslcert`.
    pub cert_file: Option<PathBuf>,
    /// `sslkey`.
    pub key_file: Option<PathBuf>,
}

/// The text is not a DSN. The message never repeats any of it but libpq's own key names.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DsnError {
    /// Neither a URL nor `key=value`.
    #[error("it is neither a postgresql:// URL nor a list of key=value words")]
    Form,
    /// A quoted value without its end.
    #[error("a quoted value has no closing quote")]
    Quote,
    /// A `%` without two hexadecimal digits behind it.
    #[error("a % is not followed by two hexadecimal digits (write %25 for a % itself)")]
    Percent,
    /// A key that libpq does not have.
    #[error("parameter number {0} is not one that libpq knows")]
    Key(usize),
    /// A value that its key does not take.
    #[error("the value of {0} is not valid")]
    Value(&'static str),
    /// More than one host.
    #[error("it names several hosts; write one section for each")]
    Hosts,
}

/// libpq's parameters that change nothing for the agent, which sets its own or has none.
const IGNORED: [&str; 18] = [
    "application_name",
    "fallback_application_name",
    "connect_timeout",
    "client_encoding",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "sslcrl",
    "sslcompression",
    "sslsni",
    "gssencmode",
    "krbsrvname",
    "channel_binding",
    "target_session_attrs",
    "passfile",
    "hostaddr",
];

impl Dsn {
    /// Reads either form.
    pub fn parse(text: &str) -> Result<Self, DsnError> {
        let text = text.trim();
        let url = ["postgresql://", "postgres://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        match url {
            Some(rest) => parse_url(rest),
            None if text.contains('=') && !text.contains("://") => parse_words(text),
            None => Err(DsnError::Form),
        }
    }

    fn set(&mut self, number: usize, key: &str, value: &str) -> Result<(), DsnError> {
        let value_or_none = || (!value.is_empty()).then(|| value.to_owned());
        match key {
            "host" if value.contains(',') => return Err(DsnError::Hosts),
            "host" => self.host = value_or_none(),
            "port" if value.contains(',') => return Err(DsnError::Hosts),
            "port" if value.is_empty() => {}
            "port" => self.port = Some(value.parse().map_err(|_| DsnError::Value("port"))?),
            "user" => self.user = value_or_none(),
            "dbname" => self.dbname = value_or_none(),
            "password" => self.password = Some(Secret::new(value)),
            "options" => self.options = value_or_none(),
            // libpq's word for the authorities that the host trusts, which is the default here.
            "sslrootcert" if value == "system" => {}
            "sslrootcert" => self.ca_file = value_or_none().map(PathBuf::from),
            "sslcert" => self.cert_file = value_or_none().map(PathBuf::from),
            "sslkey" => self.key_file = value_or_none().map(PathBuf::from),
            "sslmode" => self.sslmode = Some(SslMode::parse(value)?),
            other if IGNORED.contains(&other) => {}
            _ => return Err(DsnError::Key(number)),
        }
        Ok(())
    }
}

impl SslMode {
    /// Reads libpq's word.
    pub fn parse(word: &str) -> Result<Self, DsnError> {
        match word {
            "disable" => Ok(Self::Disable),
            "allow" | "prefer" | "" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            _ => Err(DsnError::Value("sslmode")),
        }
    }
}

/// `user:password@host:port/dbname?key=value`, the scheme taken off.
fn parse_url(rest: &str) -> Result<Dsn, DsnError> {
    let mut dsn = Dsn::default();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    // The authority ends at the last @: passwords with an unescaped / or @ are met in practice.
    let (login, place) = match rest.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, rest),
    };
    if let Some(login) = login {
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        dsn.set(0, "user", &unescape(user)?)?;
        if let Some(password) = password {
            dsn.password = Some(Secret::new(&unescape(password)?));
        }
    }
    let (authority, dbname) = place.split_once('/').unwrap_or((place, ""));
    if authority.contains(',') {
        return Err(DsnError::Hosts);
    }
    let (host, port) = split_port(authority)?;
    dsn.set(0, "host", &unescape(host)?)?;
    dsn.set(0, "port", port)?;
    dsn.set(0, "dbname", &unescape(dbname)?)?;
    for (at, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        let (key, value) = pair.split_once('=').ok_or(DsnError::Form)?;
        // JDBC's name for it, which many URLs carry.
        let key = if key == "ssl" { "sslmode" } else { key };
        let value = unescape(value)?;
        let value = if key == "sslmode" && value == "true" {
            "require".to_owned()
        } else {
            value
        };
        dsn.set(at + 1, key, &value)?;
    }
    Ok(dsn)
}

fn split_port(authority: &str) -> Result<(&str, &str), DsnError> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or(DsnError::Value("host"))?;
        return Ok((host, after.strip_prefix(':').unwrap_or(after)));
    }
    Ok(authority.split_once(':').unwrap_or((authority, "")))
}

/// `host=... user='...'`, with libpq's quoting: `'...'` around, `\` before a quote or itself.
fn parse_words(text: &str) -> Result<Dsn, DsnError> {
    let mut dsn = Dsn::default();
    let mut rest = text.trim_start();
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let (key, after) = rest.split_once('=').ok_or(DsnError::Form)?;
        let (value, after) = leading_value(after.trim_start())?;
        dsn.set(number, key.trim(), &value)?;
        rest = after.trim_start();
    }
    Ok(dsn)
}

fn leading_value(text: &str) -> Result<(String, &str), DsnError> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => {
                if let Some((_, escaped)) = characters.next() {
                    value.push(escaped);
                }
            }
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            space if !quoted && space.is_whitespace() => return Ok((value, &text[at..])),
            other => value.push(other),
        }
    }
    if quoted {
        return Err(DsnError::Quote);
    }
    Ok((value, ""))
}

fn unescape(text: &str) -> Result<String, DsnError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| (byte as char).to_digit(16));
        let (high, low) = digit().zip(digit()).ok_or(DsnError::Percent)?;
        // Two hexadecimal digits make at most 255.
        #[allow(clippy::cast_possible_truncation)]
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| DsnError::Percent)
}

#[cfg(test)]
mod tests;
