//! Trees of files as kernels lay them out, and what is read of them.

use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::super::usage::{
    Cpu, DeviceIo, Interface, Limit, Memory, Pressure, Quota, Stall, Throttling, Traffic,
};
use super::*;

const ID: &str = "9512b3e2dbf7788679f76d5637ff62ddd0f8b1c576daa36aa6bc94ff418344c3";
const PID: u32 = 4711;

const DISKSTATS: &str = "   8       0 sda 100 0 200 0 300 0 400 0 0 0 0\n\
     254      16 vdb 1 0 2 0 3 0 4 0 0 0 0\n";

const NET_DEV: &str = "Inter-|   Receive                                                |  Transmit\n \
    face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
    lo:     100       2    0    0    0     0          0         0      100       2    0    0    0     0       0          0\n  \
    eth0: 1234567890123      11    1    2    0     0          0         0     4096      12    3    4    0     0       0          0\n";

/// A tree below a temporary folder; `ID` in paths and texts stands for the container's id.
struct Tree {
    folder: TempDir,
}

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        tree.add(&[
            ("proc/diskstats", DISKSTATS),
            ("proc/4711/net/dev", NET_DEV),
        ]);
        tree.add(files);
        tree
    }

    fn add(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = self.folder.path().join(path.replace("ID", ID));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replace("ID", ID)).unwrap();
        }
    }

    fn remove(&self, path: &str) {
        let path = self.folder.path().join(path.replace("ID", ID));
        fs::remove_file(path).unwrap();
    }

    fn read(&self) -> (Reading, Vec<(String, String)>) {
        let root = self.folder.path();
        let mut files = Files::new(&root.join("proc"), &root.join("cgroup"));
        files.read_devices();
        let reading = files.read(ID, PID, true);
        (reading, files.into_gaps().into_iter().collect())
    }

    /// Reads what must be readable without a gap.
    fn usage(&self) -> (String, Usage) {
        match self.read() {
            (Reading::Read { place, usage }, gaps) if gaps.is_empty() => (place, usage),
            other => panic!("{other:?}"),
        }
    }
}

/// What a Docker engine with the cgroupfs driver makes under version 1, beside an empty unified
/// hierarchy that keeps pressure.
const V1: [(&str, &str); 22] = [
    (
        "proc/4711/cgroup",
        "9:name=systemd:/docker/ID\n8:pids:/docker/ID\n7:blkio:/docker/ID\n5:devices:/docker/ID\n\
         4:memory:/docker/ID\n2:cpu,cpuacct:/docker/ID\n0::/docker/ID\n",
    ),
    (
        "cgroup/cpu,cpuacct/docker/ID/cpuacct.usage",
        "34468576000\n",
    ),
    (
        "cgroup/cpu,cpuacct/docker/ID/cpuacct.usage_user",
        "30000000000\n",
    ),
    (
        "cgroup/cpu,cpuacct/docker/ID/cpuacct.usage_sys",
        "4468576000\n",
    ),
    (
        "cgroup/cpu,cpuacct/docker/ID/cpuacct.stat",
        "user 3001\nsystem 446\n",
    ),
    ("cgroup/cpu,cpuacct/docker/ID/cpu.cfs_quota_us", "50000\n"),
    ("cgroup/cpu,cpuacct/docker/ID/cpu.cfs_period_us", "100000\n"),
    (
        "cgroup/cpu,cpuacct/docker/ID/cpu.stat",
        "nr_periods 700\nnr_throttled 650\nthrottled_time 32500000000\nnr_bursts 0\n",
    ),
    (
        "cgroup/memory/docker/ID/memory.usage_in_bytes",
        "50000000\n",
    ),
    (
        "cgroup/memory/docker/ID/memory.stat",
        "cache 1\nrss 2\ninactive_file 3\nhierarchical_memory_limit 67108864\n\
         total_cache 20000000\ntotal_rss 28000000\ntotal_mapped_file 4096\ntotal_swap 8192\n\
         total_inactive_file 15000000\n",
    ),
    (
        "cgroup/memory/docker/ID/memory.limit_in_bytes",
        "67108864\n",
    ),
    (
        "cgroup/memory/docker/ID/memory.max_usage_in_bytes",
        "60000000\n",
    ),
    ("cgroup/memory/docker/ID/memory.failcnt", "17\n"),
    (
        "cgroup/memory/docker/ID/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    ),
    (
        "cgroup/blkio/docker/ID/blkio.throttle.io_service_bytes_recursive",
        "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 12288\n8:0 Async 0\n8:0 Discard 0\n8:0 Total 12288\n\
         259:3 Write 512\n259:3 Total 512\nTotal 12800\n",
    ),
    (
        "cgroup/blkio/docker/ID/blkio.throttle.io_serviced_recursive",
        "8:0 Read 1\n8:0 Write 2\n8:0 Total 3\nTotal 3\n",
    ),
    ("cgroup/pids/docker/ID/pids.current", "5\n"),
    ("cgroup/pids/docker/ID/pids.max", "max\n"),
    ("cgroup/pids/docker/ID/cgroup.procs", "4711\n4712\n"),
    ("cgroup/pids/docker/ID/init.scope/cgroup.procs", "4713\n"),
    ("cgroup/unified/docker/ID/cgroup.procs", "4711\n"),
    (
        "cgroup/unified/docker/ID/io.pressure",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n\
         full avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n",
    ),
];

#[test]
fn reads_version_1() {
    let (place, usage) = Tree::new(&V1).usage();
    assert_eq!(place, format!("/docker/{ID}"));
    let expected = Usage {
        cpu: Some(cpu_of_version_1()),
        memory: Some(memory_of_version_1()),
        io: Some(vec![
            DeviceIo {
                device: "/dev/sda".into(),
                read_bytes: 4096,
                written_bytes: 8192,
                reads: Some(1),
                writes: Some(2),
            },
            DeviceIo {
                device: "259:3".into(),
                read_bytes: 0,
                written_bytes: 512,
                reads: None,
                writes: None,
            },
        ]),
        network: Some(vec![eth0()]),
        processes: Some(3),
        threads: Some(5),
        threads_max: Some(None),
        pressure: Some(Pressure {
            cpu: None,
            memory: None,
            io: Some(Stall {
                some: Duration::from_millis(1500),
                full: Some(Duration::from_secs(1)),
            }),
        }),
    };
    assert_eq!(
        usage.memory.as_ref().unwrap().working_set(),
        Some(35_000_000)
    );
    assert_eq!(usage, expected);
}

fn cpu_of_version_1() -> Cpu {
    Cpu {
        total: Duration::from_nanos(34_468_576_000),
        user: Some(Duration::from_secs(30)),
        system: Some(Duration::from_nanos(4_468_576_000)),
        quota: Some(Quota {
            share: Duration::from_millis(50),
            period: Duration::from_millis(100),
        }),
        throttling: Some(Throttling {
            periods: 700,
            throttled_periods: 650,
            throttled: Duration::from_millis(32_500),
        }),
    }
}

fn memory_of_version_1() -> Memory {
    Memory {
        usage: 50_000_000,
        inactive_file: Some(15_000_000),
        rss: Some(28_000_000),
        cache: Some(20_000_000),
        mapped_file: Some(4096),
        swap: Some(8192),
        max_usage: Some(60_000_000),
        limit: Limit::Bytes(67_108_864),
        failures: Some(17),
        oom_kills: Some(2),
    }
}

fn eth0() -> Interface {
    Interface {
        name: "eth0".into(),
        receive: Traffic {
            bytes: 1_234_567_890_123,
            packets: 11,
            errors: 1,
            dropped: 2,
        },
        transmit: Traffic {
            bytes: 4096,
            packets: 12,
            errors: 3,
            dropped: 4,
        },
    }
}

#[test]
fn version_1_of_an_older_kernel_has_less() {
    let tree = Tree::new(&V1);
    let cpu = "cgroup/cpu,cpuacct/docker/ID";
    tree.remove(&format!("{cpu}/cpuacct.usage_user"));
    tree.add(&[
        (&format!("{cpu}/cpu.cfs_quota_us"), "-1\n"),
        (
            "cgroup/memory/docker/ID/memory.limit_in_bytes",
            "9223372036854771712\n",
        ),
        (
            "cgroup/memory/docker/ID/memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\n",
        ),
        ("cgroup/memory/docker/ID/memory.usage_in_bytes", "1000\n"),
        (
            "cgroup/blkio/docker/ID/blkio.throttle.io_service_bytes",
            "254:16 Read 7\n",
        ),
    ]);
    let throttle = "cgroup/blkio/docker/ID/blkio.throttle";
    tree.remove(&format!("{throttle}.io_service_bytes_recursive"));
    tree.remove(&format!("{throttle}.io_serviced_recursive"));
    let (_, usage) = tree.usage();
    let cpu = usage.cpu.unwrap();
    assert_eq!(cpu.user, Some(Duration::from_millis(30_010)));
    assert_eq!(cpu.system, Some(Duration::from_millis(4_460)));
    assert_eq!(cpu.quota, None);
    let memory = usage.memory.unwrap();
    assert_eq!((memory.limit, memory.oom_kills), (Limit::None, None));
    // More page cache than use: the two are read moments apart.
    assert_eq!(memory.working_set(), Some(0));
    let io = usage.io.unwrap();
    assert_eq!(
        (io[0].device.as_str(), io[0].read_bytes, io[0].reads),
        ("/dev/vdb", 7, None)
    );
}

/// What a Docker engine with the systemd driver makes under version 2.
const V2: [(&str, &str); 15] = [
    ("proc/4711/cgroup", "0::/system.slice/docker-ID.scope\n"),
    (
        "cgroup/system.slice/docker-ID.scope/cpu.stat",
        "usage_usec 5000000\nuser_usec 4000000\nsystem_usec 1000000\nnr_periods 9\nnr_throttled 8\n\
         throttled_usec 7000000\n",
    ),
    (
        "cgroup/system.slice/docker-ID.scope/cpu.max",
        "150000 100000\n",
    ),
    (
        "cgroup/system.slice/docker-ID.scope/memory.current",
        "3000\n",
    ),
    (
        "cgroup/system.slice/docker-ID.scope/memory.stat",
        "anon 1500\nfile 1400\nkernel 100\nfile_mapped 40\ninactive_file 1000\nactive_file 400\n",
    ),
    (
        "cgroup/system.slice/docker-ID.scope/memory.max",
        "67108864\n",
    ),
    ("cgroup/system.slice/docker-ID.scope/memory.peak", "4000\n"),
    (
        "cgroup/system.slice/docker-ID.scope/memory.swap.current",
        "50\n",
    ),
    (
        "cgroup/system.slice/docker-ID.scope/memory.events",
        "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n",
    ),
    (
        "cgroup/system.slice/docker-ID.scope/io.stat",
        "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n254:16 \n259:3 cost.usage=1\n",
    ),
    ("cgroup/system.slice/docker-ID.scope/pids.current", "5\n"),
    ("cgroup/system.slice/docker-ID.scope/pids.max", "100\n"),
    (
        "cgroup/system.slice/docker-ID.scope/cgroup.procs",
        "4711\n4712\n",
    ),
    (
        "cgroup/system.slice/docker-ID.scope/cpu.pressure",
        "some avg10=1.50 avg60=0.00 avg300=0.00 total=2500000\n",
    ),
    (
        "cgroup/system.slice/docker-ID.scope/memory.pressure",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=3\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=2\n",
    ),
];

#[test]
fn reads_version_2() {
    let (place, usage) = Tree::new(&V2).usage();
    assert_eq!(place, format!("/system.slice/docker-{ID}.scope"));
    let expected = Usage {
        cpu: Some(Cpu {
            total: Duration::from_secs(5),
            user: Some(Duration::from_secs(4)),
            system: Some(Duration::from_secs(1)),
            quota: Some(Quota {
                share: Duration::from_millis(150),
                period: Duration::from_millis(100),
            }),
            throttling: Some(Throttling {
                periods: 9,
                throttled_periods: 8,
                throttled: Duration::from_secs(7),
            }),
        }),
        memory: Some(Memory {
            usage: 3000,
            inactive_file: Some(1000),
            rss: Some(1500),
            cache: Some(1400),
            mapped_file: Some(40),
            swap: Some(50),
            max_usage: Some(4000),
            limit: Limit::Bytes(67_108_864),
            failures: Some(12),
            oom_kills: Some(2),
        }),
        io: Some(vec![DeviceIo {
            device: "/dev/sda".into(),
            read_bytes: 4096,
            written_bytes: 8192,
            reads: Some(1),
            writes: Some(2),
        }]),
        network: Some(vec![eth0()]),
        processes: Some(2),
        threads: Some(5),
        threads_max: Some(Some(100)),
        pressure: Some(Pressure {
            cpu: Some(Stall {
                some: Duration::from_millis(2500),
                full: None,
            }),
            memory: Some(Stall {
                some: Duration::from_micros(3),
                full: Some(Duration::from_micros(2)),
            }),
            io: None,
        }),
    };
    assert_eq!(usage, expected);
}

#[test]
fn version_2_without_limits() {
    let tree = Tree::new(&V2);
    let group = "cgroup/system.slice/docker-ID.scope";
    tree.add(&[
        (&format!("{group}/cpu.max"), "max 100000\n"),
        (&format!("{group}/memory.max"), "max\n"),
    ]);
    tree.remove(&format!("{group}/memory.swap.current"));
    tree.remove(&format!("{group}/memory.peak"));
    let (_, usage) = tree.usage();
    assert_eq!(usage.cpu.unwrap().quota, None);
    let memory = usage.memory.unwrap();
    assert_eq!(
        (memory.limit, memory.swap, memory.max_usage),
        (Limit::None, None, None)
    );
}

#[test]
fn a_group_counts_only_where_it_names_the_container() {
    for (path, expected) in [
        ("/docker/ID", Some("/docker/ID")),
        (
            "/system.slice/docker-ID.scope/init.scope",
            Some("/system.slice/docker-ID.scope"),
        ),
        (
            "/machine.slice/libpod-ID.scope/container",
            Some("/machine.slice/libpod-ID.scope"),
        ),
        ("/user.slice/ssh.service", None),
        ("/", None),
        ("/../../docker/ID", None),
    ] {
        let path = path.replace("ID", ID);
        let expected = expected.map(|expected| expected.replace("ID", ID));
        assert_eq!(up_to_container(&path, ID), expected.as_deref(), "{path}");
    }
    assert_eq!(up_to_container("/docker/x", ""), None);
}

#[test]
fn what_cannot_be_reached_is_not_read() {
    // The process has gone; it is another's; its groups are not visible; the file is hostile.
    for groups in [
        None,
        Some("0::/user.slice/ssh.service\n"),
        Some("0::/system.slice/elsewhere-ID.scope\n"),
        Some("4:memory:/elsewhere/ID\n"),
        Some(""),
        Some(":::\n\n4:memory\n\u{0}\n"),
    ] {
        let tree = Tree::new(&V2);
        match groups {
            Some(groups) => tree.add(&[("proc/4711/cgroup", groups)]),
            None => tree.remove("proc/4711/cgroup"),
        }
        assert_eq!(
            tree.read(),
            (Reading::Unreachable, Vec::new()),
            "{groups:?}"
        );
    }
}

#[test]
fn a_part_that_cannot_be_read_is_a_gap_and_the_rest_is_told() {
    let group = "cgroup/system.slice/docker-ID.scope";
    for (file, text, part) in [
        ("memory.current", None, "memory"),
        ("memory.current", Some("many"), "memory"),
        ("cpu.stat", Some("usage_usec many\n"), "cpu"),
        ("cpu.stat", Some(""), "cpu"),
        ("io.stat", None, "io"),
        ("cgroup.procs", None, "processes"),
    ] {
        let tree = Tree::new(&V2);
        let file = format!("{group}/{file}");
        match text {
            Some(text) => tree.add(&[(&file, text)]),
            None => tree.remove(&file),
        }
        let (Reading::Read { usage, .. }, gaps) = tree.read() else {
            panic!("{file} made everything unreadable");
        };
        let parts: Vec<&str> = gaps.iter().map(|(part, _)| part.as_str()).collect();
        assert_eq!(parts, [format!("container {part}")]);
        let missing = [
            usage.cpu.is_none(),
            usage.memory.is_none(),
            usage.io.is_none(),
            usage.processes.is_none(),
        ];
        assert_eq!(
            missing.iter().filter(|missing| **missing).count(),
            1,
            "{usage:?}"
        );
    }
}

#[test]
fn a_container_that_dies_while_it_is_read_is_no_gap() {
    let tree = Tree::new(&V2);
    tree.remove("cgroup/system.slice/docker-ID.scope/cpu.stat");
    // The folder of the process is what tells; keep only the file that was read already.
    let process = tree.folder.path().join("proc/4711");
    let groups = fs::read(process.join("cgroup")).unwrap();
    fs::remove_dir_all(&process).unwrap();
    let mut files = Files::new(
        &tree.folder.path().join("proc"),
        &tree.folder.path().join("cgroup"),
    );
    let place = locate(
        std::str::from_utf8(&groups).unwrap(),
        ID,
        &files.cgroup_root,
    )
    .unwrap();
    let (_, failures) = files.read_groups(&place);
    assert!(!failures.is_empty());
    assert_eq!(files.read(ID, PID, true), Reading::Unreachable);
    assert_eq!(files.into_gaps().into_iter().count(), 0);
}

#[test]
fn torn_and_hostile_tables_are_survived() {
    assert!(network::interfaces("eth0: 1 2 3\neth1 5\n: : :\neth2: a b c d\n").is_empty());
    assert!(devices("8 0\n\n8\n").is_empty());
    let tree = Tree::new(&V2);
    let huge = "8:0 rbytes=1 wbytes=1\n".repeat(100_000);
    tree.add(&[
        ("cgroup/system.slice/docker-ID.scope/io.stat", &huge),
        (
            "cgroup/system.slice/docker-ID.scope/cpu.pressure",
            "some\nfull total=\n",
        ),
    ]);
    let (_, usage) = tree.usage();
    assert_eq!(usage.pressure.unwrap().cpu, None);
    // Read up to the bound.
    assert!(usage.io.unwrap().len() < 60_000);
}
