//! Reading what several kinds of receivers say.

use std::time::Duration;

use rules::Problems;
use rules::yaml::Cursor;

use crate::config::{Global, HttpConfig};

/// A template, or what Alertmanager takes where the key is missing. An empty one is meant so.
pub(super) fn template(
    at: &Cursor<'_>,
    key: &str,
    default: &str,
    problems: &mut Problems,
) -> String {
    at.text(key, problems).unwrap_or(default).to_owned()
}

/// How its requests are sent: its own way as a whole, or that of all.
pub(super) fn http(at: &Cursor<'_>, global: &Global, problems: &mut Problems) -> HttpConfig {
    match at.get("http_config") {
        Some(at) => HttpConfig::read(&at, problems),
        None => global.http.clone(),
    }
}

/// How long a request may take; nothing for no limit of its own.
pub(super) fn timeout(at: &Cursor<'_>, problems: &mut Problems) -> Option<Duration> {
    let wanted = "a duration such as 10s or 1m30s";
    let read = at.parsed("timeout", wanted, duration, problems);
    read.filter(|timeout| !timeout.is_zero())
}

/// A flag that is off unless the file says otherwise.
pub(super) fn flag(at: &Cursor<'_>, key: &str, problems: &mut Problems) -> bool {
    at.flag(key, problems) == Some(true)
}

/// Notes that a key is missing without which there is no message.
pub(super) fn missing(at: &Cursor<'_>, what: &str, hint: &str, problems: &mut Problems) {
    at.problem(problems, format!("{what} is missing"), hint);
}

/// A duration as Go and Prometheus write it: `1h2m3.5s`, `1d`.
fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 10] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3_600.0),
        ("d", 86_400.0),
        ("w", 604_800.0),
        ("y", 31_536_000.0),
    ];
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.');
        let unit = &rest[..end.unwrap_or(rest.len())];
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        seconds += number * factor;
        rest = &rest[unit.len()..];
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(seconds).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_both_ways() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(
                duration(text),
                expected.map(Duration::from_millis),
                "{text}"
            );
        };
        check("0", Some(0));
        check("0s", Some(0));
        check("1m30s", Some(90_000));
        check("1.5s", Some(1_500));
        check("1d", Some(86_400_000));
        check("250ms", Some(250));
        for bad in [
            "",
            "5",
            "s",
            "-1s",
            "1x",
            "1.2.3s",
            "99999999999999999999999999y",
        ] {
            check(bad, None);
        }
    }
}
