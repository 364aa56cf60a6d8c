//! The HTTP check: the right status, and the right words in the body.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue, LAST_MODIFIED};
use http::{Method, Version};
use regex::bytes::Regex;
use serde::Deserialize;
use wire::quantity::{Period, Size};

use crate::collect::Gather;
use crate::config::Problems;

use super::super::date;
use super::super::hidden::Hidden;
use super::super::http::{
    Endpoint, FetchError, RawBasicAuth, RawCredential, RawTls, Redirects, Request, Response,
    Scheme, Trace, fetch,
};
use super::{Failure, late, seen_on_the_way};

/// More than any page that a probe should ask for.
const MAX_BODY: Size = Size(16 << 20);

/// An HTTP probe as the configuration file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawHttp {
    /// What to ask: `https://shop.example/health`. No default.
    pub url: Hidden,
    /// The `instance` label of its series. Default: the URL without its query.
    pub instance: Option<String>,
    /// From one probe to the next. Default: `15s`.
    pub interval: Option<Period>,
    /// How long a probe may take. Default: `8s`, or four fifths of a shorter interval.
    pub timeout: Option<Period>,
    /// The method. Default: `GET`.
    pub method: Option<String>,
    /// Headers to send. Default: none.
    #[serde(default)]
    pub headers: BTreeMap<String, Hidden>,
    /// The body to send. Default: none.
    pub body: Option<Hidden>,
    /// The statuses that pass. Default: all from 200 to 299.
    #[serde(default)]
    pub expect_status: Vec<u16>,
    /// Regular expressions of which none may be in the body. Default: none.
    #[serde(default)]
    pub fail_if_body_matches: Vec<String>,
    /// Regular expressions that must all be in the body. Default: none.
    #[serde(default)]
    pub fail_if_body_not_matches: Vec<String>,
    /// Go where a redirect points. Default: `true`.
    pub follow_redirects: Option<bool>,
    /// User and password to send. Default: none.
    pub basic_auth: Option<RawBasicAuth>,
    /// File with a bearer token to send. Default: none.
    pub bearer_token_file: Option<PathBuf>,
    /// Environment variable with a bearer token to send. Default: none.
    pub bearer_token_env: Option<String>,
    /// How to speak TLS to an https URL.
    #[serde(default)]
    pub tls: RawTls,
    /// The longest body taken. Default: `16MiB`.
    pub max_body: Option<Size>,
}

/// An HTTP probe that can be made.
#[derive(Clone, Debug)]
pub(super) struct Http {
    request: Request,
    expect_status: Vec<u16>,
    unwanted: Vec<Regex>,
    wanted: Vec<Regex>,
}

impl RawHttp {
    pub(super) fn validate(self, problems: &mut Problems) -> Option<Http> {
        let endpoint = match Endpoint::parse(self.url.reveal()) {
            Ok(endpoint) => Some(endpoint),
            Err(error) => {
                let hint = "write https://host:port/path; credentials go into basic_auth";
                problems.add("url", error.to_string(), hint);
                None
            }
        };
        let method = method(self.method.as_deref(), problems);
        let headers = headers(&self.headers, problems);
        let unwanted = regexes("fail_if_body_matches", &self.fail_if_body_matches, problems);
        let wanted = regexes(
            "fail_if_body_not_matches",
            &self.fail_if_body_not_matches,
            problems,
        );
        let credential = RawCredential {
            basic_auth: self.basic_auth,
            bearer_token_file: self.bearer_token_file,
            bearer_token_env: self.bearer_token_env,
        };
        let authorization = credential.validate(problems);
        let (endpoint, authorization) = (endpoint?, authorization?);
        let redirects = match self.follow_redirects {
            Some(false) => Redirects::Keep,
            Some(true) | None => Redirects::Follow,
        };
        // A redirect may lead to https, so that TLS must be ready then too.
        let tls = match (endpoint.scheme, redirects) {
            (Scheme::Http, Redirects::Keep) => None,
            (Scheme::Http, Redirects::Follow) => self.tls.validate(&mut Problems::default()),
            (Scheme::Https, _) => Some(problems.under("tls", |p| self.tls.validate(p))?),
        };
        let Size(max_body) = self.max_body.unwrap_or(MAX_BODY);
        let body = self.body.map(|body| body.reveal().to_owned());
        Some(Http {
            expect_status: self.expect_status,
            unwanted: unwanted?,
            wanted: wanted?,
            request: Request {
                endpoint,
                method: method?,
                headers: headers?,
                authorization,
                body: Bytes::from(body.unwrap_or_default()),
                redirects,
                max_body: usize::try_from(max_body).unwrap_or(usize::MAX),
                tls,
            },
        })
    }
}

fn method(text: Option<&str>, problems: &mut Problems) -> Option<Method> {
    let text = text.unwrap_or("GET");
    match text.to_uppercase().parse() {
        Ok(method) => Some(method),
        Err(_) => {
            let message = format!("{text:?} is not a method");
            problems.add("method", message, "write GET, HEAD or POST");
            None
        }
    }
}

fn headers(
    raw: &BTreeMap<String, Hidden>,
    problems: &mut Problems,
) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let agent = HeaderValue::from_static("nightshift-agent");
    let mut headers = vec![(http::header::USER_AGENT, agent)];
    for (name, value) in raw {
        let parsed = (name.parse(), HeaderValue::from_str(value.reveal()));
        let (Ok(name), Ok(mut value)) = parsed else {
            let message = format!("{name:?} is not a header, or its value cannot be sent");
            problems.add("headers", message, "use visible ASCII characters");
            return None;
        };
        value.set_sensitive(true);
        headers.push((name, value));
    }
    Some(headers)
}

fn regexes(key: &str, patterns: &[String], problems: &mut Problems) -> Option<Vec<Regex>> {
    let mut regexes = Vec::new();
    for pattern in patterns {
        match Regex::new(pattern) {
            Ok(regex) => regexes.push(regex),
            Err(error) => {
                let message = format!("not a regular expression: {error}");
                problems.add(key, message, "write it in RE2 syntax");
                return None;
            }
        }
    }
    Some(regexes)
}

impl Http {
    pub(super) fn target(&self) -> String {
        self.request.endpoint.to_string()
    }

    pub(super) async fn run(&self, bound: Duration, out: &mut Gather) -> Result<(), Failure> {
        let mut trace = Trace::default();
        let fetched = tokio::time::timeout(bound, fetch(&self.request, &mut trace)).await;
        seen_on_the_way(&trace, out);
        let outcome = match fetched {
            Err(_) => Err(late(bound)),
            Ok(Err(error)) => Err(failure(&error)),
            Ok(Ok(response)) => {
                answered(&response, &trace, out);
                self.judge(&response, out)
            }
        };
        phases(&trace, outcome.is_ok(), out);
        outcome
    }

    fn judge(&self, response: &Response, out: &mut Gather) -> Result<(), Failure> {
        let status = response.status.as_u16();
        let passes = match self.expect_status.as_slice() {
            [] => response.status.is_success(),
            expected => expected.contains(&status),
        };
        let unwanted = self
            .unwanted
            .iter()
            .find(|regex| regex.is_match(&response.body));
        let missing = self
            .wanted
            .iter()
            .find(|regex| !regex.is_match(&response.body));
        let by_regex = passes && (unwanted.is_some() || missing.is_some());
        let help = "Whether the words in the body made the probe fail.";
        out.gauge("probe_failed_due_to_regex", help)
            .value(f64::from(u8::from(by_regex)));
        match (passes, unwanted, missing) {
            (false, _, _) => Err(Failure::new(format!("the status is {status}"))),
            (true, Some(regex), _) => Err(Failure::new(format!("the body matches {regex}"))),
            (true, None, Some(regex)) => {
                Err(Failure::new(format!("the body does not match {regex}")))
            }
            (true, None, None) => Ok(()),
        }
    }
}

/// What an answer shows, whether it passes or not.
fn answered(response: &Response, trace: &Trace, out: &mut Gather) {
    out.gauge("probe_http_status_code", "The status of the answer.")
        .value(f64::from(response.status.as_u16()));
    out.gauge(
        "probe_http_redirects",
        "How often the probe was sent elsewhere.",
    )
    .value(f64::from(trace.redirects));
    let is_encrypted = response.scheme == Scheme::Https;
    out.gauge("probe_http_ssl", "Whether the last answer came over TLS.")
        .value(f64::from(u8::from(is_encrypted)));
    let version = match response.version {
        Version::HTTP_09 => 0.9,
        Version::HTTP_10 => 1.0,
        _ => 1.1,
    };
    out.gauge("probe_http_version", "Which version of HTTP was spoken.")
        .value(version);
    let help = "How long the body is, decompressed.";
    out.gauge("probe_http_uncompressed_body_length", help)
        .value(response.body.len() as f64);
    let header = |name| response.headers.get(name)?.to_str().ok();
    let length = header(http::header::CONTENT_LENGTH).and_then(|text: &str| text.parse().ok());
    if let Some(length) = length {
        out.gauge("probe_http_content_length", "How long the body says it is.")
            .value(length);
    }
    if let Some(time) = header(LAST_MODIFIED).and_then(date::from_header) {
        let help = "When the server says the page was last changed.";
        out.gauge("probe_http_last_modified_timestamp_seconds", help)
            .value(time as f64);
    }
}

/// How long each phase took. A phase of a failed probe that was not reached has no length.
fn phases(trace: &Trace, is_whole: bool, out: &mut Gather) {
    let phases = trace.phases;
    for (phase, took) in [
        ("resolve", phases.resolve),
        ("connect", phases.connect),
        ("tls", phases.tls),
        ("processing", phases.processing),
        ("transfer", phases.transfer),
    ] {
        if is_whole || !took.is_zero() {
            let help = "How long each phase took, summed over redirects.";
            out.gauge("probe_http_duration_seconds", help)
                .with([("phase", phase)], took.as_secs_f64());
        }
    }
}

fn failure(error: &FetchError) -> Failure {
    let fix = match error {
        FetchError::Resolve { .. } => "check the name, and the host's resolver",
        FetchError::Connect { .. } => "check that the server runs and listens there",
        FetchError::Tls { .. } => "check the certificate, or name its authority in tls.ca_file",
        FetchError::TooLarge { .. } => "raise max_body, or probe a smaller page",
        _ => "",
    };
    Failure::new(error.to_string()).fix(fix)
}
