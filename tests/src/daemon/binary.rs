//! Finding our own binaries beside the program that runs, and building them first for tests, so that no
//! test judges the binary of yesterday.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::sync::OnceCell;

/// One build a test program, for all its tests.
static BUILT: OnceCell<()> = OnceCell::const_new();

/// The path of one of the workspace's binaries, of the profile with which this program was built.
pub async fn locate(binary: &str) -> Result<PathBuf> {
    let program = env::current_exe().context("find the running program")?;
    let folder = program.parent().context("a program lies in a folder")?;
    // Cargo puts test programs one folder below the binaries.
    let profile = match folder.file_name().is_some_and(|name| name == "deps") {
        true => {
            let profile = folder
                .parent()
                .context("a profile's folder is above deps")?;
            BUILT.get_or_try_init(|| build(profile)).await?;
            profile
        }
        false => folder,
    };
    let path = profile.join(binary);
    ensure!(
        path.exists(),
        "{} is missing; build it with: cargo build --workspace",
        path.display()
    );
    Ok(path)
}

async fn build(profile: &Path) -> Result<()> {
    // Cargo says where it is to the tests that it runs; those run without it take what is there.
    let Ok(cargo) = env::var("CARGO") else {
        return Ok(());
    };
    let target = profile
        .parent()
        .context("the target folder is above a profile's")?;
    let mut command = Command::new(cargo);
    // The whole workspace, because that is what is built, with the same features, for all tests.
    command.args(["build", "--quiet", "--workspace", "--bins"]);
    command
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
    command
        .arg("--target-dir")
        .arg(target)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if profile.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    let output = command.output().await.context("start cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the binaries do not build:\n{said}"
    );
    Ok(())
}
