//! From what the file has to what the program may rely on.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use wire::quantity::{Period, Size};

use super::raw::{RawConfig, RawLog, RawOtlp, RawRemoteWrite, RawTls};
use super::{
    Config, Limits, LogConfig, LogFormat, OtlpPort, Overrides, Problem, Problems,
    RemoteWriteLimits, TlsConfig, incidents, notify, query, rules, store,
};
use crate::bucket;
use crate::identity::handshake::PlainText;
use crate::remote::forward;

const DATA: &str = "/var/lib/nightshift";
const LISTEN: &str = "127.0.0.1:7700";
const GRPC_PORT: u16 = 4317;
const HTTP_PORT: u16 = 4318;
const LEVEL: &str = "info";

pub(super) fn validate(raw: RawConfig, overrides: &Overrides) -> Result<Config, Vec<Problem>> {
    let mut problems = Problems::default();
    let from_cli = |given: &Option<String>, key: &'static str, raw: Option<String>| match given {
        Some(given) => (
            format!("--{}", key.replace(['.', '_'], "-")),
            Some(given.clone()),
        ),
        None => (key.to_owned(), raw),
    };
    let (key, listen) = from_cli(&overrides.listen, "listen", raw.listen);
    let listen = address(&mut problems, &key, listen.as_deref().unwrap_or(LISTEN));
    let (key, grpc) = from_cli(&overrides.otlp_grpc, "otlp.grpc", raw.otlp.grpc.clone());
    let otlp_grpc = otlp_port(&mut problems, &key, grpc, &with_port(&listen, GRPC_PORT));
    let (key, http) = from_cli(&overrides.otlp_http, "otlp.http", raw.otlp.http.clone());
    let otlp_http = otlp_port(&mut problems, &key, http, &with_port(&listen, HTTP_PORT));
    let endpoint = raw.telemetry.otlp_endpoint;
    let config = Config {
        data: overrides
            .data
            .clone()
            .or(raw.data)
            .unwrap_or_else(|| DATA.into()),
        listen,
        otlp_grpc,
        otlp_http,
        limits: limits(&mut problems, &raw.otlp),
        remote_write: remote_write_limits(&mut problems, &raw.remote_write),
        forward: forward::config::validate(raw.forward, &mut problems),
        store: store::validate(&mut problems, &raw.store),
        blocks: bucket::config::validate(
            &mut problems,
            raw.store.blocks.as_deref(),
            raw.store.s3.as_ref(),
        ),
        query: query::validate(&mut problems, &raw.query),
        rules: rules::validate(&mut problems, raw.rules),
        notify: notify::validate(&mut problems, raw.notify),
        incidents: incidents::validate(&mut problems, raw.incidents),
        tls: tls_config(&mut problems, raw.tls),
        log: log_config(&mut problems, raw.log, overrides.log_format),
        otlp_endpoint: otlp_endpoint(&mut problems, endpoint.or(overrides.otlp_endpoint.clone())),
    };
    match problems.into_inner() {
        found if found.is_empty() => Ok(config),
        found => Err(found),
    }
}

fn address(problems: &mut Problems, key: &str, text: &str) -> String {
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
        let message = format!("{text:?} is not an address with a port");
        problems.add(
            key,
            message,
            "write HOST:PORT, for instance 0.0.0.0:7700 or [::]:7700",
        );
    }
    text.to_owned()
}

fn otlp_port(problems: &mut Problems, key: &str, given: Option<String>, usual: &str) -> OtlpPort {
    match given.as_deref() {
        None => OtlpPort::Usual(usual.to_owned()),
        Some("off") => OtlpPort::Off,
        Some(text) => OtlpPort::Wanted(address(problems, key, text)),
    }
}

fn tls_config(problems: &mut Problems, raw: RawTls) -> TlsConfig {
    let plain_text = match raw.plain_text.as_deref() {
        None | Some("local") => PlainText::Local,
        Some("everywhere") => PlainText::Everywhere,
        Some("never") => PlainText::Never,
        Some(other) => {
            let message = format!("{other:?} is not a place");
            problems.add(
                "tls.plain_text",
                message,
                "write local, everywhere or never",
            );
            PlainText::Local
        }
    };
    TlsConfig {
        plain_text,
        names: raw.names,
    }
}

fn with_port(listen: &str, port: u16) -> String {
    let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
    format!("{host}:{port}")
}

fn limits(problems: &mut Problems, raw: &RawOtlp) -> Limits {
    let default = Limits::default();
    let max_request_size = size(
        problems,
        "otlp.max_request_size",
        &raw.max_request_size,
        default.max_request_size,
    );
    let max_decompressed_size = size(
        problems,
        "otlp.max_decompressed_size",
        &raw.max_decompressed_size,
        default.max_decompressed_size,
    );
    let requests = raw
        .max_concurrent_requests
        .map_or(default.max_concurrent_requests as i128, i128::from);
    let key = "otlp.max_concurrent_requests";
    let max_concurrent_requests = number_within(problems, key, requests, 1, 10_000) as usize;
    Limits {
        max_request_size,
        max_decompressed_size,
        max_concurrent_requests,
    }
}

fn remote_write_limits(problems: &mut Problems, raw: &RawRemoteWrite) -> RemoteWriteLimits {
    let default = RemoteWriteLimits::default();
    RemoteWriteLimits {
        max_request_size: size(
            problems,
            "remote_write.max_request_size",
            &raw.max_request_size,
            default.max_request_size,
        ),
        max_decompressed_size: size(
            problems,
            "remote_write.max_decompressed_size",
            &raw.max_decompressed_size,
            default.max_decompressed_size,
        ),
    }
}

fn size(problems: &mut Problems, key: &str, text: &Option<String>, default: usize) -> usize {
    let size = quantity(problems, key, text.as_deref(), Size(default as u64));
    // Beyond the decoders' own bound a larger one would mean nothing.
    number_within(problems, key, i128::from(size.0), 1 << 10, 1 << 30) as usize
}

fn log_config(problems: &mut Problems, raw: RawLog, given: Option<LogFormat>) -> LogConfig {
    let from_file = match raw.format.as_deref() {
        None | Some("text") => LogFormat::Text,
        Some("json") => LogFormat::Json,
        Some(other) => {
            let message = format!("{other:?} is not a log format");
            problems.add("log.format", message, "write \"text\" or \"json\"");
            LogFormat::Text
        }
    };
    let level = raw.level.unwrap_or_else(|| LEVEL.to_owned());
    if level.trim().is_empty() || EnvFilter::try_new(&level).is_err() {
        let message = format!("{level:?} is not a log level");
        let hint =
            "write error, warn, info, debug or trace, or directives such as \"info,store=debug\"";
        problems.add("log.level", message, hint);
    }
    LogConfig {
        format: given.unwrap_or(from_file),
        level,
    }
}

fn otlp_endpoint(problems: &mut Problems, given: Option<String>) -> Option<String> {
    let endpoint = given.filter(|endpoint| !endpoint.is_empty())?;
    let is_url = endpoint
        .parse::<http::Uri>()
        .is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.authority().is_some());
    if !is_url {
        let message = format!("{endpoint:?} is not the address of an OTLP receiver");
        problems.add("telemetry.otlp_endpoint", message, "write http://HOST:4317");
    }
    Some(endpoint)
}

pub(super) fn quantity<T>(problems: &mut Problems, key: &str, given: Option<&str>, default: T) -> T
where
    T: FromStr<Err: std::fmt::Display> + std::fmt::Display,
{
    match given.map(str::parse) {
        None => default,
        Some(Ok(value)) => value,
        Some(Err(error)) => {
            problems.add(
                key,
                error.to_string(),
                format!("write for instance \"{default}\""),
            );
            default
        }
    }
}

/// The number, brought within bounds after it was complained about.
pub(super) fn number_within(
    problems: &mut Problems,
    key: &str,
    number: i128,
    least: u64,
    most: u64,
) -> u64 {
    let (low, high) = (i128::from(least), i128::from(most));
    if !(low..=high).contains(&number) {
        let message = format!("{number} is not between {least} and {most}");
        problems.add(key, message, "write a number within these bounds");
    }
    u64::try_from(number.clamp(low, high)).unwrap_or(least)
}

/// The period that was given, or the default; it is complained about where it is out of bounds.
pub(super) fn period_within(
    problems: &mut Problems,
    key: &str,
    given: Option<&str>,
    default: Duration,
    bounds: RangeInclusive<Duration>,
) -> Duration {
    let period = quantity(problems, key, given, Period(default)).0;
    if !bounds.contains(&period) {
        let (least, most) = (Period(*bounds.start()), Period(*bounds.end()));
        let message = format!("{} is not between {least} and {most}", Period(period));
        problems.add(key, message, format!("write {}", Period(default)));
    }
    period
}
