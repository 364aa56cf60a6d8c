//! How a program is started inside a lab's folder: under which account, from which folder, with what
//! environment, and out of reach of the terminal's Ctrl-C, which is the lab's own to answer.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::account::Account;

/// A program to start.
#[derive(Clone, Debug)]
pub struct Launch {
    name: String,
    argv: Vec<OsString>,
    env: Vec<(String, String)>,
    account: Account,
}

impl Launch {
    /// `name` is the folder, inside the lab's, where the program starts and where its log `NAME.log` is.
    #[must_use]
    pub fn new(name: &str, program: impl AsRef<OsStr>, account: Account) -> Self {
        // `setsid` gives the program a session of its own, so that it has no terminal. It does not
        // fork, because what Rust starts leads no process group, and so the process id stays.
        let argv = vec!["setsid".into(), program.as_ref().to_owned()];
        Self {
            name: name.to_owned(),
            argv,
            env: Vec::new(),
            account,
        }
    }

    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.argv.push(arg.as_ref().to_owned());
        self
    }

    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.argv
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes the folder if it is not there, owned by the account.
    pub(super) fn home(&self, lab: &Path) -> Result<PathBuf> {
        let home = lab.join(&self.name);
        if !home.exists() {
            fs::create_dir_all(&home).with_context(|| format!("make {}", home.display()))?;
            if let Some((uid, gid)) = self.account.switch()? {
                chown(&home, Some(uid.as_raw()), Some(gid.as_raw()))
                    .with_context(|| format!("give {} to {uid}", home.display()))?;
            }
        }
        Ok(home)
    }

    /// The command, with both outputs appended to the log, whose path is returned too.
    pub(super) fn logged(&self, lab: &Path) -> Result<(Command, PathBuf)> {
        let log = self.home(lab)?.join(format!("{}.log", self.name));
        let open = OpenOptions::new().create(true).append(true).open(&log);
        let output = open.with_context(|| format!("open {}", log.display()))?;
        let mut command = self.command(lab)?;
        command.stdout(output.try_clone()?).stderr(output);
        Ok((command, log))
    }

    /// Runs the program to its end and returns what it printed; an error if it fails.
    pub(super) async fn output(&self, lab: &Path) -> Result<String> {
        let mut command = tokio::process::Command::from(self.command(lab)?);
        let output = command.kill_on_drop(true).output();
        let output = output
            .await
            .with_context(|| format!("start {}", self.title()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            bail!("{}: {}: {said}", self.title(), output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What a person would call the program.
    pub(super) fn title(&self) -> String {
        let program = self
            .argv
            .get(1)
            .map(|program| Path::new(program).display().to_string());
        format!("{} ({})", self.name, program.unwrap_or_default())
    }

    fn command(&self, lab: &Path) -> Result<Command> {
        let (program, args) = self.argv.split_first().context("a launch has a program")?;
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.home(lab)?)
            .stdin(Stdio::null());
        // Messages of servers and clients are matched by tests: no translation.
        command
            .env("LC_ALL", "C")
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some((uid, gid)) = self.account.switch()? {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        Ok(command)
    }
}
