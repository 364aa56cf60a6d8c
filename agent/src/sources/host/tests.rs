use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use wire::metric::Family;

use super::*;
use crate::collect::Gap;

const RECORDED: &str = include_str!("fixtures/host.txt");

/// A recorded host in a folder of its own.
struct Tree(tempfile::TempDir);

impl Tree {
    fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Makes the files of the recording: `=== path` and content, or `=== path -> target`.
    fn recorded() -> Self {
        let tree = Self::empty();
        for part in RECORDED.split("=== ").skip(1) {
            let (heading, content) = part.split_once('\n').unwrap();
            match heading.split_once(" -> ") {
                Some((path, target)) => symlink(target, tree.file(path)).unwrap(),
                None => std::fs::write(tree.file(heading), content).unwrap(),
            }
        }
        tree
    }

    fn paths() -> impl Iterator<Item = &'static str> {
        let headings = RECORDED
            .lines()
            .filter_map(|line| line.strip_prefix("=== "));
        headings.filter_map(|heading| heading.split(" -> ").next())
    }

    /// Where a file of the tree is, its folders made.
    fn file(&self, path: &str) -> PathBuf {
        let file = self.0.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        file
    }

    fn settings(&self) -> Settings {
        Settings {
            proc_path: self.0.path().join("proc"),
            sys_path: self.0.path().join("sys"),
            root_path: self.0.path().join("root"),
            ..Settings::default()
        }
    }

    fn families(&self) -> Families {
        Families::new(Arc::new(self.settings()))
    }
}

fn read(families: &mut Families) -> (Vec<Family>, Vec<Gap>) {
    families.read(SystemTime::UNIX_EPOCH).out.finish()
}

/// A line for each series, and one for each gap.
fn lines(families: &[Family], gaps: &[Gap]) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for family in families {
        for point in &family.points {
            let mut line = format!("{} {}", family.kind, family.name);
            for label in &point.labels {
                write!(line, " {}={:?}", label.name, label.value).unwrap();
            }
            write!(line, " = {}", point.value).unwrap();
            lines.insert(line);
        }
    }
    for Gap { what, why, fix } in gaps {
        lines.insert(format!("gap {what}: {why} ({fix})"));
    }
    lines
}

#[tokio::test]
async fn a_recorded_host() {
    let tree = Tree::recorded();
    let mut out = Gather::default();
    Host::new(tree.settings()).collect(&mut out).await.unwrap();
    let (families, gaps) = out.finish();
    // The room is that of the folder of the test, and the time is now.
    let moves = ["_bytes", "_files", "_free"].map(|end| format!("node_filesystem{end}"));
    let moving = |line: &&String| {
        line.contains("node_time_seconds")
            || line.contains("node_time_zone")
            || line.contains("node_filesystem_size")
            || line.contains("node_filesystem_free")
            || line.contains("node_filesystem_avail")
            || moves.iter().any(|name| line.contains(name))
    };
    let all = lines(&families, &gaps);
    assert_eq!(all.iter().filter(moving).count(), 3 * 5 + 2);
    let still: Vec<String> = all.iter().filter(|line| !moving(line)).cloned().collect();
    insta::assert_snapshot!(still.join("\n"));
}

#[tokio::test]
async fn the_live_host() {
    let mut host = Host::new(Settings::default());
    for _ in 0..2 {
        let mut out = Gather::default();
        host.collect(&mut out).await.unwrap();
        let (families, gaps) = out.finish();
        for name in [
            "node_cpu_seconds_total",
            "node_memory_MemTotal_bytes",
            "node_filesystem_size_bytes",
            "node_network_receive_bytes_total",
            "node_vmstat_pgfault",
            "node_netstat_Tcp_InSegs",
            "node_uname_info",
            "node_boot_time_seconds",
        ] {
            let family = families.iter().find(|family| family.name == name);
            assert!(
                family.is_some_and(|family| family.points[0].value > 0.0),
                "{name} {gaps:?}"
            );
        }
    }
}

#[test]
fn a_file_that_is_gone_takes_only_its_own_families_along() {
    let tree = Tree::recorded();
    let before = read(&mut tree.families());
    let all = lines(&before.0, &before.1);
    // The mounts are asked elsewhere, and what the machine is can be known without a file.
    let other = ["proc/1/mounts", "proc/1/mountinfo", "proc/sys/kernel/arch"];
    for path in Tree::paths().filter(|path| path.starts_with("proc/") && !other.contains(path)) {
        let file = tree.file(path);
        let content = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let (families, gaps) = read(&mut tree.families());
        let left = lines(&families, &[]);
        assert!(left.is_subset(&all), "{path}: {:?}", left.difference(&all));
        assert!(left.len() < all.len(), "{path} is read by nobody");
        assert!(left.len() > all.len() / 2, "{path}: {} left", left.len());
        assert!(gaps.len() <= 1, "{path}: {gaps:?}");
        std::fs::write(&file, content).unwrap();
    }
}

/// What becomes of a file's content.
type Damage = dyn Fn(&[u8]) -> Vec<u8>;

#[test]
fn no_file_stops_the_others_whatever_it_holds() {
    let tree = Tree::recorded();
    let contents: [&Damage; 7] = [
        &|_| Vec::new(),
        &|whole| whole[..whole.len() / 2].to_vec(),
        &|whole| whole[..whole.len().saturating_sub(2)].to_vec(),
        &|_| (0..=255).cycle().take(70_000).collect(),
        &|_| b"-1 : x 99999999999999999999999999 [/] ( ]\n".repeat(3),
        &|whole| [whole, whole].concat(),
        &|whole| {
            String::from_utf8_lossy(whole)
                .replace(['0', '1', '2'], "x")
                .into_bytes()
        },
    ];
    for path in Tree::paths().filter(|path| !path.ends_with("localtime")) {
        let file = tree.file(path);
        let content = std::fs::read(&file).unwrap();
        for make in contents {
            std::fs::write(&file, make(&content)).unwrap();
            let (families, _) = read(&mut tree.families());
            let points = families.iter().flat_map(|family| &family.points);
            let values: Vec<f64> = points.map(|point| point.value).collect();
            assert!(values.len() > 200, "{path}");
            assert!(values.iter().all(|value| value.is_finite()), "{path}");
        }
        std::fs::write(&file, content).unwrap();
    }
}

#[tokio::test]
async fn a_host_without_proc_is_all_gaps() {
    let tree = Tree::empty();
    let mut out = Gather::default();
    Host::new(tree.settings()).collect(&mut out).await.unwrap();
    let (families, gaps) = out.finish();
    let names: Vec<&str> = families.iter().map(|family| &*family.name).collect();
    // The clock needs no file, a host without /etc/localtime is on UTC, and no SELinux is none.
    assert_eq!(
        names,
        [
            "node_selinux_enabled",
            "node_time_seconds",
            "node_time_zone_offset_seconds"
        ]
    );
    let what: Vec<&str> = gaps.iter().map(|gap| &*gap.what).collect();
    assert_eq!(
        what,
        [
            "stat",
            "meminfo",
            "vmstat",
            "loadavg",
            "diskstats",
            "netdev",
            "netstat",
            "sockstat",
            "uname",
            "filefd",
            "filesystem"
        ]
    );
}

#[test]
fn processor_times_do_not_step_back() {
    let tree = Tree::empty();
    let mut families = tree.families();
    let mut seconds = |idle: u32, iowait: u32| -> Vec<f64> {
        let text = format!("cpu0 100 0 0 {idle} {iowait} 0 0 0 0 0\n");
        std::fs::write(tree.file("proc/stat"), text).unwrap();
        let (found, _) = read(&mut families);
        let name = "node_cpu_seconds_total";
        let family = found
            .into_iter()
            .find(|family| family.name == name)
            .unwrap();
        family
            .points
            .iter()
            .map(|point| point.value)
            .skip(3)
            .take(2)
            .collect()
    };
    assert_eq!(seconds(5000, 200), [50.0, 2.0]);
    assert_eq!(seconds(4990, 190), [50.0, 2.0], "a little back is none");
    assert_eq!(seconds(5010, 210), [50.1, 2.1]);
    assert_eq!(
        seconds(100, 10),
        [1.0, 0.1],
        "a processor plugged in again begins anew"
    );
}

#[test]
fn a_processor_that_is_off_has_no_line() {
    let tree = Tree::empty();
    let line = "00000001 ".repeat(12);
    let text = format!("{line}00000000\n{line}0000000a\n");
    std::fs::write(tree.file("proc/net/softnet_stat"), text).unwrap();
    let (families, gaps) = read(&mut tree.families());
    let all = lines(&families, &gaps);
    assert!(
        all.contains("counter node_softnet_processed_total cpu=\"10\" = 1"),
        "{all:?}"
    );
    assert!(
        !all.iter().any(|line| line.contains("cpu=\"1\"")),
        "{all:?}"
    );
}

/// Lets the thread that waits for a writer of this pipe go on.
fn release(pipe: &Path) {
    drop(File::options().write(true).open(pipe).unwrap());
}

#[tokio::test]
async fn a_file_that_hangs_is_an_error_and_the_thread_is_one() {
    let tree = Tree::recorded();
    let pipe = tree.file("proc/loadavg");
    std::fs::remove_file(&pipe).unwrap();
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let mut host = Host::new(Settings {
        timeout: Duration::from_millis(400),
        ..tree.settings()
    });
    for _ in 0..3 {
        let error = host.collect(&mut Gather::default()).await.unwrap_err();
        assert_eq!(error.message, "reading /proc and /sys does not end");
    }
    // A new file takes the pipe's place before the thread goes on to the request that waits.
    let released = tree.file("released");
    std::fs::rename(&pipe, &released).unwrap();
    std::fs::write(&pipe, "0.1 0.2 0.3 1/2 3\n").unwrap();
    release(&released);
    while host.collect(&mut Gather::default()).await.is_err() {}
}

#[tokio::test]
async fn a_collection_given_up_leaves_the_next_one_whole() {
    let tree = Tree::recorded();
    let mut host = Host::new(tree.settings());
    let mut given_up = Gather::default();
    let collect = host.collect(&mut given_up);
    assert!(tokio::time::timeout(Duration::ZERO, collect).await.is_err());
    let mut out = Gather::default();
    while host.collect(&mut out).await.is_err() {}
    assert!(out.series() > 300);
}
