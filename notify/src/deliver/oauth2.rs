//! Tokens by OAuth 2.0's client credentials.

use std::path::Path;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use wire::secret::Secret;

use super::http::{Made, Way, answer, basic};
use super::secrets::Secrets;
use crate::config::http::OAuth2;
use crate::receiver::Answer;

/// A token is no longer used when it is over in less than this: it must last until the request is there.
const MARGIN: Duration = Duration::from_secs(10);

/// How long a token is good for that does not say so.
const DEFAULT_LIFE: Duration = Duration::from_secs(300);

/// Gets tokens, and keeps the last as long as it is good.
pub(super) struct Tokens {
    config: OAuth2,
    made: Made,
    last: Mutex<Option<(Secret, Instant)>>,
}

/// What a server says of a token.
#[derive(Deserialize)]
struct Given {
    access_token: String,
    expires_in: Option<u64>,
}

/// Where the request says who we are. Servers take the one or the other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Header,
    Body,
}

impl Tokens {
    pub(super) fn new(config: OAuth2) -> Self {
        Self {
            config,
            made: Made::default(),
            last: Mutex::default(),
        }
    }

    /// The next request needs a new one.
    pub(super) async fn forget(&self) {
        *self.last.lock().await = None;
    }

    /// A token as a header has it. One at a time: others wait for the token that is on its way.
    pub(super) async fn header(&self, folder: &Path, secrets: &Secrets) -> Result<String, String> {
        let mut last = self.last.lock().await;
        let good = last.as_ref().filter(|(_, until)| Instant::now() < *until);
        let token = match good {
            Some((token, _)) => token.clone(),
            None => {
                let (token, life) = self.get(folder, secrets).await?;
                let life = life.saturating_sub(MARGIN);
                *last = Some((token.clone(), Instant::now() + life));
                token
            }
        };
        let header = format!("Bearer {}", token.reveal());
        secrets.note(token);
        Ok(header)
    }

    async fn get(&self, folder: &Path, secrets: &Secrets) -> Result<(Secret, Duration), String> {
        let mut answered = self.ask(Place::Header, folder, secrets).await?;
        if matches!(answered.status, 400 | 401 | 403) {
            answered = self.ask(Place::Body, folder, secrets).await?;
        }
        if !(200..300).contains(&answered.status) {
            let (status, said) = (answered.status, answered.said());
            return Err(format!("no token was given: {status}: {said}"));
        }
        let given = serde_json::from_slice::<Given>(&answered.body);
        // The reason is left out: it could quote the token.
        let given = given.map_err(|_| "no token was given: the answer holds none".to_owned())?;
        let life = given.expires_in.filter(|seconds| *seconds > 0);
        let life = life.map_or(DEFAULT_LIFE, Duration::from_secs);
        // No token is used for longer than a day, whatever it says of itself.
        let longest = Duration::from_secs(86_400);
        Ok((Secret::new(&given.access_token), life.min(longest)))
    }

    async fn ask(&self, place: Place, folder: &Path, secrets: &Secrets) -> Result<Answer, String> {
        let way = Way {
            tls: &self.config.tls,
            proxy: &self.config.proxy,
            follow_redirects: true,
            enable_http2: true,
        };
        let client = self.made.get(&way, folder)?;
        let secret = match &self.config.client_secret {
            Some(source) => secrets.read(source)?,
            None => Secret::new(""),
        };
        let id = self.config.client_id.as_str();
        let mut form = vec![("grant_type", "client_credentials")];
        let scopes = self.config.scopes.join(" ");
        if !scopes.is_empty() {
            form.push(("scope", &scopes));
        }
        if place == Place::Body {
            form.extend([("client_id", id), ("client_secret", secret.reveal())]);
        }
        let params = self.config.endpoint_params.iter();
        form.extend(params.map(|(name, value)| (name.as_str(), value.as_str())));
        let url = reqwest::Url::parse(&self.config.token_url);
        let url = url.map_err(|wrong| format!("token_url: {wrong}"))?;
        let mut request = client
            .post(url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(encoded(&form));
        if place == Place::Header {
            let pair = basic(&encode(id), &encode(secret.reveal()));
            secrets.note(Secret::new(&pair));
            request = request.header(AUTHORIZATION, format!("Basic {pair}"));
        }
        let answered = answer(request).await;
        answered.map_err(|error| format!("no token was given: {error}"))
    }
}

fn encoded(form: &[(&str, &str)]) -> String {
    let pairs = form.iter();
    let pairs = pairs.map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// As forms have it.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
