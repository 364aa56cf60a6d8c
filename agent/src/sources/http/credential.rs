//! The credential that a request carries, read from files and variables into one header.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::HeaderValue;
use serde::Deserialize;

use crate::config::{Problems, secret};

/// A user and where their password is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawBasicAuth {
    /// The user. No default.
    pub username: String,
    /// File with the password. Default: none.
    pub password_file: Option<PathBuf>,
    /// Environment variable with the password. Default: none.
    pub password_env: Option<String>,
}

/// What a source's settings say of its credential; they hold the same keys.
#[derive(Clone, Debug, Default)]
pub struct RawCredential {
    /// User and password.
    pub basic_auth: Option<RawBasicAuth>,
    /// File with a bearer token.
    pub bearer_token_file: Option<PathBuf>,
    /// Environment variable with a bearer token.
    pub bearer_token_env: Option<String>,
}

impl RawCredential {
    /// The header to send, if any; `None` outside where there is a problem.
    pub fn validate(self, problems: &mut Problems) -> Option<Option<HeaderValue>> {
        let (file, env) = (&self.bearer_token_file, &self.bearer_token_env);
        let has_bearer = file.is_some() || env.is_some();
        let token = secret::read(problems, "bearer_token", file.as_deref(), env.as_deref());
        let text = match (&self.basic_auth, token) {
            (Some(_), _) if has_bearer => {
                let message = "both basic_auth and a bearer token are set";
                problems.add("basic_auth", message, "keep one of the two");
                return None;
            }
            (Some(basic), _) => problems.under("basic_auth", |problems| basic.header(problems))?,
            (None, Some(token)) => format!("Bearer {}", token.reveal()),
            (None, None) => return if has_bearer { None } else { Some(None) },
        };
        let Ok(mut value) = HeaderValue::from_str(&text) else {
            let message = "the token holds characters that no header can";
            problems.add(
                "bearer_token",
                message,
                "check what the file or variable holds",
            );
            return None;
        };
        value.set_sensitive(true);
        Some(Some(value))
    }
}

impl RawBasicAuth {
    fn header(&self, problems: &mut Problems) -> Option<String> {
        let (file, env) = (&self.password_file, &self.password_env);
        if file.is_none() && env.is_none() {
            let hint = "set password_file or password_env";
            problems.add("password_file", "no password is set", hint);
        }
        let password = secret::read(problems, "password", file.as_deref(), env.as_deref())?;
        let pair = format!("{}:{}", self.username, password.reveal());
        Some(format!("Basic {}", STANDARD.encode(pair)))
    }
}
