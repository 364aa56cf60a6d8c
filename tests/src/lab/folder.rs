//! A folder that vanishes, and with it every process that was started in it.
//!
//! Invariant: nothing outlives the folder, and the folder outlives neither this value nor the process
//! that made it: not after a panic, Ctrl-C or kill -9. There is one way of cleaning up, `undertaker.sh`,
//! which runs for every end alike and so is tested by every test. `PR_SET_PDEATHSIG` was not chosen
//! because it fires when the *thread* that started a child ends, as worker threads do, and because
//! PostgreSQL's backends and containers' shims do not inherit it.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use nix::unistd::geteuid;

use super::account::Account;
use super::launch::Launch;
use super::process::Process;

/// The longest path of a Unix socket that Linux takes is 107 bytes; the longest that the lab makes
/// below its folder, `/pgbouncer/.s.PGSQL.12345`, takes 25.
const LONGEST_PATH: usize = 80;

/// See the module.
pub struct Folder {
    path: PathBuf,
    undertaker: Mutex<Child>,
    /// What was started here and not waited for yet, by process id.
    children: Mutex<BTreeMap<u32, Child>>,
}

impl Folder {
    /// Makes a folder below the system's folder for temporary files.
    pub fn new() -> Result<Arc<Self>> {
        let mut undertaker = Command::new("bash")
            .args(["-c", include_str!("undertaker.sh"), "undertaker"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Its own group, so that Ctrl-C at the terminal does not reach it.
            .process_group(0)
            .spawn()
            .context("start bash")?;
        let mut path = String::new();
        if let Some(answer) = undertaker.stdout.take() {
            BufReader::new(answer)
                .read_line(&mut path)
                .context("read the name of the lab's folder")?;
        }
        let path = PathBuf::from(path.trim_end());
        ensure!(
            path.is_dir(),
            "no folder for the lab could be made in {}",
            std::env::temp_dir().display()
        );
        let folder = Self {
            path,
            undertaker: Mutex::new(undertaker),
            children: Mutex::default(),
        };
        let length = folder.path.as_os_str().len();
        ensure!(
            length <= LONGEST_PATH,
            "{}: too long for Unix sockets; set TMPDIR",
            folder.path.display()
        );
        Ok(Arc::new(folder))
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts a server, which ends when the folder does if it does not end before.
    pub fn start(self: &Arc<Self>, launch: &Launch) -> Result<Process> {
        let (mut command, log) = launch.logged(&self.path)?;
        let child = command
            .spawn()
            .with_context(|| format!("start {}", launch.title()))?;
        let pid = child.id();
        self.children().insert(pid, child);
        Ok(Process::new(Arc::clone(self), pid, log))
    }

    /// Runs a program to its end and returns what it printed; an error if it fails.
    pub async fn run(&self, launch: &Launch) -> Result<String> {
        launch.output(&self.path).await
    }

    /// Writes `content` to `path`, relative to the folder, for every account to read.
    pub fn write(&self, path: impl AsRef<Path>, content: &str) -> Result<PathBuf> {
        let path = self.path.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
        }
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    /// Mounts an empty file system of `bytes` in memory at `path`, relative to the folder, with which
    /// it vanishes. Only root can.
    pub async fn mount(&self, path: impl AsRef<Path>, bytes: u64) -> Result<PathBuf> {
        ensure!(geteuid().is_root(), "only root can mount a small disk");
        let path = self.path.join(path);
        fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        let mount = Launch::new("mount", "mount", Account::Own)
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(&path);
        self.run(&mount).await?;
        Ok(path)
    }

    /// How the process ended, or nothing while it runs.
    pub(super) fn ended(&self, pid: u32) -> Option<ExitStatus> {
        self.children().get_mut(&pid)?.try_wait().ok()?
    }

    fn children(&self) -> MutexGuard<'_, BTreeMap<u32, Child>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let undertaker = self
            .undertaker
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        drop(undertaker.stdin.take());
        match undertaker.wait() {
            Ok(status) if status.success() => {}
            Ok(_) => {
                tracing::error!(folder = %self.path.display(), "something of the lab is left behind")
            }
            Err(error) => {
                tracing::error!(folder = %self.path.display(), %error, "clean up the lab")
            }
        }
        for child in self.children().values_mut() {
            // Every child was killed above; this only takes its exit status from the kernel.
            if let Err(error) = child.try_wait() {
                tracing::error!(pid = child.id(), %error, "reap a process of the lab");
            }
        }
    }
}

impl Debug for Folder {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Folder").field(&self.path).finish()
    }
}
