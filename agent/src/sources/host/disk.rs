//! Block devices: /proc/diskstats, and what udev knows of each device.

use wire::metric::Kind::{self, Counter, Gauge};
use wire::metric::{Label, Text};

use super::files::{Failure, Files, number};
use super::settings::Settings;
use crate::collect::Gather;

/// A column of /proc/diskstats.
struct Column {
    family: &'static str,
    help: &'static str,
    kind: Kind,
    unit: Unit,
}

#[derive(Clone, Copy)]
enum Unit {
    One,
    Milliseconds,
    /// 512 bytes, whatever the device's own sectors are.
    Sectors,
}

const fn column(family: &'static str, kind: Kind, unit: Unit, help: &'static str) -> Column {
    Column {
        family,
        help,
        kind,
        unit,
    }
}

/// The columns behind the device's name; older kernels have the first 11 or 15.
#[rustfmt::skip]
const COLUMNS: [Column; 17] = [
    column("node_disk_reads_completed_total", Counter, Unit::One, "The total number of reads completed successfully."),
    column("node_disk_reads_merged_total", Counter, Unit::One, "The total number of reads merged."),
    column("node_disk_read_bytes_total", Counter, Unit::Sectors, "The total number of bytes read successfully."),
    column("node_disk_read_time_seconds_total", Counter, Unit::Milliseconds, "The total number of seconds spent by all reads."),
    column("node_disk_writes_completed_total", Counter, Unit::One, "The total number of writes completed successfully."),
    column("node_disk_writes_merged_total", Counter, Unit::One, "The number of writes merged."),
    column("node_disk_written_bytes_total", Counter, Unit::Sectors, "The total number of bytes written successfully."),
    column("node_disk_write_time_seconds_total", Counter, Unit::Milliseconds, "This is the total number of seconds spent by all writes."),
    column("node_disk_io_now", Gauge, Unit::One, "The number of I/Os currently in progress."),
    column("node_disk_io_time_seconds_total", Counter, Unit::Milliseconds, "Total seconds spent doing I/Os."),
    column("node_disk_io_time_weighted_seconds_total", Counter, Unit::Milliseconds, "The weighted # of seconds spent doing I/Os."),
    column("node_disk_discards_completed_total", Counter, Unit::One, "The total number of discards completed successfully."),
    column("node_disk_discards_merged_total", Counter, Unit::One, "The total number of discards merged."),
    column("node_disk_discarded_sectors_total", Counter, Unit::One, "The total number of sectors discarded successfully."),
    column("node_disk_discard_time_seconds_total", Counter, Unit::Milliseconds, "This is the total number of seconds spent by all discards."),
    column("node_disk_flush_requests_total", Counter, Unit::One, "The total number of flush requests completed successfully"),
    column("node_disk_flush_requests_time_seconds_total", Counter, Unit::Milliseconds, "This is the total number of seconds spent by all flush requests."),
];

/// The families that udev's properties become where an ATA disk has them.
#[rustfmt::skip]
const ATA: [(&str, &str, &str); 3] = [
    ("ID_ATA_WRITE_CACHE", "node_disk_ata_write_cache", "ATA disk has a write cache."),
    ("ID_ATA_WRITE_CACHE_ENABLED", "node_disk_ata_write_cache_enabled", "ATA disk has its write cache enabled."),
    ("ID_ATA_ROTATION_RATE_RPM", "node_disk_ata_rotation_rate_rpm", "ATA disk rotation rate in RPMs (0 for SSDs)."),
];

/// A family that says what a device is, given where udev knows the property `where_known`.
struct Described {
    family: &'static str,
    help: &'static str,
    where_known: &'static str,
    /// Labels and the properties that they are taken from.
    labels: &'static [(&'static str, &'static str)],
}

const DESCRIBED: [Described; 2] = [
    Described {
        family: "node_disk_filesystem_info",
        help: "Info about disk filesystem.",
        where_known: "ID_FS_TYPE",
        labels: &[
            ("type", "ID_FS_TYPE"),
            ("usage", "ID_FS_USAGE"),
            ("uuid", "ID_FS_UUID"),
            ("version", "ID_FS_VERSION"),
        ],
    },
    Described {
        family: "node_disk_device_mapper_info",
        help: "Info about disk device mapper.",
        where_known: "DM_NAME",
        labels: &[
            ("name", "DM_NAME"),
            ("uuid", "DM_UUID"),
            ("vg_name", "DM_VG_NAME"),
            ("lv_name", "DM_LV_NAME"),
            ("lv_layer", "DM_LV_LAYER"),
        ],
    },
];

/// A device, as its line begins.
struct Device {
    name: String,
    major: String,
    minor: String,
}

/// /proc/diskstats and, for each device in it, /run/udev/data.
pub(super) fn diskstats(
    files: &mut Files,
    settings: &Settings,
    out: &mut Gather,
) -> Result<(), Failure> {
    let mut devices = Vec::new();
    let outcome = files.proc_lines("diskstats", |line| {
        let mut words = line.split_ascii_whitespace();
        let device = Device {
            major: words.next()?.to_owned(),
            minor: words.next()?.to_owned(),
            name: words.next()?.to_owned(),
        };
        if settings.disk_ignore.matches(&device.name) {
            return Some(());
        }
        for (column, word) in COLUMNS.iter().zip(words) {
            let value = match column.unit {
                Unit::One => number(word)?,
                Unit::Milliseconds => number(word)? / 1000.0,
                Unit::Sectors => number(word)? * 512.0,
            };
            out.family(column.family, column.help, column.kind)
                .with([("device", device.name.clone())], value);
        }
        devices.push(device);
        Some(())
    });
    for device in devices {
        describe(&device, files, out);
    }
    outcome
}

/// What a device is, rather than what it does.
fn describe(device: &Device, files: &mut Files, out: &mut Gather) {
    let Device { name, major, minor } = device;
    let rotational = files.sys_text(&format!("block/{name}/queue/rotational"));
    // A host without udev, a container say, knows nothing but the numbers.
    let known = files
        .root(&format!("run/udev/data/b{major}:{minor}"))
        .unwrap_or_default();
    // The serial number printed on the disk, else the one that the bus gives.
    let serial = ["SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL"]
        .into_iter()
        .find_map(|wanted| property(&known, wanted));
    let text = |wanted| property(&known, wanted).unwrap_or_default();
    let labels = [
        ("device", Text::from(name.clone())),
        ("major", major.clone().into()),
        ("minor", minor.clone().into()),
        ("path", text("ID_PATH")),
        ("wwn", text("ID_WWN")),
        ("model", text("ID_MODEL")),
        ("serial", serial.unwrap_or_default()),
        ("revision", text("ID_REVISION")),
        ("rotational", rotational.unwrap_or_default().into()),
    ];
    out.gauge("node_disk_info", "Info of /sys/block/<block_device>.")
        .with(labels, 1.0);
    for described in &DESCRIBED {
        if property(&known, described.where_known).is_some() {
            let mut labels = vec![Label::new("device", name.clone())];
            for (label, wanted) in described.labels {
                labels.push(Label::new(*label, text(wanted)));
            }
            out.gauge(described.family, described.help)
                .point(labels, 1.0);
        }
    }
    if property(&known, "ID_ATA").is_some() {
        for (wanted, family, help) in ATA {
            if let Some(value) = property(&known, wanted).and_then(|text| number(&text)) {
                out.gauge(family, help)
                    .with([("device", name.clone())], value);
            }
        }
    }
}

/// A property as udev's database has it (`E:NAME=value`); an empty one is none.
fn property(known: &str, wanted: &str) -> Option<Text> {
    let mut properties = known.lines().filter_map(|line| line.strip_prefix("E:"));
    let value = properties.find_map(|pair| pair.strip_prefix(wanted)?.strip_prefix('='))?;
    (!value.is_empty()).then(|| value.to_owned().into())
}
