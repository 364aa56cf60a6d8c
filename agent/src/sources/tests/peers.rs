//! For tests: real servers, each owned by its test, in a folder and on a port of its own.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, User, geteuid};
use tempfile::TempDir;

pub(crate) mod postgres;
pub(crate) mod stub;

/// Longer than any server here takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; ends with its test.
pub(crate) struct Server {
    child: Child,
    last: Signal,
}

impl Server {
    /// Starts `command`; what it says goes to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = std::fs::File::create(log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{command:?}: {error}; scripts/setup.sh installs what tests need")
            });
        Self {
            child,
            last: Signal::SIGKILL,
        }
    }

    /// Ends with that signal rather than with SIGKILL.
    pub(crate) fn ending_with(mut self, signal: Signal) -> Self {
        self.last = signal;
        self
    }

    /// Sends a signal; one that stops the server has stopped it on return.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
        if signal == Signal::SIGSTOP {
            waitpid(self.pid(), Some(WaitPidFlag::WUNTRACED)).unwrap();
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        kill(self.pid(), Signal::SIGCONT).ok();
        kill(self.pid(), self.last).ok();
        self.child.wait().ok();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits until `state` gives something.
pub(crate) async fn until<T>(what: &str, mut state: impl AsyncFnMut() -> Option<T>) -> T {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let reached = tokio::time::timeout(PATIENCE, async {
        loop {
            ticks.tick().await;
            if let Some(reached) = state().await {
                return reached;
            }
        }
    });
    match reached.await {
        Ok(reached) => reached,
        Err(_) => panic!("{what}: not within {PATIENCE:?}"),
    }
}

/// A folder that `user` owns, where the test runs as root.
pub(crate) fn folder_of(user: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    if geteuid().is_root() {
        let user = User::from_name(user).unwrap().unwrap();
        let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
        std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).unwrap();
    }
    folder
}

/// A command that runs as `user`, where the test runs as root.
pub(crate) fn command_as(user: &str, program: &str) -> Command {
    let mut command = Command::new(program);
    if geteuid().is_root() {
        let user = User::from_name(user).unwrap().unwrap();
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

/// Writes a password into a file in `folder`; gives the key that names it.
pub(crate) fn password_file(folder: &Path, password: &str) -> String {
    let mut file = tempfile::Builder::new()
        .disable_cleanup(true)
        .tempfile_in(folder)
        .unwrap();
    writeln!(file, "{password}").unwrap();
    format!("password_file = '{}'", file.path().display())
}
