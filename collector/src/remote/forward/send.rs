//! The course of a chunk's requests: shard beside shard, each request again and again until it was
//! taken or refused for good.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio_util::sync::CancellationToken;
use wire::remote_write::{Version, compress};
use wire::secret::Secret;

use super::chunk::{Cutter, Request};
use super::client::{Answer, Client, PostError};
use super::config::{Credential, ForwardConfig};
use super::metrics::Progress;

/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest, so that a receiver that is back is found soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// The longest that a receiver may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);
/// Refusals are logged this often: one series that a receiver does not want is in every request.
const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(60);

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("x-prometheus-remote-write-version");
const SAMPLES_WRITTEN: &str = "x-prometheus-remote-write-samples-written";

/// Sends to one target.
pub(super) struct Sender {
    clients: Vec<Client>,
    course: Course,
}

/// What the shards of a target share.
struct Course {
    config: ForwardConfig,
    progress: Arc<Progress>,
    stop: CancellationToken,
    /// Whether the receiver turned out not to know 2.0.
    knows_only_v1: AtomicBool,
    /// Whether the last request failed, so that an outage is logged once.
    is_failing: AtomicBool,
    refusal_logged: Mutex<Option<Instant>>,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The receiver has it.
    Taken,
    /// The receiver does not know 2.0: the same in 1.0.
    SpeakV1,
    /// It is to be sent again, after the time that was asked for.
    Again(Option<Duration>),
    /// It is of no use to send it again; so many samples were taken nevertheless.
    Refused(usize),
}

impl Sender {
    pub(super) fn new(
        config: ForwardConfig,
        progress: Arc<Progress>,
        stop: CancellationToken,
    ) -> Self {
        let clients = (0..config.concurrency)
            .map(|_| Client::new(config.endpoint.clone(), config.tls.clone()))
            .collect();
        Self {
            clients,
            course: Course {
                config,
                progress,
                stop,
                knows_only_v1: AtomicBool::new(false),
                is_failing: AtomicBool::new(false),
                refusal_logged: Mutex::new(None),
            },
        }
    }

    /// Sends the requests of all shards; false where it was told to stop before the end.
    pub(super) async fn send(&mut self, shards: &[Vec<Request>], cutter: &Cutter) -> bool {
        let course = &self.course;
        let courses = self.clients.iter_mut().zip(shards);
        let courses = courses.map(|(client, requests)| async move {
            for request in requests {
                if !course.deliver(client, request, cutter).await {
                    return false;
                }
            }
            true
        });
        let ends = futures::future::join_all(courses).await;
        ends.into_iter().all(|is_done| is_done)
    }
}

impl Course {
    /// Sends one request until it is done with; false where it was told to stop.
    async fn deliver(&self, client: &mut Client, request: &Request, cutter: &Cutter) -> bool {
        let mut pause = FIRST_PAUSE;
        let mut version = self.version();
        let Some(mut body) = self.body(request, version, cutter) else {
            return true;
        };
        loop {
            let attempt = self.attempt(client, version, &body);
            let Some(outcome) = self.stop.run_until_cancelled(attempt).await else {
                return false;
            };
            let verdict = match &outcome {
                Ok(answer) => judge(version, request.samples(), answer),
                Err(_) => Verdict::Again(None),
            };
            match verdict {
                Verdict::Taken => {
                    self.progress.sent(request.samples());
                    self.recovered();
                    return true;
                }
                Verdict::Refused(taken) => {
                    self.refused(request.samples() - taken, outcome.ok());
                    return true;
                }
                Verdict::SpeakV1 => {
                    self.fall_back();
                    version = Version::V1;
                    match self.body(request, version, cutter) {
                        Some(other) => body = other,
                        None => return true,
                    }
                }
                Verdict::Again(after) => {
                    client.close();
                    self.failed(outcome);
                    let wait = after
                        .map_or_else(|| jittered(pause), |after| after.min(LONGEST_RETRY_AFTER));
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    let rest = tokio::time::sleep(wait);
                    if self.stop.run_until_cancelled(rest).await.is_none() {
                        return false;
                    }
                }
            }
        }
    }

    fn version(&self) -> Version {
        if self.knows_only_v1.load(Ordering::Relaxed) {
            Version::V1
        } else {
            self.config.version
        }
    }

    fn body(&self, request: &Request, version: Version, cutter: &Cutter) -> Option<Bytes> {
        let encoded = request.encode(version, cutter)?;
        match compress(&encoded) {
            Ok(body) => Some(body.into()),
            Err(error) => {
                // Only beyond 4 GiB, which the bound on samples keeps far away.
                self.progress.dropped(request.samples());
                tracing::error!(target_name = self.config.name, %error, "cannot compress a request");
                None
            }
        }
    }

    async fn attempt(
        &self,
        client: &mut Client,
        version: Version,
        body: &Bytes,
    ) -> Result<Answer, String> {
        let headers = self
            .headers(version)
            .await
            .map_err(|error| error.to_string())?;
        let answer = tokio::time::timeout(self.config.timeout, client.post(&headers, body)).await;
        match answer {
            Ok(answer) => answer.map_err(|error: PostError| error.to_string()),
            Err(_elapsed) => Err(format!("no answer within {:?}", self.config.timeout)),
        }
    }

    /// Secrets are read anew for each request, so that they can be replaced while it runs.
    async fn headers(&self, version: Version) -> io::Result<HeaderMap> {
        let config = &self.config;
        let (content_type, number) = match version {
            Version::V1 => ("application/x-protobuf", "0.1.0"),
            Version::V2 => (
                "application/x-protobuf;proto=io.prometheus.write.v2.Request",
                "2.0.0",
            ),
        };
        let agent = concat!("nightshift/", env!("CARGO_PKG_VERSION"));
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (CONTENT_TYPE, content_type),
            (CONTENT_ENCODING, "snappy"),
            (PROTOCOL_VERSION, number),
            (USER_AGENT, agent),
            (HOST, config.endpoint.authority.as_str()),
        ] {
            headers.insert(name, secretless(value)?);
        }
        for (name, value) in &config.headers {
            headers.insert(name, value.clone());
        }
        for (name, path) in &config.header_files {
            headers.insert(name, secret_header(read(path).await?.reveal())?);
        }
        let authorization = match &config.credential {
            Credential::None => None,
            Credential::Bearer(path) => Some(format!("Bearer {}", read(path).await?.reveal())),
            Credential::Basic(user, path) => {
                let pair = format!("{user}:{}", read(path).await?.reveal());
                Some(format!("Basic {}", STANDARD.encode(pair)))
            }
        };
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, secret_header(&authorization)?);
        }
        Ok(headers)
    }

    fn recovered(&self) {
        if self.is_failing.swap(false, Ordering::Relaxed) {
            tracing::info!(target_name = self.config.name, "forwarding works again");
        }
    }

    fn failed(&self, outcome: Result<Answer, String>) {
        self.progress.failed();
        if self.is_failing.swap(true, Ordering::Relaxed) {
            return;
        }
        let error = outcome.map_or_else(|error| error, |answer| told(&answer));
        let hint = "what waits stays in the journal, for two hours at the least";
        tracing::warn!(
            target_name = self.config.name,
            error,
            hint,
            "cannot forward; will try again"
        );
    }

    fn refused(&self, samples: usize, answer: Option<Answer>) {
        self.progress.dropped(samples);
        let now = Instant::now();
        let mut logged = self
            .refusal_logged
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if logged.is_some_and(|then| now.duration_since(then) < REFUSAL_LOG_INTERVAL) {
            return;
        }
        *logged = Some(now);
        drop(logged);
        let error = answer.as_ref().map(told);
        let hint = "nightshift_forward_dropped_samples_total counts all of them";
        tracing::warn!(
            target_name = self.config.name,
            samples,
            error,
            hint,
            "the receiver refused samples"
        );
    }

    fn fall_back(&self) {
        if !self.knows_only_v1.swap(true, Ordering::Relaxed) {
            let hint = "set protocol = \"1.0\" for this target";
            tracing::warn!(
                target_name = self.config.name,
                hint,
                "the receiver does not know remote write 2.0; sending 1.0"
            );
        }
    }
}

fn judge(version: Version, samples: usize, answer: &Answer) -> Verdict {
    let written = answer.headers.get(SAMPLES_WRITTEN);
    match answer.status {
        // Who knows only 1.0 takes an unknown message for an empty one; who knows 2.0 says so.
        status if status.is_success() => {
            if version == Version::V2 && written.is_none() {
                Verdict::SpeakV1
            } else {
                Verdict::Taken
            }
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE if version == Version::V2 => Verdict::SpeakV1,
        status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
            let written = written.and_then(|header| header.to_str().ok()?.parse().ok());
            Verdict::Refused(written.unwrap_or(0).min(samples))
        }
        // Also what is neither: a redirect is somebody's mistake, which will be found.
        _ => {
            let after = answer.headers.get(RETRY_AFTER);
            let seconds = after.and_then(|header| header.to_str().ok()?.parse().ok());
            Verdict::Again(seconds.map(Duration::from_secs))
        }
    }
}

fn told(answer: &Answer) -> String {
    let body = String::from_utf8_lossy(&answer.body);
    let line: String = body
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(300)
        .collect();
    format!("{} {line}", answer.status)
}

/// Between half of a pause and all of it, so that many collectors do not come at once.
fn jittered(pause: Duration) -> Duration {
    // Each state of this kind has random keys, which is all the chance that is needed here.
    let random = RandomState::new().build_hasher().finish();
    let share = (random % 1_000) as f64 / 2_000.0;
    pause.mul_f64(0.5 + share)
}

async fn read(path: &std::path::Path) -> io::Result<Secret> {
    let text = tokio::fs::read_to_string(path).await;
    let text = text.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot read {}: {error}", path.display()),
        )
    })?;
    Ok(Secret::new(&text))
}

fn secretless(value: &str) -> io::Result<HeaderValue> {
    HeaderValue::from_str(value).map_err(io::Error::other)
}

fn secret_header(value: &str) -> io::Result<HeaderValue> {
    // The reason would quote nothing, but neither would it help: the text is not one line.
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| io::Error::other("a secret's file holds more than one line of text"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
