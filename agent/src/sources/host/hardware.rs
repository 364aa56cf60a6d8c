//! Hardware that fails or overheats: temperatures, memory errors, software RAID.

use super::files::{Failure, Files, number};
use crate::collect::Gather;

/// Temperatures by zone, and how far the cooling of each device is turned up.
pub(super) fn thermal(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    const FOLDER: &str = "class/thermal";
    for folder in files.sys_folders(FOLDER)? {
        let path = format!("{FOLDER}/{folder}");
        let kind = files.sys_text(&format!("{path}/type")).unwrap_or_default();
        if let Some(zone) = folder.strip_prefix("thermal_zone") {
            // A sensor that is switched off refuses to be read.
            if let Some(temperature) = files.sys_number(&format!("{path}/temp")) {
                out.gauge("node_thermal_zone_temp", "Zone temperature in Celsius")
                    .with(
                        [("zone", zone.to_owned()), ("type", kind)],
                        temperature / 1000.0,
                    );
            }
        } else if let Some(name) = folder.strip_prefix("cooling_device") {
            let labels = [("name", name.to_owned()), ("type", kind)];
            if let Some(state) = files.sys_number(&format!("{path}/cur_state")) {
                out.gauge(
                    "node_cooling_device_cur_state",
                    "Current throttle state of the cooling device",
                )
                .with(labels.clone(), state);
            }
            if let Some(state) = files.sys_number(&format!("{path}/max_state")) {
                out.gauge(
                    "node_cooling_device_max_state",
                    "Maximum throttle state of the cooling device",
                )
                .with(labels, state);
            }
        }
    }
    Ok(())
}

/// Errors that the memory controllers corrected, and those that they could not.
pub(super) fn memory_errors(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    const FOLDER: &str = "devices/system/edac/mc";
    for folder in files.sys_folders(FOLDER)? {
        let Some(controller) = numbered(&folder, "mc") else {
            continue;
        };
        let path = format!("{FOLDER}/{folder}");
        for (file, family, help) in [
            (
                "ce_count",
                "node_edac_correctable_errors_total",
                "Total correctable memory errors.",
            ),
            (
                "ue_count",
                "node_edac_uncorrectable_errors_total",
                "Total uncorrectable memory errors.",
            ),
        ] {
            if let Some(count) = files.sys_number(&format!("{path}/{file}")) {
                out.counter(family, help)
                    .with([("controller", controller.to_owned())], count);
            }
        }
        row_errors(&path, "noinfo_count", [controller, "unknown"], files, out);
        for folder in files.sys_folders(&path)? {
            if let Some(row) = numbered(&folder, "csrow") {
                let path = format!("{path}/{folder}");
                row_errors(&path, "count", [controller, row], files, out);
            }
        }
    }
    Ok(())
}

/// The errors of one row of memory chips, or those of which the row is not known.
fn row_errors(folder: &str, file: &str, row: [&str; 2], files: &mut Files, out: &mut Gather) {
    for (errors, family, help) in [
        (
            "ce",
            "node_edac_csrow_correctable_errors_total",
            "Total correctable memory errors for this csrow.",
        ),
        (
            "ue",
            "node_edac_csrow_uncorrectable_errors_total",
            "Total uncorrectable memory errors for this csrow.",
        ),
    ] {
        if let Some(count) = files.sys_number(&format!("{folder}/{errors}_{file}")) {
            let labels = [
                ("controller", row[0].to_owned()),
                ("csrow", row[1].to_owned()),
            ];
            out.counter(family, help).with(labels, count);
        }
    }
}

/// `0` of `mc0`.
fn numbered<'a>(folder: &'a str, prefix: &str) -> Option<&'a str> {
    let digits = folder.strip_prefix(prefix)?;
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then_some(digits)
}

/// A software RAID as /proc/mdstat shows it.
#[derive(Debug, Default, PartialEq)]
struct Array {
    device: String,
    state: &'static str,
    required: f64,
    active: f64,
    failed: f64,
    spare: f64,
    blocks: f64,
    synced: f64,
}

/// The states that an array can be in.
const STATES: [&str; 5] = ["active", "inactive", "recovering", "resync", "check"];

/// /proc/mdstat: which arrays lack disks, and how far their repair is.
pub(super) fn software_raid(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    let text = files.proc("mdstat")?;
    let lines: Vec<&str> = text.lines().collect();
    let mut well = true;
    for (index, line) in lines.iter().enumerate() {
        let heading = line.starts_with("Personalities") || line.starts_with("unused");
        if heading || line.trim().is_empty() || line.starts_with([' ', '\t']) {
            continue;
        }
        match array(line, &lines[index + 1..]) {
            Some(array) => report_array(&array, out),
            None => well = false,
        }
    }
    drop(text);
    if well { Ok(()) } else { Err(files.malformed()) }
}

/// `md0 : active raid1 sdb1[1] sda1[0](F)`, then `1024 blocks super 1.2 [2/1] [U_]`, then what may
/// be going on.
fn array(line: &str, following: &[&str]) -> Option<Array> {
    let mut words = line.split_ascii_whitespace();
    let device = words.next()?;
    let state = match words.nth(1)? {
        "active" => "active",
        "inactive" => "inactive",
        _ => return None,
    };
    let status = following.first()?;
    let blocks = number(status.split_ascii_whitespace().next()?)?;
    let mut array = Array {
        device: device.to_owned(),
        state,
        failed: line.matches("(F)").count() as f64,
        spare: line.matches("(S)").count() as f64,
        blocks,
        synced: blocks,
        ..Array::default()
    };
    if line.contains("raid0") || line.contains("linear") {
        // Without redundancy all disks are needed, and each stands with its number in brackets.
        array.required = line.matches('[').count() as f64;
        array.active = array.required;
    } else if state == "active" {
        let (required, active) = disks(status)?;
        array.required = required;
        array.active = active;
    }
    progress(&mut array, following.get(1..).unwrap_or_default())?;
    Some(array)
}

/// The `[3/2]` of a status line: how many disks there should be, and how many are.
fn disks(status: &str) -> Option<(f64, f64)> {
    let mut bracketed = status.split('[').filter_map(|part| part.split_once(']'));
    bracketed.find_map(|(inside, _)| {
        let (required, active) = inside.split_once('/')?;
        Some((number(required)?, number(active)?))
    })
}

/// What the lines below the status line say of a repair under way.
fn progress(array: &mut Array, lines: &[&str]) -> Option<()> {
    let own = lines
        .iter()
        .take_while(|line| line.starts_with([' ', '\t']));
    for line in own {
        array.state = if line.contains("recovery") {
            "recovering"
        } else if line.contains("check") {
            "check"
        } else if line.contains("resync") {
            "resync"
        } else {
            continue;
        };
        array.synced = if line.contains("PENDING") || line.contains("DELAYED") {
            0.0
        } else {
            let (_, after) = line.split_once('(')?;
            number(after.split_once('/')?.0)?
        };
        return Some(());
    }
    Some(())
}

fn report_array(array: &Array, out: &mut Gather) {
    let device = || ("device", array.device.clone());
    out.gauge("node_md_disks_required", "Total number of disks of device.")
        .with([device()], array.required);
    for (state, count) in [
        ("active", array.active),
        ("failed", array.failed),
        ("spare", array.spare),
    ] {
        out.gauge(
            "node_md_disks",
            "Number of active/failed/spare disks of device.",
        )
        .with([device(), ("state", state.to_owned())], count);
    }
    for state in STATES {
        out.gauge("node_md_state", "Indicates the state of md-device.")
            .with(
                [device(), ("state", state.to_owned())],
                f64::from(u8::from(array.state == state)),
            );
    }
    out.gauge("node_md_blocks", "Total number of blocks on device.")
        .with([device()], array.blocks);
    out.gauge(
        "node_md_blocks_synced",
        "Number of blocks synced on device.",
    )
    .with([device()], array.synced);
}
