//! Sends requests as an `http_config` says.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use reqwest::redirect::Policy;
use wire::causes::with_causes;
use wire::secret::Secret;

use super::oauth2::Tokens;
use super::secrets::{Secrets, read_file};
use super::tls;
use crate::config::http::{Auth, Proxy, Username};
use crate::config::{HttpConfig, TlsConfig};
use crate::receiver::{Answer, Request, Settings, Verdict};

/// How long a request may take where the file says nothing: receivers answer within a second or two,
/// and whoever waits has others behind it.
const TIMEOUT: Duration = Duration::from_secs(30);
/// No longer than that for the connection alone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of an answer is read: receivers say what they have to say in a line.
const MAX_ANSWER: usize = 64 * 1024;

/// As Go and browsers have it.
const MAX_REDIRECTS: usize = 10;

const AGENT: &str = concat!("Nightshift/", env!("CARGO_PKG_VERSION"));

/// Sends the requests of one integration.
pub(super) struct Client {
    config: HttpConfig,
    folder: Arc<Path>,
    made: Made,
    tokens: Option<Tokens>,
}

impl Client {
    pub(super) fn new(config: HttpConfig, folder: Arc<Path>) -> Self {
        let tokens = match &config.auth {
            Auth::OAuth2(oauth2) => Some(Tokens::new((**oauth2).clone())),
            _ => None,
        };
        Self {
            config,
            folder,
            made: Made::default(),
            tokens,
        }
    }

    /// What the answer to a request means.
    pub(super) async fn verdict(
        &self,
        settings: &Settings,
        request: &Request,
        secrets: &Secrets,
    ) -> Verdict {
        let answer = match self.send(request, secrets).await {
            Ok(answer) => answer,
            Err(error) => return Verdict::Retry { after: None, error },
        };
        let verdict = settings.verdict(&answer, Timestamp::now().as_millisecond());
        match (&self.tokens, verdict) {
            // The token may be over before its time.
            (Some(tokens), Verdict::Refused { error }) if answer.status == 401 => {
                tokens.forget().await;
                Verdict::Retry { after: None, error }
            }
            (_, verdict) => verdict,
        }
    }

    async fn send(&self, request: &Request, secrets: &Secrets) -> Result<Answer, String> {
        let timeout = request.timeout.unwrap_or(TIMEOUT);
        let sending = async {
            let (tls, proxy) = (&self.config.tls, &self.config.proxy);
            let way = Way {
                tls,
                proxy,
                follow_redirects: self.config.follow_redirects,
                enable_http2: self.config.enable_http2,
            };
            let client = self.made.get(&way, &self.folder)?;
            let headers = self.headers(request, secrets).await?;
            let post = client.post(request.url.clone()).headers(headers);
            answer(post.body(request.body.clone())).await
        };
        let answered = tokio::time::timeout(timeout, sending).await;
        answered.unwrap_or_else(|_| Err(format!("no answer within {} s", timeout.as_secs_f64())))
    }

    async fn headers(&self, request: &Request, secrets: &Secrets) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for header in &self.config.headers {
            let name = HeaderName::from_bytes(header.name.as_bytes());
            let name = name.map_err(|_| format!("{:?} is no header", header.name))?;
            for value in &header.values {
                headers.append(&name, visible(value)?);
            }
            for secret in &header.secrets {
                secrets.note(secret.clone());
                headers.append(&name, hidden(secret.reveal())?);
            }
            for path in &header.files {
                let secret = secrets.read(&crate::config::SecretSource::File(path.clone()))?;
                headers.append(&name, hidden(secret.reveal())?);
            }
        }
        if let Some(authorization) = self.authorization(secrets).await? {
            headers.insert(AUTHORIZATION, hidden(&authorization)?);
        }
        // The request's own come last: an app's token of Slack is more than a general one.
        for (name, value) in &request.headers {
            headers.insert(name, value.clone());
        }
        Ok(headers)
    }

    async fn authorization(&self, secrets: &Secrets) -> Result<Option<String>, String> {
        let text = |source: &Option<_>| match source {
            Some(source) => secrets
                .read(source)
                .map(|secret| secret.reveal().to_owned()),
            None => Ok(String::new()),
        };
        Ok(match &self.config.auth {
            Auth::None => None,
            Auth::Basic { username, password } => {
                let username = match username {
                    Username::Inline(name) => name.clone(),
                    Username::File(path) => {
                        let name = read_file(&self.folder, path)?;
                        String::from_utf8_lossy(&name).trim().to_owned()
                    }
                };
                let basic = basic(&username, &text(password)?);
                secrets.note(Secret::new(&basic));
                Some(format!("Basic {basic}"))
            }
            Auth::Header {
                scheme,
                credentials,
            } => Some(format!("{scheme} {}", text(credentials)?)),
            Auth::OAuth2(_) => match &self.tokens {
                Some(tokens) => Some(tokens.header(&self.folder, secrets).await?),
                None => None,
            },
        })
    }
}

/// A name and a password as they travel.
pub(super) fn basic(username: &str, password: &str) -> String {
    use base64::Engine;
    let pair = format!("{username}:{password}");
    base64::engine::general_purpose::STANDARD.encode(pair)
}

fn visible(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| "a value cannot stand in a header".to_owned())
}

fn hidden(text: &str) -> Result<HeaderValue, String> {
    let mut value = visible(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Sends a request and reads as much of the answer as it may have.
pub(super) async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, String> {
    // The address may hold a secret.
    let said = |error: reqwest::Error| with_causes(&error.without_url());
    let mut response = request.send().await.map_err(said)?;
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok());
    let retry_after = retry_after.map(str::to_owned);
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while body.len() < MAX_ANSWER {
        let Some(chunk) = response.chunk().await.map_err(said)? else {
            break;
        };
        let room = MAX_ANSWER - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(Answer {
        status,
        retry_after,
        body,
    })
}

/// How requests get where they go.
pub(super) struct Way<'a> {
    pub(super) tls: &'a TlsConfig,
    pub(super) proxy: &'a Proxy,
    pub(super) follow_redirects: bool,
    pub(super) enable_http2: bool,
}

/// A client with its connections, made anew when a file that it was made from changes.
#[derive(Default)]
pub(super) struct Made {
    last: Mutex<Option<(Vec<Stamp>, reqwest::Client)>>,
}

/// What shows that a file changed.
type Stamp = (PathBuf, Option<(SystemTime, u64)>);

impl Made {
    pub(super) fn get(&self, way: &Way<'_>, folder: &Path) -> Result<reqwest::Client, String> {
        let stamps = stamps(way.tls, folder);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, client)) = &*last
            && *known == stamps
        {
            return Ok(client.clone());
        }
        let client = build(way, folder)?;
        *last = Some((stamps, client.clone()));
        Ok(client)
    }
}

fn stamps(config: &TlsConfig, folder: &Path) -> Vec<Stamp> {
    let files = tls::files(config).into_iter();
    let stamps = files.map(|path| {
        let meta = std::fs::metadata(folder.join(&path)).ok();
        let stamp = meta.and_then(|meta| Some((meta.modified().ok()?, meta.len())));
        (path, stamp)
    });
    stamps.collect()
}

fn build(way: &Way<'_>, folder: &Path) -> Result<reqwest::Client, String> {
    let mut tls = tls::client(way.tls, folder)?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut builder = reqwest::Client::builder()
        .user_agent(AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirects(way.follow_redirects));
    if way.enable_http2 {
        tls.alpn_protocols.insert(0, b"h2".to_vec());
    } else {
        builder = builder.http1_only();
    }
    builder = match way.proxy {
        Proxy::None => builder.no_proxy(),
        Proxy::Environment { .. } => builder,
        Proxy::Through {
            url,
            no_proxy,
            connect_headers,
        } => {
            let proxy = reqwest::Proxy::all(url.get().clone());
            let proxy = proxy.map_err(|error| format!("proxy_url: {}", error.without_url()))?;
            let proxy = proxy.no_proxy(reqwest::NoProxy::from_string(no_proxy));
            builder.proxy(proxy.headers(tunnel_headers(connect_headers)?))
        }
    };
    let built = builder.tls_backend_preconfigured(tls).build();
    built.map_err(|error| with_causes(&error))
}

fn tunnel_headers(headers: &[(String, Vec<Secret>)]) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, values) in headers {
        let header = HeaderName::from_bytes(name.as_bytes());
        let header = header.map_err(|_| format!("{name:?} is no header"))?;
        for value in values {
            map.append(&header, hidden(value.reveal())?);
        }
    }
    Ok(map)
}

/// Only those that keep the message are followed: any other would drop it and have its loss taken for
/// success.
fn redirects(follows: bool) -> Policy {
    if !follows {
        return Policy::none();
    }
    Policy::custom(|attempt| {
        let keeps_message = matches!(attempt.status().as_u16(), 307 | 308);
        if keeps_message && attempt.previous().len() <= MAX_REDIRECTS {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}
