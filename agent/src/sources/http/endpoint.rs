//! Where a request goes, parsed once.

use std::fmt;

/// Whether a server is spoken to in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`.
    Http,
    /// `https`.
    Https,
}

/// A URL that the client can ask: scheme, host, port and path.
///
/// Shown without its query, which may hold a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether TLS is spoken.
    pub scheme: Scheme,
    /// The host name or address, an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    path_and_query: String,
}

/// Why a text is no URL that the client can ask; never quotes the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL at all, or without host.
    #[error("not a URL such as http://127.0.0.1:9100/metrics")]
    Malformed,
    /// Another scheme.
    #[error("the scheme is neither http nor https")]
    Scheme,
    /// `http://user:password@host/`.
    #[error("the URL holds a user or password")]
    Credentials,
}

impl Endpoint {
    /// Parses an absolute URL.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let uri: http::Uri = text.parse().map_err(|_| EndpointError::Malformed)?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            Some(_) => return Err(EndpointError::Scheme),
            None => return Err(EndpointError::Malformed),
        };
        let authority = uri.authority().ok_or(EndpointError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(EndpointError::Credentials);
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let usual = match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        };
        // `http://host:notaport/` parses as a URI without port.
        let port_text = authority.as_str().rsplit_once(']').map_or_else(
            || authority.as_str().rsplit_once(':').map(|(_, port)| port),
            |(_, after)| after.strip_prefix(':'),
        );
        if host.is_empty() || (port_text.is_some() && authority.port_u16().is_none()) {
            return Err(EndpointError::Malformed);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            scheme,
            host,
            port: authority.port_u16().unwrap_or(usual),
            path_and_query: path.to_owned(),
        })
    }

    /// Where a `Location` header points that this endpoint answered with.
    pub fn join(&self, location: &str) -> Result<Self, EndpointError> {
        let location = location.split('#').next().unwrap_or_default();
        if location.contains("://") && !location.starts_with('/') {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme.as_str()));
        }
        let path = if location.starts_with('/') {
            location.to_owned()
        } else {
            let (base, _) = self.path().rsplit_once('/').unwrap_or_default();
            format!("{base}/{location}")
        };
        let path: http::uri::PathAndQuery = path.parse().map_err(|_| EndpointError::Malformed)?;
        let mut joined = self.clone();
        joined.path_and_query = path.as_str().to_owned();
        Ok(joined)
    }

    /// `host:port`, as the `instance` label has it.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The `Host` header: the port only where it is not the scheme's own.
    #[must_use]
    pub fn host_header(&self) -> String {
        let usual = matches!(
            (self.scheme, self.port),
            (Scheme::Http, 80) | (Scheme::Https, 443)
        );
        let authority = self.authority();
        match authority.rsplit_once(':') {
            Some((host, _)) if usual => host.to_owned(),
            _ => authority,
        }
    }

    /// Whether a credential meant for `self` may also go to `other`.
    #[must_use]
    pub fn is_same_server(&self, other: &Self) -> bool {
        (self.scheme, &self.host, self.port) == (other.scheme, &other.host, other.port)
    }

    /// What stands in the request line.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    fn path(&self) -> &str {
        self.path_and_query.split('?').next().unwrap_or_default()
    }
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme.as_str();
        write!(f, "{scheme}://{}{}", self.host_header(), self.path())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsing() {
        use EndpointError::{Credentials, Malformed, Scheme as WrongScheme};
        for (text, expected) in [
            ("http://db1:9100/metrics", Ok("http://db1:9100/metrics")),
            ("https://db1", Ok("https://db1/")),
            ("http://[::1]:9100/m?token=hush", Ok("http://[::1]:9100/m")),
            ("http://[::1]/", Ok("http://[::1]/")),
            ("http://u:hush@db1/", Err(Credentials)),
            ("ftp://db1/", Err(WrongScheme)),
            ("db1:9100", Err(Malformed)),
            ("http://:80/", Err(Malformed)),
            ("http://db1:99999/", Err(Malformed)),
            ("http://", Err(Malformed)),
            ("", Err(Malformed)),
            ("http://a b/", Err(Malformed)),
        ] {
            let parsed = Endpoint::parse(text).map(|endpoint| format!("{endpoint:?}"));
            assert_eq!(parsed.as_deref(), expected.as_ref().copied(), "{text}");
        }
    }

    #[test]
    fn joining() {
        let base = Endpoint::parse("http://db1:9100/a/b?c=d").unwrap();
        for (location, expected) in [
            ("/x?y=z", "db1:9100 /x?y=z"),
            ("x", "db1:9100 /a/x"),
            ("https://db2/x#part", "db2:443 /x"),
            ("//db2/x", "db2:80 /x"),
            (
                "/redirect?to=http://elsewhere/",
                "db1:9100 /redirect?to=http://elsewhere/",
            ),
        ] {
            let joined = base.join(location).unwrap();
            let got = format!("{} {}", joined.authority(), joined.path_and_query());
            assert_eq!(got, expected, "{location}");
        }
        assert!(base.join("javascript://x").is_err());
        assert!(base.join("http://u:p@db1/").is_err());
        assert!(base.join("\u{0}").is_err());
    }
}
