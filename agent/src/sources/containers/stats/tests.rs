//! Statistics as engines of both versions of control groups give them.

use serde_json::{Value, json};

use super::*;

fn read(answer: Value) -> Option<Usage> {
    usage(serde_json::from_value(answer).unwrap(), true)
}

fn version_1() -> Value {
    json!({
        "read": "2026-11-21T03:48:56.567042943Z",
        "pids_stats": { "current": 5, "limit": 100 },
        "blkio_stats": {
            "io_service_bytes_recursive": [
                { "major": 8, "minor": 0, "op": "Read", "value": 4096 },
                { "major": 8, "minor": 0, "op": "Write", "value": 512 },
                { "major": 8, "minor": 0, "op": "Total", "value": 4608 },
            ],
            "io_serviced_recursive": [{ "major": 8, "minor": 0, "op": "Read", "value": 1 }],
        },
        "cpu_stats": {
            "cpu_usage": {
                "total_usage": 3_000_000_000_u64, "usage_in_kernelmode": 1_000_000_000,
                "usage_in_usermode": 2_000_000_000,
            },
            "system_cpu_usage": 3_202_260_000_000_u64, "online_cpus": 2,
            "throttling_data": { "periods": 3, "throttled_periods": 2, "throttled_time": 1_000_000_000 },
        },
        "memory_stats": {
            "usage": 1000, "max_usage": 2000, "failcnt": 4, "limit": 33_554_432,
            "stats": { "total_inactive_file": 300, "total_rss": 50, "total_cache": 400, "cache": 1 },
        },
        "networks": { "eth0": {
            "rx_bytes": 1, "rx_packets": 2, "rx_errors": 3, "rx_dropped": 4,
            "tx_bytes": 5, "tx_packets": 6, "tx_errors": 7, "tx_dropped": 8,
        } },
    })
}

#[test]
fn reads_version_1() {
    let read = read(version_1()).unwrap();
    let cpu = read.cpu.unwrap();
    assert_eq!(cpu.total, Duration::from_secs(3));
    assert_eq!(
        (cpu.user, cpu.system),
        (Some(Duration::from_secs(2)), Some(Duration::from_secs(1)))
    );
    let memory = read.memory.unwrap();
    assert_eq!((memory.usage, memory.working_set()), (1000, Some(700)));
    assert_eq!(
        (memory.rss, memory.cache, memory.failures),
        (Some(50), Some(400), Some(4))
    );
    assert_eq!(memory.limit, Limit::Unknown);
    let io = read.io.unwrap();
    assert_eq!(
        (io[0].device.as_str(), io[0].read_bytes, io[0].written_bytes),
        ("8:0", 4096, 512)
    );
    assert_eq!(io[0].reads, Some(1));
    let network = read.network.unwrap();
    assert_eq!(
        (network[0].receive.dropped, network[0].transmit.bytes),
        (4, 5)
    );
    assert_eq!((read.threads, read.threads_max), (Some(5), Some(Some(100))));
}

#[test]
fn reads_version_2() {
    let mut answer = version_1();
    answer["memory_stats"] = json!({
        "usage": 1000, "limit": 33_554_432,
        "stats": { "inactive_file": 300, "anon": 50, "file": 400, "file_mapped": 7 },
    });
    answer["blkio_stats"] = json!({
        "io_service_bytes_recursive": [{ "major": 8, "minor": 0, "op": "read", "value": 4096 }],
        "io_serviced_recursive": null,
    });
    answer["pids_stats"]["limit"] = json!(u64::MAX);
    let read = read(answer).unwrap();
    let memory = read.memory.unwrap();
    assert_eq!(
        (memory.working_set(), memory.rss, memory.cache),
        (Some(700), Some(50), Some(400))
    );
    assert_eq!((memory.mapped_file, memory.max_usage), (Some(7), None));
    let io = read.io.unwrap();
    assert_eq!((io[0].read_bytes, io[0].reads), (4096, None));
    assert_eq!(read.threads_max, Some(None));
}

#[test]
fn zeros_about_a_container_that_has_stopped_are_not_told() {
    let stopped = json!({
        "read": "0001-01-01T00:00:00Z", "pids_stats": {}, "num_procs": 0, "memory_stats": {},
        "blkio_stats": { "io_service_bytes_recursive": null },
        "cpu_stats": { "cpu_usage": { "total_usage": 0 }, "throttling_data": { "periods": 0 } },
    });
    assert_eq!(read(stopped), None);
    assert_eq!(read(json!({})), None);
}

#[test]
fn a_network_of_another_is_not_told() {
    let answer = serde_json::from_value(version_1()).unwrap();
    assert_eq!(usage(answer, false).unwrap().network, None);
}
