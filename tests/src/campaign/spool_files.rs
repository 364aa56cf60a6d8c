//! What lies in an agent's spool, read from outside: which batches of which run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wire::frame::{self, Scan};

/// Where the run and the sequence stand in a record; `agent/src/spool/record.rs` specifies it.
const RUN: std::ops::Range<usize> = 12..28;
const SEQUENCE: std::ops::Range<usize> = 28..36;

/// The highest number of each run in the spool, the run in hexadecimal.
pub(super) fn highest(data: &Path) -> Result<BTreeMap<String, u64>> {
    let mut highest = BTreeMap::new();
    for segment in segments(data)? {
        let bytes = fs::read(&segment).with_context(|| format!("read {}", segment.display()))?;
        let mut at = 0;
        loop {
            match frame::scan(&bytes, at) {
                Scan::Record { body, next } => {
                    note(&mut highest, body);
                    at = next;
                }
                Scan::Damaged { next: Some(next) } => at = next,
                Scan::End | Scan::Torn | Scan::Damaged { next: None } => break,
            }
        }
    }
    Ok(highest)
}

fn note(highest: &mut BTreeMap<String, u64>, record: &[u8]) {
    let run = record.get(RUN).and_then(|bytes| bytes.try_into().ok());
    let sequence = record.get(SEQUENCE).and_then(|bytes| bytes.try_into().ok());
    if let (Some(run), Some(sequence)) = (run, sequence) {
        let run = wire::batch::RunId::from_bytes(run).to_string();
        let highest = highest.entry(run).or_insert(0);
        *highest = u64::from_le_bytes(sequence).max(*highest);
    }
}

/// The newest segment, to which the agent appends.
pub(super) fn newest(data: &Path) -> Result<Option<PathBuf>> {
    Ok(segments(data)?.pop())
}

fn segments(data: &Path) -> Result<Vec<PathBuf>> {
    let folder = data.join("spool");
    let Ok(entries) = fs::read_dir(&folder) else {
        return Ok(Vec::new());
    };
    let mut segments = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "seg") {
            segments.push(path);
        }
    }
    segments.sort();
    Ok(segments)
}
