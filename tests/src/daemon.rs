//! Our own binaries as supervised processes: started from cargo's target folder, killed, restarted, and
//! judged by their logs.
//!
//! A daemon that logs a warning or an error which the test did not expect fails the test when it is
//! dropped; one that panics fails it always.

mod agent;
mod binary;
mod clock;
mod collector;
mod complaints;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

pub use self::agent::{Agent, Config, Watched};
pub use self::binary::locate;
pub use self::clock::Clock;
pub use self::collector::{Collector, Endpoints};
pub use self::complaints::Complaints;
use crate::lab::Account;
use crate::lab::folder::Folder;
use crate::lab::launch::Launch;
use crate::lab::process::Process;

/// Enough to see how it came to a failure, and little enough to be read.
const LAST_WORDS: usize = 40;

/// One of our daemons with its log, over all its starts.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(String, String)>,
    folder: Arc<Folder>,
    /// Absent between a stop and the next start.
    process: Mutex<Option<Process>>,
    complaints: Complaints,
}

impl Daemon {
    /// Describes one of our daemons, which `start` starts. `name` is its folder inside `folder`,
    /// `binary` the name of its program.
    pub async fn new(folder: &Arc<Folder>, name: &str, binary: &str) -> Result<Self> {
        Ok(Self::of(folder, name, locate(binary).await?))
    }

    /// Describes a daemon whose program is at that path.
    #[must_use]
    pub fn of(folder: &Arc<Folder>, name: &str, program: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            program,
            args: Vec::new(),
            env: Vec::new(),
            folder: Arc::clone(folder),
            process: Mutex::new(None),
            complaints: Complaints::default(),
        }
    }

    #[must_use]
    pub fn args<S: Into<OsString>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Further variables of its environment.
    #[must_use]
    pub fn env(mut self, env: &[(String, String)]) -> Self {
        self.env.extend_from_slice(env);
        self
    }

    /// What it may complain of, and whether that is judged at all.
    #[must_use]
    pub fn complaints(&self) -> &Complaints {
        &self.complaints
    }

    /// Starts it, for the first time or again. It may not be ready yet.
    pub fn start(&self) -> Result<()> {
        ensure!(self.running().is_none(), "{} runs already", self.name);
        let launch = Launch::new(&self.name, &self.program, Account::Own).args(&self.args);
        let launch =
            (self.env.iter()).fold(launch, |launch, (name, value)| launch.env(name, value));
        let process = self.folder.start(&launch)?;
        *self.locked() = Some(process);
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits until it has, which must be in order.
    pub async fn stop(&self) -> Result<()> {
        let process = self.process()?;
        let status = process.stop(Signal::SIGTERM).await?;
        self.locked().take();
        ensure!(status.success(), "{} stopped with {status}", self.name);
        Ok(())
    }

    /// Kills it (SIGKILL).
    pub async fn kill(&self) -> Result<()> {
        self.process()?.kill().await?;
        self.locked().take();
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub async fn wait(&self) -> Result<ExitStatus> {
        let status = self.process()?.wait().await?;
        self.locked().take();
        Ok(status)
    }

    /// Its process, to signal, pause or measure.
    pub fn process(&self) -> Result<Process> {
        self.locked()
            .clone()
            .with_context(|| format!("{} is stopped", self.name))
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder of its log, in which it was started.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.home().join(format!("{}.log", self.name))
    }

    /// Everything that it has written to standard output and standard error since its first start.
    pub fn log(&self) -> Result<String> {
        read(&self.log_path())
    }

    /// For whoever reads why a test failed: the log is gone with its folder.
    fn tell_last_words(&self, log: &str) {
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(LAST_WORDS)..];
        let words = format!("--- {} said last:\n{}\n", self.name, last.join("\n"));
        // Nothing can be done about a standard error that takes no more.
        drop(std::io::stderr().write_all(words.as_bytes()));
    }

    fn running(&self) -> Option<Process> {
        self.locked()
            .clone()
            .filter(|process| process.ended().is_none())
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let log = self.log().unwrap_or_default();
        // A test that fails already says why by itself; a second panic would hide it.
        if thread::panicking() {
            self.tell_last_words(&log);
            return;
        }
        let unexpected = self.complaints.unexpected(&log);
        assert!(
            unexpected.is_empty(),
            "{} complained:\n{}",
            self.name,
            unexpected.join("\n")
        );
    }
}

fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
