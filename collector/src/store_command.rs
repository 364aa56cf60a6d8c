//! `nightshift store`: whether what lies in a data folder is sound, and how much it is.
//!
//! It works on the folder, not through a running collector. Checking and counting change nothing and
//! may run beside one; repairing holds the folder.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use store::blocks::{BlockStats, Blocks, Damage, Objects, Opening, Options};
use tokio::runtime::Runtime;

use crate::cli::{StatsFormat, Store};
use crate::folder::DataFolder;

/// The folder of the blocks within a data folder.
pub const BLOCKS: &str = "blocks";

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// For standard output.
    pub text: String,
    /// What the exit code says.
    pub verdict: Verdict,
}

/// Whether anything is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is.
    Sound,
    /// Something is.
    Damaged,
}

/// Does what the command line says.
///
/// # Errors
/// If the folder is not there, cannot be read, or is in use where it must not be.
pub fn run(command: &Store) -> Result<Done> {
    let runtime = Runtime::new().context("cannot start")?;
    match command {
        Store::Check { data } => check(data, &runtime),
        Store::Repair { data } => repair(data, &runtime),
        Store::Stats { data, output } => stats(data, *output, &runtime),
    }
}

fn check(data: &Path, runtime: &Runtime) -> Result<Done> {
    let (blocks, mut damages) = open(data, Opening::ToLook, runtime)?;
    damages.extend(blocks.check()?);
    let mut text = String::new();
    for Damage { file, offset, what } in &damages {
        let path = data.join(BLOCKS).join(file);
        writeln!(text, "{}: offset {offset}: {what}", path.display())?;
    }
    let sound = blocks.stats();
    writeln!(
        text,
        "{} blocks, {} bytes read; {} damaged places",
        sound.blocks,
        sound.bytes,
        damages.len()
    )?;
    if damages.is_empty() {
        let verdict = Verdict::Sound;
        return Ok(Done { text, verdict });
    }
    writeln!(
        text,
        "hint: stop the collector, then run: nightshift store repair {}",
        data.display()
    )?;
    let verdict = Verdict::Damaged;
    Ok(Done { text, verdict })
}

fn repair(data: &Path, runtime: &Runtime) -> Result<Done> {
    if !data.is_dir() {
        bail!("there is no folder {}", data.display());
    }
    let _held = DataFolder::hold(data)?;
    let (blocks, damages) = open(data, Opening::ToServe, runtime)?;
    let mut text = String::new();
    for damage in &damages {
        writeln!(text, "{damage}; moved aside, nothing can be saved of it")?;
    }
    for repair in blocks.repair()? {
        let (block, samples, saved) = (repair.block, repair.samples, repair.saved);
        writeln!(text, "{block}: {saved} of {samples} samples saved")?;
    }
    if text.is_empty() {
        writeln!(text, "nothing is damaged")?;
    }
    let verdict = Verdict::Sound;
    Ok(Done { text, verdict })
}

/// What `-o json` prints.
#[derive(Debug, Serialize)]
struct Figures {
    blocks: u64,
    series: u64,
    samples: u64,
    bytes: u64,
    /// Nothing without samples.
    bytes_per_sample: Option<f64>,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    list: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    block: String,
    level: u8,
    resolution: store::blocks::Resolution,
    from_ms: i64,
    to_ms: i64,
    series: u64,
    samples: u64,
    bytes: u64,
}

impl From<BlockStats> for Line {
    fn from(block: BlockStats) -> Self {
        Self {
            block: block.id.to_string(),
            level: block.level,
            resolution: block.resolution,
            from_ms: block.range.from_ms,
            to_ms: block.range.to_ms,
            series: block.series,
            samples: block.samples,
            bytes: block.bytes,
        }
    }
}

fn stats(data: &Path, output: StatsFormat, runtime: &Runtime) -> Result<Done> {
    let (blocks, _) = open(data, Opening::ToLook, runtime)?;
    let sums = blocks.stats();
    let list: Vec<Line> = blocks.list().into_iter().map(Line::from).collect();
    let figures = Figures {
        blocks: sums.blocks,
        series: sums.series,
        samples: sums.samples,
        bytes: sums.bytes,
        bytes_per_sample: per_sample(sums.bytes, sums.samples),
        from_ms: list.iter().map(|line| line.from_ms).min(),
        to_ms: list.iter().map(|line| line.to_ms).max(),
        list,
    };
    let text = match output {
        StatsFormat::Json => serde_json::to_string_pretty(&figures)? + "\n",
        StatsFormat::Table => table(&figures)?,
    };
    let verdict = Verdict::Sound;
    Ok(Done { text, verdict })
}

fn table(figures: &Figures) -> Result<String> {
    let mut text = String::new();
    writeln!(
        text,
        "{:<20}  {:>5}  {:<12}  {:>14}  {:>14}  {:>10}  {:>12}  {:>12}  {:>8}",
        "block",
        "level",
        "resolution",
        "from ms",
        "to ms",
        "series",
        "samples",
        "bytes",
        "b/sample"
    )?;
    for line in &figures.list {
        let Line {
            block,
            level,
            resolution,
            from_ms,
            to_ms,
            series,
            samples,
            bytes,
        } = line;
        let each = each(per_sample(*bytes, *samples));
        let resolution = format!("{resolution:?}");
        writeln!(
            text,
            "{block:<20}  {level:>5}  {resolution:<12}  {from_ms:>14}  {to_ms:>14}  {series:>10}  {samples:>12}  {bytes:>12}  {each:>8}"
        )?;
    }
    let each = each(figures.bytes_per_sample);
    writeln!(
        text,
        "{} blocks, {} samples, {} bytes, {each} bytes a sample",
        figures.blocks, figures.samples, figures.bytes
    )?;
    Ok(text)
}

#[allow(clippy::cast_precision_loss)]
fn per_sample(bytes: u64, samples: u64) -> Option<f64> {
    (samples > 0).then(|| bytes as f64 / samples as f64)
}

fn each(per_sample: Option<f64>) -> String {
    per_sample.map_or_else(|| "-".to_owned(), |each| format!("{each:.3}"))
}

/// Opens the blocks of a data folder. One that has none yet has no blocks.
fn open(data: &Path, opening: Opening, runtime: &Runtime) -> Result<(Blocks, Vec<Damage>)> {
    if !data.is_dir() {
        bail!("there is no folder {}", data.display());
    }
    let folder = data.join(BLOCKS);
    let objects =
        Objects::in_folder(&folder).with_context(|| format!("cannot open {}", folder.display()))?;
    Ok(runtime.block_on(Blocks::open(objects, Options::default(), opening))?)
}

#[cfg(test)]
mod tests;
