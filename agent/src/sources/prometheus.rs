//! The prometheus source: scrapes any `/metrics` as Prometheus would.
//!
//! Owns the request, the text formats and what honor_labels means. The relabel rules are the
//! pipeline's own; HTTP is [`super::http`]'s. One source scrapes one URL.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use serde::Deserialize;
use wire::metric::{Family, Label};
use wire::quantity::{Period, Size};

use crate::collect::{Gather, Source, SourceError};
use crate::config::Problems;
use crate::pipeline::relabel::{RawRule, Rules, is_label_name};

use super::hidden::Hidden;
use super::http::{
    Endpoint, RawBasicAuth, RawCredential, RawTls, Redirects, Request, Scheme, Trace, fetch,
};
use super::pace::Pace;
use exposition::Format;

pub mod exposition;
mod line;

/// The `job` label where the file names none.
pub const JOB: &str = "prometheus";

/// How often is scraped where the file does not say.
const USUAL: Pace = Pace::usual(10);

/// The largest exposition that a busy exporter gives is a few MiB.
const MAX_BODY: Size = Size(16 << 20);

/// As many as the largest exporters give; a mistake (a label with an id) gives far more.
const SAMPLE_LIMIT: usize = 50_000;

/// The older format first: it needs less text for the same numbers.
const ACCEPT: &str =
    "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1";

/// A scrape as the configuration file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSettings {
    /// What to scrape: `http://127.0.0.1:9187/metrics`. No default.
    pub url: Hidden,
    /// The `job` label of its series. Default: `prometheus`.
    pub job: Option<String>,
    /// The `instance` label of its series. Default: host and port of the URL.
    pub instance: Option<String>,
    /// From one scrape to the next. Default: `10s`.
    pub interval: Option<Period>,
    /// How long a scrape may take. Default: `8s`, or four fifths of a shorter interval.
    pub timeout: Option<Period>,
    /// Labels that every series gets. Default: none.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Keep scraped labels that the target has too (`true`), or rename them to `exported_...`
    /// (`false`). Default: `false`.
    #[serde(default)]
    pub honor_labels: bool,
    /// Keep times that the exposition gives. Default: `true`.
    pub honor_timestamps: Option<bool>,
    /// Relabel rules for every scraped series. Default: none.
    #[serde(default)]
    pub metric_relabel: Vec<RawRule>,
    /// User and password to send. Default: none.
    pub basic_auth: Option<RawBasicAuth>,
    /// File with a bearer token to send. Default: none.
    pub bearer_token_file: Option<PathBuf>,
    /// Environment variable with a bearer token to send. Default: none.
    pub bearer_token_env: Option<String>,
    /// How to speak TLS to an https URL.
    #[serde(default)]
    pub tls: RawTls,
    /// The longest body taken, before and after decompression. Default: `16MiB`.
    pub max_body: Option<Size>,
    /// The most samples taken, counted behind the relabel rules; a scrape with more fails whole.
    /// Default: 50000.
    pub sample_limit: Option<usize>,
}

/// A scrape that can be done.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often, and for how long.
    pub pace: Pace,
    /// The `job` label.
    pub job: String,
    instance: String,
    labels: Vec<Label>,
    honor_labels: bool,
    honor_timestamps: bool,
    rules: Rules,
    request: Request,
    sample_limit: usize,
}

/// Scrapes one URL.
#[derive(Debug)]
pub struct Scrape {
    settings: Settings,
    /// The labels that the target's series carry: job, instance and the operator's own.
    target: Vec<Label>,
}

impl RawSettings {
    /// Checks the settings and reads the secrets.
    pub fn validate(mut self, problems: &mut Problems) -> Option<Settings> {
        let pace = Pace::validate(self.interval, self.timeout, USUAL, problems);
        let endpoint = match Endpoint::parse(self.url.reveal()) {
            Ok(endpoint) => Some(endpoint),
            Err(error) => {
                let hint = "write http://host:port/path; credentials go into basic_auth";
                problems.add("url", error.to_string(), hint);
                None
            }
        };
        let rules = std::mem::take(&mut self.metric_relabel);
        let rules = Rules::validate("metric_relabel", rules, problems);
        let labels = self.own_labels(problems);
        let credential = RawCredential {
            basic_auth: self.basic_auth,
            bearer_token_file: self.bearer_token_file,
            bearer_token_env: self.bearer_token_env,
        };
        let authorization = credential.validate(problems);
        let (endpoint, authorization) = (endpoint?, authorization?);
        let tls = match endpoint.scheme {
            Scheme::Http => None,
            Scheme::Https => Some(problems.under("tls", |problems| self.tls.validate(problems))?),
        };
        let Size(max_body) = self.max_body.unwrap_or(MAX_BODY);
        Some(Settings {
            pace: pace?,
            job: self.job.unwrap_or_else(|| JOB.to_owned()),
            instance: self.instance.unwrap_or_else(|| endpoint.authority()),
            labels: labels?,
            honor_labels: self.honor_labels,
            honor_timestamps: self.honor_timestamps.unwrap_or(true),
            rules: rules?,
            sample_limit: self.sample_limit.unwrap_or(SAMPLE_LIMIT),
            request: Request {
                endpoint,
                method: http::Method::GET,
                headers: vec![
                    (header::ACCEPT, HeaderValue::from_static(ACCEPT)),
                    (header::ACCEPT_ENCODING, HeaderValue::from_static("gzip")),
                    (
                        header::USER_AGENT,
                        HeaderValue::from_static("nightshift-agent"),
                    ),
                ],
                authorization,
                body: Bytes::new(),
                redirects: Redirects::Follow,
                max_body: usize::try_from(max_body).unwrap_or(usize::MAX),
                tls,
            },
        })
    }

    fn own_labels(&self, problems: &mut Problems) -> Option<Vec<Label>> {
        let mut labels = Vec::new();
        for (name, value) in &self.labels {
            if !is_label_name(name) || matches!(name.as_str(), "job" | "instance") {
                let message = format!("{name:?} cannot be a label of its own");
                let hint = "use letters, digits and underscores; job and instance have their keys";
                problems.add("labels", message, hint);
                return None;
            }
            labels.push(Label::new(name.clone(), value.clone()));
        }
        Some(labels)
    }
}

impl Settings {
    /// The `instance` label.
    #[must_use]
    pub fn instance(&self) -> String {
        self.instance.clone()
    }
}

impl Scrape {
    /// A source for those settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut target = vec![
            Label::new("job", settings.job.clone()),
            Label::new("instance", settings.instance.clone()),
        ];
        target.extend(settings.labels.iter().cloned());
        Self { settings, target }
    }

    /// The `instance` label of its series.
    #[must_use]
    pub fn instance(&self) -> String {
        self.settings.instance()
    }

    async fn exposition(&self) -> Result<Vec<Family>, SourceError> {
        let Settings { request, pace, .. } = &self.settings;
        let endpoint = &request.endpoint;
        let bound = pace.own_bound();
        let mut trace = Trace::default();
        let response = tokio::time::timeout(bound, fetch(request, &mut trace))
            .await
            .map_err(|_| {
                let waited = Period(bound);
                SourceError::new(format!("{endpoint} did not answer within {waited}"))
            })?
            .map_err(|error| SourceError::new(format!("cannot scrape {endpoint}")).detail(error))?;
        if !response.status.is_success() {
            let status = response.status;
            return Err(SourceError::new(format!("{endpoint} answered {status}")));
        }
        let kind = response.headers.get(header::CONTENT_TYPE);
        let is_open =
            kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/openmetrics-text"));
        let format = if is_open {
            Format::OpenMetrics
        } else {
            Format::Text
        };
        exposition::parse(&response.body, format).map_err(|error| {
            SourceError::new(format!("{endpoint} gave no readable exposition"))
                .detail(error)
                .hint("the URL must speak the Prometheus text format or OpenMetrics")
        })
    }

    /// Puts the target's labels on each point and settles who wins where both have one.
    fn label(&self, families: &mut [Family]) {
        for point in families.iter_mut().flat_map(|family| &mut family.points) {
            point.labels.retain(|label| !label.value.is_empty());
            if !self.settings.honor_labels {
                give_way(&mut point.labels, &self.target);
            }
            for own in &self.settings.labels {
                if !point.labels.iter().any(|label| label.name == own.name) {
                    point.labels.push(own.clone());
                }
            }
            if !self.settings.honor_timestamps {
                point.at_ms = None;
            }
        }
    }
}

/// Renames scraped labels that the target has too; `exported_` again while the name is taken.
fn give_way(labels: &mut [Label], target: &[Label]) {
    for place in 0..labels.len() {
        if !target.iter().any(|own| own.name == labels[place].name) {
            continue;
        }
        let mut name = format!("exported_{}", labels[place].name);
        let is_taken = |name: &str| {
            let mut all = labels.iter().chain(target);
            all.any(|label| label.name == name)
        };
        while is_taken(&name) {
            name = format!("exported_{name}");
        }
        labels[place].name = Cow::Owned(name);
    }
}

impl Source for Scrape {
    async fn collect(&mut self, out: &mut Gather) -> Result<(), SourceError> {
        let mut families = self.exposition().await?;
        self.label(&mut families);
        let (families, _dropped) = self.settings.rules.apply_to(families, &self.target[..2]);
        let samples: usize = families.iter().map(|family| family.points.len()).sum();
        let limit = self.settings.sample_limit;
        if samples > limit {
            let endpoint = &self.settings.request.endpoint;
            return Err(
                SourceError::new(format!("{endpoint} gave more than {limit} samples"))
                    .detail(format!("{samples} samples"))
                    .hint("drop what is not needed by metric_relabel, or raise sample_limit"),
            );
        }
        for family in families {
            let mut series = out.family(family.name, family.help, family.kind);
            for point in family.points {
                series.exact(point);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
