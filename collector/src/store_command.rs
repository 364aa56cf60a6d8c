//! `nightshift store`: whether what lies in a data folder is sound, and how much it is.
//!
//! It works on the folder, not through a running collector. Checking and counting change nothing and
//! may run beside one; repairing and compacting hold the folder. Where the folder's blocks lie in a
//! bucket, the configuration says how to reach it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use store::blocks::{BlockStats, Blocks, Damage, Opening, Options};
use store::embedded::{self, Embedded, Folders};
use store::journal;
use tokio::runtime::Runtime;

use crate::bucket::config::Place;
use crate::bucket::{self, Home, Trouble};
use crate::cli::{StatsFormat, Store, StoreFolder};
use crate::clock::Clock;
use crate::config::{Config, Overrides};
use crate::folder::DataFolder;

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

/// A data folder, and where its blocks lie.
struct Target<'a> {
    data: &'a Path,
    place: Place,
    /// How another command on it begins its words.
    words: String,
}

impl<'a> Target<'a> {
    fn of(folder: &'a StoreFolder) -> Result<Self> {
        let StoreFolder { data, config } = folder;
        if !data.is_dir() {
            bail!("there is no folder {}", data.display());
        }
        let mut words = data.display().to_string();
        let mut place = Place::Folder;
        if let Some(file) = config {
            write!(words, " --config {}", file.display())?;
            place = Config::load(Some(file), &Overrides::default())?.blocks;
        }
        Ok(Self { data, place, words })
    }

    /// What a person calls a file of the blocks.
    fn name(&self, file: &str) -> String {
        bucket::name_of(self.data, &self.place, file)
    }
}

/// Does what the command line says.
///
/// # Errors
/// If the folder is not there, cannot be read, or is in use where it must not be.
pub fn run(command: &Store) -> Result<Done> {
    let runtime = Runtime::new().context("cannot start")?;
    match command {
        Store::Check { folder } => check(&Target::of(folder)?, &runtime),
        Store::Repair { folder } => repair(&Target::of(folder)?, &runtime),
        Store::Compact { folder } => compact(&Target::of(folder)?, &runtime),
        Store::TakeOver { folder } => take_over(&Target::of(folder)?, &runtime),
        Store::Stats { folder, output } => stats(&Target::of(folder)?, *output, &runtime),
    }
}

fn check(target: &Target<'_>, runtime: &Runtime) -> Result<Done> {
    let (blocks, mut damages) = look(target, runtime)?;
    damages.extend(blocks.check()?);
    let mut text = String::new();
    for Damage { file, offset, what } in &damages {
        writeln!(text, "{}: offset {offset}: {what}", target.name(file))?;
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
        target.words
    )?;
    let verdict = Verdict::Damaged;
    Ok(Done { text, verdict })
}

fn repair(target: &Target<'_>, runtime: &Runtime) -> Result<Done> {
    let _held = DataFolder::hold(target.data)?;
    let home = Home::find(target.data, &target.place)?;
    let opening = Blocks::open(home.objects.clone(), Options::default(), Opening::ToServe);
    let (blocks, damages) = (runtime.block_on(opening)).map_err(|error| told(target, error))?;
    home.settle()?;
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

fn compact(target: &Target<'_>, runtime: &Runtime) -> Result<Done> {
    let _held = DataFolder::hold(target.data)?;
    let home = Home::find(target.data, &target.place)?;
    let now_ms = Clock::start().steady_ms();
    let Folders { journal, .. } = Folders::below(target.data);
    let options = embedded::Options::default();
    let opening = Embedded::open_at(journal, home.objects.clone(), options, now_ms);
    let opened = runtime.block_on(opening);
    let (store, found) = opened.map_err(|error| match Trouble::of(&target.place, &error) {
        Some(trouble) => trouble.into(),
        None => anyhow::Error::new(error),
    })?;
    home.settle()?;
    let mut text = String::new();
    for journal::Damage {
        path,
        offset,
        bytes,
    } in &found.journal.damages
    {
        let path = path.display();
        writeln!(text, "{path}: offset {offset}: {bytes} bytes are lost")?;
    }
    let upkeep = runtime.block_on(async {
        let upkeep = store.compact(now_ms).await;
        store.close().await;
        upkeep
    })?;
    for damage in found.blocks.iter().chain(&upkeep.blocks.damages) {
        writeln!(text, "{damage}; moved aside")?;
    }
    let blocks = store.blocks_stats();
    let (written, merged) = (upkeep.written, upkeep.blocks.merged);
    writeln!(
        text,
        "{written} blocks written, {merged} merged; now {} blocks, {} samples, {} bytes",
        blocks.blocks, blocks.samples, blocks.bytes
    )?;
    let verdict = if text.lines().count() > 1 {
        Verdict::Damaged
    } else {
        Verdict::Sound
    };
    Ok(Done { text, verdict })
}

fn take_over(target: &Target<'_>, runtime: &Runtime) -> Result<Done> {
    let Place::Bucket(config) = &target.place else {
        bail!("blocks in a folder are whoever's the folder is: only a bucket is taken over");
    };
    let _held = DataFolder::hold(target.data)?;
    let home = Home::find(target.data, &target.place)?;
    runtime.block_on(home.objects.take_over())?;
    home.settle()?;
    let text = format!(
        "the blocks at {} are this data folder's now\n",
        config.address
    );
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

fn stats(target: &Target<'_>, output: StatsFormat, runtime: &Runtime) -> Result<Done> {
    let (blocks, _) = look(target, runtime)?;
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

/// Opens the blocks of a data folder to read them. One that has none yet has no blocks.
fn look(target: &Target<'_>, runtime: &Runtime) -> Result<(Blocks, Vec<Damage>)> {
    let objects = bucket::to_look(target.data, &target.place)?;
    let opening = Blocks::open(objects, Options::default(), Opening::ToLook);
    (runtime.block_on(opening)).map_err(|error| told(target, error))
}

/// With a hint, where there is one.
fn told(target: &Target<'_>, error: store::blocks::OpenError) -> anyhow::Error {
    match Trouble::of_blocks(&target.place, &error) {
        Some(trouble) => trouble.into(),
        None => error.into(),
    }
}

#[cfg(test)]
mod tests;
