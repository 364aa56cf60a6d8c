//! The system as a whole: kernel and distribution, open files, entropy, SELinux.

use wire::metric::{Label, Text};

use super::clock;
use super::files::{Failure, Files, number};
use crate::collect::Gather;

/// What `uname` says, from the files behind it.
pub(super) fn uname(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    let mut text = |name: &str| -> Result<Text, Failure> {
        let text = files.proc(&format!("sys/kernel/{name}"))?;
        Ok(text.trim_end().to_owned().into())
    };
    // Kernels before 6.1 have no file for the machine.
    let machine = text("arch").unwrap_or_else(|_| std::env::consts::ARCH.into());
    let labels = [
        ("sysname", text("ostype")?),
        ("release", text("osrelease")?),
        ("version", text("version")?),
        ("machine", machine),
        ("nodename", text("hostname")?),
        ("domainname", text("domainname")?),
    ];
    out.gauge(
        "node_uname_info",
        "Labeled system information as provided by the uname system call.",
    )
    .with(labels, 1.0);
    Ok(())
}

/// The labels of the distribution, and what os-release calls them.
const RELEASE_LABELS: [(&str, &str); 12] = [
    ("build_id", "BUILD_ID"),
    ("id", "ID"),
    ("id_like", "ID_LIKE"),
    ("image_id", "IMAGE_ID"),
    ("image_version", "IMAGE_VERSION"),
    ("name", "NAME"),
    ("pretty_name", "PRETTY_NAME"),
    ("variant", "VARIANT"),
    ("variant_id", "VARIANT_ID"),
    ("version", "VERSION"),
    ("version_codename", "VERSION_CODENAME"),
    ("version_id", "VERSION_ID"),
];

/// /etc/os-release, or /usr/lib/os-release where an image has no other.
pub(super) fn distribution(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    let text = match files.root("etc/os-release") {
        Err(Failure::Absent(_)) => files.root("usr/lib/os-release"),
        found => found,
    }?;
    let value = |wanted: &str| -> Text { assigned(&text, wanted).unwrap_or_default().into() };
    let mut labels = Vec::new();
    for (label, wanted) in RELEASE_LABELS {
        labels.push(Label::new(label, value(wanted)));
    }
    out.gauge(
        "node_os_info",
        "A metric with a constant '1' value labeled by build_id, id, id_like, image_id, \
         image_version, name, pretty_name, variant, variant_id, version, version_codename, \
         version_id.",
    )
    .point(labels, 1.0);
    if let Some(version) = major_minor(&value("VERSION_ID")) {
        let labels = [
            ("id", value("ID")),
            ("id_like", value("ID_LIKE")),
            ("name", value("NAME")),
        ];
        out.gauge(
            "node_os_version",
            "Metric containing the major.minor part of the OS version.",
        )
        .with(labels, version);
    }
    if let Some(end) = clock::seconds_of_day(&value("SUPPORT_END")) {
        out.gauge(
            "node_os_support_end_timestamp_seconds",
            "Metric containing the end-of-life date timestamp of the OS.",
        )
        .value(end);
    }
    Ok(())
}

/// What a file of shell assignments gives a name; the last one counts, as in a shell.
fn assigned(text: &str, wanted: &str) -> Option<String> {
    let mut assignments = text.lines().rev();
    let raw = assignments.find_map(|line| line.trim().strip_prefix(wanted)?.strip_prefix('='))?;
    Some(unquoted(raw))
}

fn unquoted(raw: &str) -> String {
    let raw = raw.trim();
    if let Some(inner) = raw.strip_prefix('\'') {
        return inner.split('\'').next().unwrap_or_default().to_owned();
    }
    let double = raw.strip_prefix('"');
    let mut plain = String::new();
    let mut letters = double.unwrap_or(raw).chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => plain.extend(letters.next()),
            '"' if double.is_some() => break,
            _ => plain.push(letter),
        }
    }
    plain
}

/// `22.04` of `22.04.3`.
fn major_minor(version: &str) -> Option<f64> {
    let mut parts = version.splitn(3, '.');
    let digits = |part: &str| -> String { part.chars().take_while(char::is_ascii_digit).collect() };
    let major = parts.next()?;
    let whole = digits(major);
    if whole.len() < major.len() {
        return number(&whole);
    }
    number(&format!("{whole}.{}0", digits(parts.next().unwrap_or(""))))
}

/// /proc/sys/fs/file-nr: open files of the whole host, and how many there may be.
pub(super) fn open_files(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    files.proc_lines("sys/fs/file-nr", |line| {
        let mut words = line.split_ascii_whitespace();
        out.gauge(
            "node_filefd_allocated",
            "File descriptor statistics: allocated.",
        )
        .value(number(words.next()?)?);
        out.gauge(
            "node_filefd_maximum",
            "File descriptor statistics: maximum.",
        )
        .value(number(words.nth(1)?)?);
        Some(())
    })
}

/// The kernel's random numbers.
pub(super) fn entropy(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    let available = files.proc_number("sys/kernel/random/entropy_avail")?;
    out.gauge("node_entropy_available_bits", "Bits of available entropy.")
        .value(available);
    let size = files.proc_number("sys/kernel/random/poolsize")?;
    out.gauge("node_entropy_pool_size_bits", "Bits of entropy pool.")
        .value(size);
    Ok(())
}

/// Whether SELinux is on, and whether it enforces.
pub(super) fn selinux(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    let enforcing = files.sys_number("fs/selinux/enforce");
    out.gauge(
        "node_selinux_enabled",
        "SELinux is enabled, 1 is true, 0 is false",
    )
    .value(f64::from(u8::from(enforcing.is_some())));
    let Some(enforcing) = enforcing else {
        return Ok(());
    };
    out.gauge(
        "node_selinux_current_mode",
        "Current SELinux enforcement mode",
    )
    .value(enforcing);
    let configured = files.root("etc/selinux/config").ok();
    let configured = configured.and_then(|text| assigned(&text, "SELINUX"));
    let mode = match configured.as_deref() {
        Some("enforcing") => 1.0,
        Some("permissive") => 0.0,
        Some("disabled") => -1.0,
        _ => return Ok(()),
    };
    out.gauge(
        "node_selinux_config_mode",
        "Configured SELinux enforcement mode",
    )
    .value(mode);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (version, expected) in [
            ("12", Some(12.0)),
            ("22.04", Some(22.04)),
            ("22.04.3", Some(22.04)),
            ("9.", Some(9.0)),
            ("38-rc1", Some(38.0)),
            ("rolling", None),
            ("", None),
        ] {
            assert_eq!(major_minor(version), expected, "{version}");
        }
    }

    #[test]
    fn assignments() {
        let text =
            "A=plain\nB=\"quoted \\\"x\\\" \"\nC='single \\n'\nD=\nA=again\n#E=comment\nF=\"open";
        for (name, expected) in [
            ("A", Some("again")),
            ("B", Some("quoted \"x\" ")),
            ("C", Some("single \\n")),
            ("D", Some("")),
            ("E", None),
            ("F", Some("open")),
        ] {
            assert_eq!(assigned(text, name).as_deref(), expected, "{name}");
        }
    }
}
