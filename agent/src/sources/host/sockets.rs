//! The network stack: protocol counters, sockets, queues, connection tracking, neighbours.

use std::collections::BTreeMap;

use wire::metric::Kind;

use super::files::{Failure, Files, hexadecimal, number};
use crate::collect::Gather;

/// /proc/net/netstat, /proc/net/snmp and /proc/net/snmp6, of which the fields that people look at.
pub(super) fn protocols(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    let outcome = paired_lines("net/netstat", files, out);
    let outcome = outcome.and(paired_lines("net/snmp", files, out));
    // Without IPv6 there is no such file.
    match version_six(files, out) {
        Err(Failure::Absent(_)) => outcome,
        version_six => outcome.and(version_six),
    }
}

/// Lines in pairs: `Tcp: InSegs OutSegs`, then `Tcp: 7 9`.
fn paired_lines(name: &str, files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    let text = files.proc(name)?;
    let mut lines = text.lines();
    let mut well = true;
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        well &= pair(names, values, out).is_some();
    }
    drop(text);
    if well { Ok(()) } else { Err(files.malformed()) }
}

fn pair(names: &str, values: &str, out: &mut Gather) -> Option<()> {
    let (protocol, names) = names.split_once(':')?;
    let (again, values) = values.split_once(':')?;
    let mut values = values.split_ascii_whitespace();
    if protocol != again {
        return None;
    }
    for name in names.split_ascii_whitespace() {
        let value = values.next()?;
        if wanted(protocol, name) {
            statistic(protocol, name, number(value)?, out);
        }
    }
    Some(())
}

/// Lines of one field each: `Ip6InReceives 7`.
fn version_six(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    files.proc_lines("net/snmp6", |line| {
        let mut words = line.split_ascii_whitespace();
        let field = words.next()?;
        let Some(six) = field.find('6') else {
            return Some(());
        };
        let (protocol, name) = field.split_at(six + 1);
        if wanted(protocol, name) {
            statistic(protocol, name, number(words.next()?)?, out);
        }
        Some(())
    })
}

fn statistic(protocol: &str, name: &str, value: f64, out: &mut Gather) {
    out.family(
        format!("node_netstat_{protocol}_{name}"),
        format!("Statistic {protocol}{name}."),
        Kind::Untyped,
    )
    .value(value);
}

/// The fields that node_exporter gives, of the hundreds that there are.
fn wanted(protocol: &str, name: &str) -> bool {
    if matches!(name, "InErrors" | "InErrs") {
        return true;
    }
    match protocol {
        "Ip" => name == "Forwarding",
        "Ip6" | "IpExt" => matches!(name, "InOctets" | "OutOctets"),
        "Icmp" | "Icmp6" => matches!(name, "InMsgs" | "OutMsgs"),
        "Tcp" => matches!(
            name,
            "ActiveOpens"
                | "InSegs"
                | "OutSegs"
                | "OutRsts"
                | "PassiveOpens"
                | "RetransSegs"
                | "CurrEstab"
        ),
        "TcpExt" => {
            name.starts_with("Listen")
                || name.starts_with("Syncookies")
                || matches!(
                    name,
                    "TCPSynRetrans" | "TCPTimeouts" | "TCPOFOQueue" | "TCPRcvQDrop"
                )
        }
        "Udp" | "Udp6" => matches!(
            name,
            "InDatagrams" | "OutDatagrams" | "NoPorts" | "RcvbufErrors" | "SndbufErrors"
        ),
        _ => false,
    }
}

/// /proc/net/sockstat and sockstat6: how many sockets of each kind, and the memory they hold.
pub(super) fn sockets(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    let outcome = socket_lines("net/sockstat", files, out);
    match socket_lines("net/sockstat6", files, out) {
        Err(Failure::Absent(_)) => outcome,
        version_six => outcome.and(version_six),
    }
}

fn socket_lines(name: &str, files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    files.proc_lines(name, |line| {
        let (protocol, pairs) = line.split_once(':')?;
        let mut words = pairs.split_ascii_whitespace();
        while let Some(state) = words.next() {
            let value = number(words.next()?)?;
            if protocol == "sockets" {
                out.gauge(
                    "node_sockstat_sockets_used",
                    "Number of IPv4 sockets in use.",
                )
                .value(value);
                continue;
            }
            socket_state(protocol, state, value, out);
            if state == "mem" {
                let bytes = value * procfs::page_size() as f64;
                socket_state(protocol, "mem_bytes", bytes, out);
            }
        }
        Some(())
    })
}

fn socket_state(protocol: &str, state: &str, value: f64, out: &mut Gather) {
    out.gauge(
        format!("node_sockstat_{protocol}_{state}"),
        format!("Number of {protocol} sockets in state {state}."),
    )
    .value(value);
}

/// /proc/net/udp and udp6: the bytes that wait in UDP sockets.
pub(super) fn udp_queues(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    let outcome = udp_queue("net/udp", "v4", files, out);
    match udp_queue("net/udp6", "v6", files, out) {
        Err(Failure::Absent(_)) => outcome,
        version_six => outcome.and(version_six),
    }
}

fn udp_queue(
    name: &str,
    version: &'static str,
    files: &mut Files,
    out: &mut Gather,
) -> Result<(), Failure> {
    let mut waiting = [0.0, 0.0];
    let mut lines = 0;
    files.proc_lines(name, |line| {
        lines += 1;
        if lines == 1 {
            return Some(());
        }
        let (transmit, receive) = line.split_ascii_whitespace().nth(4)?.split_once(':')?;
        waiting[0] += hexadecimal(transmit)?;
        waiting[1] += hexadecimal(receive)?;
        Some(())
    })?;
    for (queue, bytes) in ["tx", "rx"].into_iter().zip(waiting) {
        out.gauge(
            "node_udp_queues",
            "Number of allocated memory in the kernel for UDP datagrams in bytes.",
        )
        .with([("queue", queue), ("ip", version)], bytes);
    }
    Ok(())
}

/// /proc/net/softnet_stat: packets taken from the cards, by processor.
pub(super) fn softnet(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    #[rustfmt::skip]
    const COLUMNS: [(usize, &str, Kind, &str); 7] = [
        (0, "node_softnet_processed_total", Kind::Counter, "Number of processed packets"),
        (1, "node_softnet_dropped_total", Kind::Counter, "Number of dropped packets"),
        (2, "node_softnet_times_squeezed_total", Kind::Counter, "Number of times processing packets ran out of quota"),
        (8, "node_softnet_cpu_collision_total", Kind::Counter, "Number of collision occur while obtaining device lock while transmitting"),
        (9, "node_softnet_received_rps_total", Kind::Counter, "Number of times cpu woken up received_rps"),
        (10, "node_softnet_flow_limit_count_total", Kind::Counter, "Number of times flow limit has been reached"),
        (11, "node_softnet_backlog_len", Kind::Gauge, "Softnet backlog status"),
    ];
    /// Where newer kernels say which processor a line is about; those that are off have no line.
    const CPU: usize = 12;
    let mut lines: u32 = 0;
    files.proc_lines("net/softnet_stat", |line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let cpu = match words.get(CPU) {
            Some(word) => hexadecimal(word)?.to_string(),
            None => lines.to_string(),
        };
        lines += 1;
        for (column, family, kind, help) in COLUMNS {
            let Some(word) = words.get(column) else { break };
            out.family(family, help, kind)
                .with([("cpu", cpu.clone())], hexadecimal(word)?);
        }
        Some(())
    })
}

/// The columns of the connection tracking statistics that are given, by their headings.
#[rustfmt::skip]
const CONNECTION_COLUMNS: [(&str, &str, &str); 8] = [
    ("found", "node_nf_conntrack_stat_found", "Number of searched entries which were successful."),
    ("invalid", "node_nf_conntrack_stat_invalid", "Number of packets seen which can not be tracked."),
    ("ignore", "node_nf_conntrack_stat_ignore", "Number of packets seen which are already connected to a conntrack entry."),
    ("insert", "node_nf_conntrack_stat_insert", "Number of entries inserted into the list."),
    ("insert_failed", "node_nf_conntrack_stat_insert_failed", "Number of entries for which list insertion was attempted but failed."),
    ("drop", "node_nf_conntrack_stat_drop", "Number of packets dropped due to conntrack failure."),
    ("early_drop", "node_nf_conntrack_stat_early_drop", "Number of dropped conntrack entries to make room for new ones, if maximum table size was reached."),
    ("search_restart", "node_nf_conntrack_stat_search_restart", "Number of conntrack table lookups which had to be restarted due to hashtable resizes."),
];

/// The connection tracking table, where its module is loaded.
pub(super) fn connection_tracking(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    let entries = files.proc_number("sys/net/netfilter/nf_conntrack_count")?;
    out.gauge(
        "node_nf_conntrack_entries",
        "Number of currently allocated flow entries for connection tracking.",
    )
    .value(entries);
    let limit = files.proc_number("sys/net/netfilter/nf_conntrack_max")?;
    out.gauge(
        "node_nf_conntrack_entries_limit",
        "Maximum size of connection tracking table.",
    )
    .value(limit);

    // One line of headings, then one a processor; which columns there are depends on the kernel.
    let mut headings: Vec<String> = Vec::new();
    let mut sums = [None; CONNECTION_COLUMNS.len()];
    let outcome = files.proc_lines("net/stat/nf_conntrack", |line| {
        let words = line.split_ascii_whitespace();
        if headings.is_empty() {
            headings.extend(words.map(str::to_owned));
            return Some(());
        }
        for (heading, word) in headings.iter().zip(words) {
            let place = CONNECTION_COLUMNS
                .iter()
                .position(|(name, _, _)| name == heading);
            if let Some(place) = place {
                sums[place] = Some(sums[place].unwrap_or(0.0) + hexadecimal(word)?);
            }
        }
        Some(())
    });
    for ((_, family, help), sum) in CONNECTION_COLUMNS.into_iter().zip(sums) {
        if let Some(sum) = sum {
            out.gauge(family, help).value(sum);
        }
    }
    outcome
}

/// /proc/net/arp: how many neighbours are known by each interface.
pub(super) fn neighbours(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    let mut entries: BTreeMap<String, u32> = BTreeMap::new();
    let outcome = files.proc_lines("net/arp", |line| {
        if !line.starts_with("IP address") {
            let device = line.split_ascii_whitespace().nth(5)?;
            *entries.entry(device.to_owned()).or_default() += 1;
        }
        Some(())
    });
    for (device, count) in entries {
        out.gauge("node_arp_entries", "ARP entries by device")
            .with([("device", device)], f64::from(count));
    }
    outcome
}
