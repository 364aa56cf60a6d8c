//! The host source against Debian's node_exporter: every series that it gives, we give.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use nightshift_agent::config::Problems;
use nightshift_agent::schedule::{self, Plan};
use nightshift_agent::sources::host::{Host, RawSettings};
use tests::parity::{Exporter, Exposition, Readings, Report, Table, Tolerance, compare};
use tests::tree;

const PROGRAM: &str = "/usr/bin/prometheus-node-exporter";

const RECORDED: &str = include_str!("../../agent/src/sources/host/fixtures/host.txt");

/// What of the recorded host node_exporter asks this host's kernel for, or reads from its own root.
const LIVE: [&str; 7] = [
    "proc/sys/kernel/ostype",
    "proc/sys/kernel/osrelease",
    "proc/sys/kernel/version",
    "proc/sys/kernel/hostname",
    "proc/sys/kernel/domainname",
    "proc/sys/kernel/arch",
    "etc/os-release",
];

/// Rounding of a division by another order of multiplications.
const USUAL: Tolerance = Tolerance {
    relative: 1e-12,
    absolute: 0.0,
};

async fn ours(settings: RawSettings) -> Exposition {
    let mut problems = Problems::default();
    let settings = settings.validate(&mut problems);
    let settings = settings.unwrap_or_else(|| panic!("{:?}", problems.into_inner()));
    let plan = Plan {
        source: "host",
        job: "node".into(),
        instance: "here".into(),
        speaks_for_target: true,
        interval: settings.interval,
        timeout: Duration::from_secs(60),
    };
    let collection = schedule::once(Host::new(settings), plan).await;
    Exposition::of(&collection.families)
}

/// Reads both and compares.
async fn check(exporter: &Exporter, settings: RawSettings) -> Report {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/node.toml");
    let table = Table::read(&path).unwrap();
    let before = exporter.scrape().unwrap();
    let ours = ours(settings).await;
    let after = exporter.scrape().unwrap();
    let readings = Readings {
        before: &before,
        ours: &ours,
        after: &after,
    };
    let report = compare(readings, &table, USUAL);
    assert!(report.problems.is_empty(), "{report}");
    report
}

/// This very host, as both see it at the same time.
#[tokio::test]
async fn the_live_host() {
    let exporter = Exporter::start(PROGRAM, &["--web.disable-exporter-metrics"], &[]).unwrap();
    let report = check(&exporter, RawSettings::default()).await;
    assert!(report.agreed > 300, "{report}");
}

/// A recorded host with everything that a test machine may lack, where no value moves.
#[tokio::test]
async fn a_recorded_host() {
    let folder = tempfile::tempdir().unwrap();
    tree::unpack(RECORDED, folder.path()).unwrap();
    for path in LIVE {
        let copy = match path.starts_with("etc") {
            true => folder.path().join("root").join(path),
            false => folder.path().join(path),
        };
        std::fs::copy(Path::new("/").join(path), copy).unwrap();
    }
    let below = |path: &str| folder.path().join(path).display().to_string();
    let arguments = [
        format!("--path.procfs={}", below("proc")),
        format!("--path.sysfs={}", below("sys")),
        format!("--path.rootfs={}", below("root")),
        format!("--path.udev.data={}", below("root/run/udev/data")),
        // Through the kernel's socket it would see this host's interfaces.
        "--no-collector.netdev.netlink".into(),
        "--collector.netdev.device-exclude=".into(),
        "--web.disable-exporter-metrics".into(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let exporter = Exporter::start(PROGRAM, &arguments, &[("TZ", "Europe/Berlin")]).unwrap();
    let settings = RawSettings {
        proc_path: folder.path().join("proc"),
        sys_path: folder.path().join("sys"),
        root_path: folder.path().join("root"),
        ..RawSettings::default()
    };
    let report = check(&exporter, settings).await;
    assert!(report.agreed > 300, "{report}");
}
