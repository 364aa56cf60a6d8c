//! New data folders for PostgreSQL, quickly: `initdb` runs once a version and its result, kept in cargo's
//! target folder, is copied from then on.
//!
//! A copy gets a system identifier of its own, because everything that tells clusters apart by it, the
//! agent among them, would take two copies for one cluster. The identifier stands at the very start of
//! `pg_control`, which ends in a CRC-32C of what precedes it, and in the header of the first page of
//! each WAL segment, which is not under a checksum.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::account::Account;
use super::folder::Folder;
use super::launch::Launch;
use super::release::Release;

/// Where `xlp_sysid` stands in the header of a segment's first page.
const WAL_IDENTIFIER_AT: usize = 24;

/// Puts a new data folder of that release at `NAME/data` in `folder` and returns its path.
pub(super) async fn new_data_folder(
    folder: &Folder,
    name: &str,
    release: &Release,
) -> Result<PathBuf> {
    let data = folder.path().join(name).join("data");
    let Some(kept) = kept_at(release) else {
        initdb(folder, name, release, "data").await?;
        return Ok(data);
    };
    if !kept.exists() {
        keep(folder, release, &kept).await?;
    }
    // As root, who may read the target folder wherever it is; owned by the account afterwards.
    let copy = Launch::new(name, "cp", Account::Own)
        .arg("-a")
        .arg(&kept)
        .arg(&data);
    Launch::new(name, "true", Account::Service).home(folder.path())?;
    folder.run(&copy).await?;
    renew_identifier(&data, rand::random::<u64>() >> 1)?;
    Ok(data)
}

/// The template's path in cargo's target folder, which cargo marks by a file of that name; none if this
/// program does not run from there.
fn kept_at(release: &Release) -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let target = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists())?;
    let server = fs::metadata(release.program("postgres")).ok()?;
    // A minor update replaces the server; its size tells it from the one that made the template.
    let name = format!("postgres-{}-{}", release.major(), server.len());
    Some(target.join("lab-templates").join(name))
}

/// Makes the template, once for all processes that want it at the same time.
async fn keep(folder: &Folder, release: &Release, kept: &Path) -> Result<()> {
    let parent = kept.parent().context("a template has a parent folder")?;
    fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
    let lock = File::create(kept.with_extension("lock")).context("open the template's lock")?;
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    if !kept.exists() {
        let made = initdb(folder, "template", release, "data").await?;
        let half = kept.with_extension("half");
        let copy = "rm -rf \"$2\" && cp -a \"$1\" \"$2\" && mv \"$2\" \"$3\" && rm -r \"$1\"";
        let launch = Launch::new("template", "sh", Account::Own);
        folder
            .run(
                &launch
                    .args(["-c", copy, "sh"])
                    .args([made.as_path(), &half, kept]),
            )
            .await?;
    }
    drop(lock);
    Ok(())
}

async fn initdb(folder: &Folder, name: &str, release: &Release, data: &str) -> Result<PathBuf> {
    let launch = Launch::new(name, release.program("initdb"), Account::Service)
        .args([
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
        ])
        // The data of a lab need not survive the machine.
        .args(["--no-sync", "--data-checksums"]);
    folder.run(&launch).await?;
    Ok(folder.path().join(name).join(data))
}

fn renew_identifier(data: &Path, identifier: u64) -> Result<()> {
    edit(&data.join("global/pg_control"), |content| {
        write_control(content, identifier)
    })?;
    let wal = data.join("pg_wal");
    for entry in fs::read_dir(&wal).with_context(|| format!("list {}", wal.display()))? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.len() == 24) {
            edit(&path, |content| {
                put(content, WAL_IDENTIFIER_AT, &identifier.to_le_bytes())
            })?;
        }
    }
    Ok(())
}

fn edit(path: &Path, change: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<()> {
    let mut content = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    change(&mut content).with_context(|| format!("give {} a new identifier", path.display()))?;
    fs::write(path, content).with_context(|| format!("write {}", path.display()))
}

/// Where the checksum stands differs between majors: it is where the checksum of all before it is.
fn write_control(content: &mut [u8], identifier: u64) -> Result<()> {
    let at = (8..content.len().saturating_sub(4))
        .step_by(4)
        .find(|&at| crc32c::crc32c(&content[..at]).to_le_bytes() == content[at..at + 4])
        .context("its checksum was not found")?;
    put(content, 0, &identifier.to_le_bytes())?;
    let checksum = crc32c::crc32c(&content[..at]);
    put(content, at, &checksum.to_le_bytes())
}

fn put(content: &mut [u8], at: usize, bytes: &[u8]) -> Result<()> {
    let end = at + bytes.len();
    ensure!(
        end <= content.len(),
        "it is too short: {} bytes",
        content.len()
    );
    content[at..end].copy_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_file_keeps_a_checksum_that_fits() {
        let mut content = vec![7; 64];
        content[..8].copy_from_slice(&1_u64.to_le_bytes());
        let checksum = crc32c::crc32c(&content[..40]);
        content[40..44].copy_from_slice(&checksum.to_le_bytes());
        write_control(&mut content, 42).unwrap();
        assert_eq!(content[..8], 42_u64.to_le_bytes());
        assert_eq!(
            content[40..44],
            crc32c::crc32c(&content[..40]).to_le_bytes()
        );
    }

    #[test]
    fn a_control_file_without_checksum_is_refused() {
        assert!(write_control(&mut [7; 64], 42).is_err());
        assert!(write_control(&mut [], 42).is_err());
    }
}
