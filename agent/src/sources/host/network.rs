//! Network interfaces: traffic from /proc/net/dev, state and settings from /sys/class/net, bonds.

use wire::metric::Kind::{self, Counter, Gauge};
use wire::metric::Text;

use super::files::{Failure, Files, number};
use super::settings::Settings;
use crate::collect::Gather;

/// The columns of /proc/net/dev behind the interface's name.
#[rustfmt::skip]
const TRAFFIC: [(&str, &str); 16] = [
    ("node_network_receive_bytes_total", "Network device statistic receive_bytes."),
    ("node_network_receive_packets_total", "Network device statistic receive_packets."),
    ("node_network_receive_errs_total", "Network device statistic receive_errs."),
    ("node_network_receive_drop_total", "Network device statistic receive_drop."),
    ("node_network_receive_fifo_total", "Network device statistic receive_fifo."),
    ("node_network_receive_frame_total", "Network device statistic receive_frame."),
    ("node_network_receive_compressed_total", "Network device statistic receive_compressed."),
    ("node_network_receive_multicast_total", "Network device statistic receive_multicast."),
    ("node_network_transmit_bytes_total", "Network device statistic transmit_bytes."),
    ("node_network_transmit_packets_total", "Network device statistic transmit_packets."),
    ("node_network_transmit_errs_total", "Network device statistic transmit_errs."),
    ("node_network_transmit_drop_total", "Network device statistic transmit_drop."),
    ("node_network_transmit_fifo_total", "Network device statistic transmit_fifo."),
    ("node_network_transmit_colls_total", "Network device statistic transmit_colls."),
    ("node_network_transmit_carrier_total", "Network device statistic transmit_carrier."),
    ("node_network_transmit_compressed_total", "Network device statistic transmit_compressed."),
];

/// The numbers of /sys/class/net/INTERFACE.
#[rustfmt::skip]
const ATTRIBUTES: [(&str, &str, Kind, &str); 17] = [
    ("addr_assign_type", "node_network_address_assign_type", Gauge, "Network device property: address_assign_type"),
    ("carrier", "node_network_carrier", Gauge, "Network device property: carrier"),
    ("carrier_changes", "node_network_carrier_changes_total", Counter, "Network device property: carrier_changes_total"),
    ("carrier_up_count", "node_network_carrier_up_changes_total", Counter, "Network device property: carrier_up_changes_total"),
    ("carrier_down_count", "node_network_carrier_down_changes_total", Counter, "Network device property: carrier_down_changes_total"),
    ("dev_id", "node_network_device_id", Gauge, "Network device property: device_id"),
    ("dormant", "node_network_dormant", Gauge, "Network device property: dormant"),
    ("flags", "node_network_flags", Gauge, "Network device property: flags"),
    ("ifindex", "node_network_iface_id", Gauge, "Network device property: iface_id"),
    ("iflink", "node_network_iface_link", Gauge, "Network device property: iface_link"),
    ("link_mode", "node_network_iface_link_mode", Gauge, "Network device property: iface_link_mode"),
    ("mtu", "node_network_mtu_bytes", Gauge, "Network device property: mtu_bytes"),
    ("name_assign_type", "node_network_name_assign_type", Gauge, "Network device property: name_assign_type"),
    ("netdev_group", "node_network_net_dev_group", Gauge, "Network device property: net_dev_group"),
    ("speed", "node_network_speed_bytes", Gauge, "Network device property: speed_bytes"),
    ("tx_queue_len", "node_network_transmit_queue_length", Gauge, "Network device property: transmit_queue_length"),
    ("type", "node_network_protocol_type", Gauge, "Network device property: protocol_type"),
];

/// `speed` is in megabits a second.
const BYTES_PER_MEGABIT: f64 = 125_000.0;

/// The bit of `flags` that an administrator sets with `ip link set up`.
const ADMINISTRATIVELY_UP: u64 = 1;

/// /proc/net/dev: what went through each interface.
pub(super) fn traffic(
    files: &mut Files,
    settings: &Settings,
    out: &mut Gather,
) -> Result<(), Failure> {
    let mut devices = Vec::new();
    let outcome = files.proc_lines("net/dev", |line| {
        // Two lines of headings have bars; a name may itself have a colon, an alias say.
        if line.contains('|') {
            return Some(());
        }
        let (device, values) = line.rsplit_once(':')?;
        let device = device.trim();
        if settings.network_ignore.matches(device) {
            return Some(());
        }
        let mut words = values.split_ascii_whitespace();
        for (family, help) in TRAFFIC {
            out.counter(family, help)
                .with([("device", device.to_owned())], number(words.next()?)?);
        }
        devices.push(device.to_owned());
        Some(())
    });
    for device in devices {
        let file = format!("class/net/{device}/statistics/rx_nohandler");
        if let Some(value) = files.sys_number(&file) {
            out.counter(
                "node_network_receive_nohandler_total",
                "Network device statistic receive_nohandler.",
            )
            .with([("device", device)], value);
        }
    }
    outcome
}

/// /sys/class/net: how each interface is set up, and in which state it is.
pub(super) fn interfaces(
    files: &mut Files,
    settings: &Settings,
    out: &mut Gather,
) -> Result<(), Failure> {
    for device in files.sys_folders("class/net")? {
        if settings.network_ignore.matches(&device) {
            continue;
        }
        let mut path = format!("class/net/{device}/");
        let folder = path.len();
        let mut flags = None;
        for (attribute, family, kind, help) in ATTRIBUTES {
            path.truncate(folder);
            path.push_str(attribute);
            let Ok(text) = files.sys(&path) else { continue };
            let Some(mut value) = whole(&text) else {
                continue;
            };
            match attribute {
                "flags" => flags = Some(value as u64),
                "speed" => value *= BYTES_PER_MEGABIT,
                _ => {}
            }
            out.family(family, help, kind)
                .with([("device", device.clone())], value);
        }
        state(&device, flags, files, out);
    }
    Ok(())
}

/// What of an interface is text: addresses and states.
fn state(device: &str, flags: Option<u64>, files: &mut Files, out: &mut Gather) {
    let mut text = |attribute: &str| -> Text {
        let text = files.sys_text(&format!("class/net/{device}/{attribute}"));
        text.unwrap_or_default().into()
    };
    let operstate = text("operstate");
    let adminstate = match flags {
        None => "unknown",
        Some(flags) if flags & ADMINISTRATIVELY_UP != 0 => "up",
        Some(_) => "down",
    };
    out.gauge(
        "node_network_up",
        "Value is 1 if operstate is 'up', 0 otherwise.",
    )
    .with(
        [("device", device.to_owned())],
        f64::from(u8::from(operstate == "up")),
    );
    let labels = [
        ("device", device.to_owned().into()),
        ("address", text("address")),
        ("broadcast", text("broadcast")),
        ("duplex", text("duplex")),
        ("operstate", operstate),
        ("adminstate", adminstate.into()),
        ("ifalias", text("ifalias")),
    ];
    out.gauge(
        "node_network_info",
        "Non-numeric data from /sys/class/net/<iface>, value is always 1.",
    )
    .with(labels, 1.0);
}

/// A whole number, decimal or `0x` and hexadecimal.
fn whole(text: &str) -> Option<f64> {
    match text.strip_prefix("0x") {
        Some(digits) => super::files::hexadecimal(digits),
        None => number(text),
    }
}

/// Bonds: how many interfaces each has, and how many of them have a link.
pub(super) fn bonds(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    let masters = files.sys("class/net/bonding_masters")?.into_owned();
    for master in masters.split_ascii_whitespace() {
        let slaves = files
            .sys(&format!("class/net/{master}/bonding/slaves"))?
            .into_owned();
        let mut all = 0.0;
        let mut active = 0.0;
        for slave in slaves.split_ascii_whitespace() {
            // Kernels before 3.13 named the link to the interface `slave_`.
            let status = ["lower", "slave"].into_iter().find_map(|link| {
                files.sys_text(&format!(
                    "class/net/{master}/{link}_{slave}/bonding_slave/mii_status"
                ))
            });
            all += 1.0;
            active += f64::from(u8::from(status.as_deref() == Some("up")));
        }
        out.gauge(
            "node_bonding_slaves",
            "Number of configured slaves per bonding interface.",
        )
        .with([("master", master.to_owned())], all);
        out.gauge(
            "node_bonding_active",
            "Number of active slaves per bonding interface.",
        )
        .with([("master", master.to_owned())], active);
    }
    Ok(())
}
