//! The probe source: looks at a service from outside, as its users do.
//!
//! One probe is one check of one target: HTTP, TCP, or PostgreSQL by a login and, where asked for,
//! a write. A target that fails its check is a result (`probe_success` 0, with the reason as a
//! gap), not an error of the source. Names are blackbox_exporter's; what it has no name for is
//! called in its style. A number that could not be measured is left out, where blackbox_exporter
//! writes 0.

use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::collect::{Gather, Source, SourceError};
use crate::config::Problems;

use super::http::{Seen, Trace};
use super::pace::Pace;

mod http;
mod postgres;
mod tcp;

pub use http::RawHttp;
pub use postgres::RawPostgres;
pub use tcp::RawTcp;

/// The `job` label that users of blackbox_exporter set.
pub const JOB: &str = "blackbox-exporter";

/// How often is probed where the file does not say; a probe costs its target more than a scrape.
const USUAL: Pace = Pace::usual(15);

/// A probe as the configuration file has it: `kind` says which of these it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum RawSettings {
    /// Asks a URL.
    Http(RawHttp),
    /// Connects to a port.
    Tcp(RawTcp),
    /// Logs in to PostgreSQL, and writes where asked to.
    Postgres(RawPostgres),
}

/// A probe that can be made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often, and for how long.
    pub pace: Pace,
    instance: String,
    check: Check,
}

#[derive(Clone, Debug)]
enum Check {
    Http(Box<http::Http>),
    Tcp(tcp::Tcp),
    Postgres(Box<postgres::Postgres>),
}

/// Probes one target.
#[derive(Debug)]
pub struct Probe {
    settings: Settings,
}

/// Why a target failed its check: in a few words without numbers that change, and what to do.
#[derive(Debug)]
struct Failure {
    why: String,
    fix: String,
}

impl Failure {
    fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            fix: String::new(),
        }
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }
}

impl RawSettings {
    /// Checks the settings and reads the secrets.
    pub fn validate(self, problems: &mut Problems) -> Option<Settings> {
        let (interval, timeout, instance) = match &self {
            Self::Http(raw) => (raw.interval, raw.timeout, raw.instance.clone()),
            Self::Tcp(raw) => (raw.interval, raw.timeout, raw.instance.clone()),
            Self::Postgres(raw) => (raw.interval, raw.timeout, raw.instance.clone()),
        };
        let pace = Pace::validate(interval, timeout, USUAL, problems);
        let check = match self {
            Self::Http(raw) => Check::Http(Box::new(raw.validate(problems)?)),
            Self::Tcp(raw) => Check::Tcp(raw.validate(problems)?),
            Self::Postgres(raw) => Check::Postgres(Box::new(raw.validate(problems)?)),
        };
        let target = match &check {
            Check::Http(http) => http.target(),
            Check::Tcp(tcp) => tcp.target(),
            Check::Postgres(postgres) => postgres.target(),
        };
        Some(Settings {
            pace: pace?,
            instance: instance.unwrap_or(target),
            check,
        })
    }
}

impl Settings {
    /// The `instance` label: what is probed.
    #[must_use]
    pub fn instance(&self) -> String {
        self.instance.clone()
    }
}

impl Probe {
    /// A source for those settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// The `instance` label of its series.
    #[must_use]
    pub fn instance(&self) -> String {
        self.settings.instance()
    }
}

impl Source for Probe {
    async fn collect(&mut self, out: &mut Gather) -> Result<(), SourceError> {
        let bound = self.settings.pace.own_bound();
        let began = Instant::now();
        let outcome = match &self.settings.check {
            Check::Http(http) => http.run(bound, out).await,
            Check::Tcp(tcp) => tcp.run(bound, out).await,
            Check::Postgres(postgres) => postgres.run(bound, out).await,
        };
        out.gauge("probe_duration_seconds", "How long the probe took.")
            .value(began.elapsed().as_secs_f64());
        out.gauge("probe_success", "Whether the target passed its check.")
            .value(f64::from(u8::from(outcome.is_ok())));
        if let Err(Failure { why, fix }) = outcome {
            out.gap("probe", why, fix);
        }
        Ok(())
    }
}

/// What every probe over a connection of its own has seen, also where it ended early.
fn seen_on_the_way(trace: &Trace, out: &mut Gather) {
    if let Some(address) = trace.address {
        let protocol = if address.is_ipv6() { 6.0 } else { 4.0 };
        out.gauge("probe_ip_protocol", "Which version of IP was used.")
            .value(protocol);
        let help = "How long finding the address of the name took.";
        out.gauge("probe_dns_lookup_time_seconds", help)
            .value(trace.phases.resolve.as_secs_f64());
    }
    if let Some(Seen { version, expiry }) = &trace.tls {
        out.gauge("probe_tls_version_info", "Which version of TLS was used.")
            .with([("version", *version)], 1.0);
        if let Some(expiry) = expiry {
            let help = "When the first of the certificates that were sent expires.";
            out.gauge("probe_ssl_earliest_cert_expiry", help)
                .value(expiry.earliest_sent as f64);
            let help = "When the chain of the server's own certificate expires.";
            out.gauge("probe_ssl_last_chain_expiry_timestamp_seconds", help)
                .value(expiry.chain as f64);
        }
    }
}

/// The failure of a check that did not end in time.
fn late(bound: Duration) -> Failure {
    let waited = wire::quantity::Period(bound);
    Failure::new(format!("no result within {waited}"))
}

#[cfg(test)]
mod tests;
