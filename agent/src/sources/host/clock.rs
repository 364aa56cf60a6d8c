//! The host's clock: what it shows, in which time zone, and what drives it.
//!
//! How well it is synchronised (`node_timex_*`) is not here: only the system call `adjtimex` tells,
//! and no library offers it without unsafe code.

use std::time::{SystemTime, UNIX_EPOCH};

use super::files::{Failure, Files};
use super::timezone::{self, Zone};
use crate::collect::Gather;

/// The time and its zone.
pub(super) fn time(files: &mut Files, now: SystemTime, out: &mut Gather) -> Result<(), Failure> {
    let seconds = match now.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    };
    out.gauge(
        "node_time_seconds",
        "System time in seconds since epoch (1970).",
    )
    .value(seconds);
    let zone = match files.bytes_of_root("etc/localtime") {
        Ok(bytes) => timezone::zone_at(bytes, seconds.floor() as i64),
        // A host without the file keeps its time in UTC.
        Err(Failure::Absent(_)) => Some(Zone::utc()),
        Err(failure) => return Err(failure),
    };
    let Some(zone) = zone else {
        return Err(files.malformed());
    };
    out.gauge(
        "node_time_zone_offset_seconds",
        "System time zone offset in seconds.",
    )
    .with([("time_zone", zone.name)], f64::from(zone.offset));
    Ok(())
}

/// Which hardware the kernel takes the time from, and from which it could.
pub(super) fn clock_sources(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    const FOLDER: &str = "devices/system/clocksource";
    const FAMILIES: [(&str, &str, &str); 2] = [
        (
            "available_clocksource",
            "node_time_clocksource_available_info",
            "Available clocksources read from '/sys/devices/system/clocksource'.",
        ),
        (
            "current_clocksource",
            "node_time_clocksource_current_info",
            "Current clocksource read from '/sys/devices/system/clocksource'.",
        ),
    ];
    for folder in files.sys_folders(FOLDER)? {
        let Some(device) = folder.strip_prefix("clocksource") else {
            continue;
        };
        for (attribute, family, help) in FAMILIES {
            let sources = files.sys(&format!("{FOLDER}/{folder}/{attribute}"))?;
            for source in sources.split_ascii_whitespace() {
                let labels = [
                    ("device", device.to_owned()),
                    ("clocksource", source.to_owned()),
                ];
                out.gauge(family, help).with(labels, 1.0);
            }
        }
    }
    Ok(())
}

/// The second at which a day such as `2027-04-30` begins, in UTC.
pub(super) fn seconds_of_day(day: &str) -> Option<f64> {
    let mut parts = day.splitn(3, '-');
    let year: i64 = parts
        .next()?
        .parse()
        .ok()
        .filter(|year| (1970..10_000).contains(year))?;
    let month: i64 = parts
        .next()?
        .parse()
        .ok()
        .filter(|month| (1..=12).contains(month))?;
    let day: i64 = parts
        .next()?
        .parse()
        .ok()
        .filter(|day| (1..=31).contains(day))?;
    Some((timezone::days_to(year, month, day) * 86_400) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        for (day, expected) in [
            ("1970-01-01", Some(0.0)),
            ("2000-02-29", Some(951_782_400.0)),
            ("2027-05-14", Some(1_810_252_800.0)),
            ("2027-13-01", None),
            ("2027-05", None),
            ("99999999-01-01", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(seconds_of_day(day), expected, "{day}");
        }
    }
}
