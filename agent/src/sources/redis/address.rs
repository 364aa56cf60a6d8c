//! Where a Redis listens, parsed once.

use std::fmt;
use std::path::PathBuf;

/// A server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Tcp {
        host: String,
        port: u16,
        encryption: Encryption,
    },
    Unix(PathBuf),
}

/// Whether TLS is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    None,
    Tls,
}

const PORT: u16 = 6379;

/// Why an address is refused that says more than where the server listens.
pub(super) const HOLDS_CREDENTIALS: &str =
    "it holds a user or a password, which a configuration file must not";

impl Address {
    /// Reads `host:port`, `redis://host:port`, `rediss://host:port`, `/path` or `unix:///path`.
    /// The error never quotes the text, which may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(path) = text.strip_prefix("unix://") {
            return Self::unix(path);
        }
        if text.starts_with('/') {
            return Self::unix(text);
        }
        let (encryption, rest) = match text.split_once("://") {
            None => (Encryption::None, text),
            Some(("redis", rest)) => (Encryption::None, rest),
            Some(("rediss", rest)) => (Encryption::Tls, rest),
            Some(_) => return Err("the scheme is none of redis, rediss and unix"),
        };
        // redis-cli takes a password before an @, other clients in the query.
        if rest.contains(['@', '?']) {
            return Err(HOLDS_CREDENTIALS);
        }
        let authority = rest.split('/').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                let port = port
                    .parse()
                    .map_err(|_| "the port is no number up to 65535")?;
                (host, port)
            }
            _ => (authority, PORT),
        };
        let host = host.trim_matches(['[', ']']);
        if host.is_empty() {
            return Err("the address names no host");
        }
        Ok(Self::Tcp {
            host: host.to_owned(),
            port,
            encryption,
        })
    }

    fn unix(path: &str) -> Result<Self, &'static str> {
        if path.contains(['@', '?']) {
            return Err(HOLDS_CREDENTIALS);
        }
        if path.starts_with('/') && path.len() > 1 {
            Ok(Self::Unix(PathBuf::from(path)))
        } else {
            Err("the socket's path does not begin with /")
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("db1:6380", Ok("db1:6380")),
            ("db1", Ok("db1:6379")),
            ("redis://db1", Ok("db1:6379")),
            ("rediss://db1:6380/0", Ok("db1:6380")),
            ("[::1]:6380", Ok("[::1]:6380")),
            ("::1", Ok("[::1]:6379")),
            ("/run/redis.sock", Ok("/run/redis.sock")),
            ("unix:///run/redis.sock", Ok("/run/redis.sock")),
            ("redis://:hush@db1", Err(HOLDS_CREDENTIALS)),
            ("me:hush@db1", Err(HOLDS_CREDENTIALS)),
            ("redis://db1?password=hush", Err(HOLDS_CREDENTIALS)),
            ("unix://:hush@/run/redis.sock", Err(HOLDS_CREDENTIALS)),
            ("/run/redis.sock?password=hush", Err(HOLDS_CREDENTIALS)),
            (
                "http://db1",
                Err("the scheme is none of redis, rediss and unix"),
            ),
            ("db1:x", Err("the port is no number up to 65535")),
            ("db1:65536", Err("the port is no number up to 65535")),
            (":6379", Err("the address names no host")),
            ("", Err("the address names no host")),
            ("unix://run", Err("the socket's path does not begin with /")),
        ] {
            let parsed = Address::parse(text).map(|address| address.to_string());
            assert_eq!(parsed.as_deref(), expected.as_ref().copied(), "{text}");
        }
    }
}
