//! A server that was started in a lab's folder, with the processes that it started in turn.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::folder::Folder;
use crate::wait::{GENEROUS, wait_for};

/// A started server. Dropping it does not stop it: the folder does that.
#[derive(Clone, Debug)]
pub struct Process {
    folder: Arc<Folder>,
    pid: u32,
    log: PathBuf,
}

impl Process {
    pub(super) fn new(folder: Arc<Folder>, pid: u32, log: PathBuf) -> Self {
        Self { folder, pid, log }
    }

    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where both of its outputs go.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Both of its outputs so far.
    pub fn log(&self) -> Result<String> {
        let bytes = fs::read(&self.log).with_context(|| format!("read {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// How it ended, or nothing while it runs, stopped or not.
    #[must_use]
    pub fn ended(&self) -> Option<ExitStatus> {
        self.folder.ended(self.pid)
    }

    /// An error with the end of the log if it does not run any more.
    pub fn check_running(&self) -> Result<()> {
        let Some(status) = self.ended() else {
            return Ok(());
        };
        let log = self.log()?;
        let mut tail: Vec<&str> = log.lines().rev().take(15).collect();
        tail.reverse();
        Err(anyhow!(
            "{} ended, {status}; its last words:\n{}",
            self.log.display(),
            tail.join("\n")
        ))
    }

    /// The process ids of the server and of all that it started, itself first.
    #[must_use]
    pub fn tree(&self) -> Vec<u32> {
        let parents = parents();
        let mut tree = vec![self.pid];
        let mut next = 0;
        while let Some(&parent) = tree.get(next) {
            tree.extend(
                parents
                    .iter()
                    .filter(|(_, of)| *of == parent)
                    .map(|(pid, _)| *pid),
            );
            next += 1;
        }
        tree
    }

    /// Sends a signal to the server alone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        if let Some(status) = self.ended() {
            bail!("{} has ended already: {status}", self.log.display());
        }
        send(self.pid, signal)
    }

    /// Stops every process of the server where it stands, as a machine that hangs would, and waits
    /// until none moves.
    pub async fn pause(&self) -> Result<()> {
        // The parent first, so that it starts no more children; again until no more appear.
        let mut stopped = Vec::new();
        loop {
            let tree = self.tree();
            let fresh: Vec<u32> = tree
                .into_iter()
                .filter(|pid| !stopped.contains(pid))
                .collect();
            if fresh.is_empty() {
                break;
            }
            for pid in fresh {
                send(pid, Signal::SIGSTOP)?;
                stopped.push(pid);
            }
        }
        wait_for("every process stands", GENEROUS, || async {
            match stopped.iter().find(|&&pid| moves(pid)) {
                Some(pid) => Err(anyhow!("process {pid} moves")),
                None => Ok(()),
            }
        })
        .await
    }

    /// Lets every process of the server go on.
    pub fn resume(&self) -> Result<()> {
        // The parent last, so that it finds its children running.
        self.tree()
            .into_iter()
            .rev()
            .try_for_each(|pid| send(pid, Signal::SIGCONT))
    }

    /// Asks the server to end and waits until it has.
    pub async fn stop(&self, signal: Signal) -> Result<ExitStatus> {
        self.signal(signal)?;
        self.wait().await
    }

    /// Kills the server and all that it started, as a machine that dies would.
    pub async fn kill(&self) -> Result<()> {
        self.pause().await?;
        let tree = self.tree();
        tree.iter()
            .try_for_each(|&pid| send(pid, Signal::SIGKILL))?;
        self.wait().await?;
        wait_for("killed processes are gone", GENEROUS, || async {
            match tree.iter().find(|&&pid| is_alive(pid)) {
                Some(pid) => Err(anyhow!("process {pid} is there")),
                None => Ok(()),
            }
        })
        .await
    }

    /// Waits until it has ended by itself.
    pub async fn wait(&self) -> Result<ExitStatus> {
        wait_for("process ends", GENEROUS, || async {
            self.ended()
                .with_context(|| format!("process {} runs", self.pid))
        })
        .await
    }
}

/// Process ids with those of their parents.
fn parents() -> Vec<(u32, u32)> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?.1))).collect()
}

/// State and parent of a process. The command before them may contain anything, blanks and brackets too.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = stat.rsplit_once(") ")?;
    let mut fields = after.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// A zombie waits only for its parent to take note, and is not alive.
fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// A stop signal takes effect when the process next returns from the kernel.
fn moves(pid: u32) -> bool {
    is_alive(pid) && stat(pid).is_some_and(|(state, _)| state != 'T')
}

/// A process that has ended meanwhile needs no signal.
fn send(pid: u32, signal: Signal) -> Result<()> {
    let raw = i32::try_from(pid).context("process ids fit into 31 bits")?;
    match kill(Pid::from_raw(raw), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("send {signal} to process {pid}")),
    }
}
