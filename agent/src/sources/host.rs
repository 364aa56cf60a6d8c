//! The host source: what node_exporter's default collectors give, under its names and labels.
//!
//! The families are read from /proc and /sys by hand, one module a group of them: `cpu`, `memory`,
//! `load`, `disk`, `network`, `sockets`, `clock`, `system`, `hardware`, `filesystem`. `files` reads,
//! `families` says what there is, `statfs` asks file systems that may never answer, `settings`
//! is what an operator may change.
//!
//! Invariants:
//! - Nothing here blocks the runtime. Files are read on a thread of the source's own, since a
//!   driver or a network file system can make any of them hang.
//! - A collection ends within [`bound`] of its start, whatever hangs, and hanging calls do not
//!   pile up from one collection to the next.

mod clock;
mod cpu;
mod disk;
mod families;
mod files;
mod filesystem;
mod hardware;
mod load;
mod memory;
mod network;
mod settings;
mod sockets;
mod statfs;
mod system;
mod timezone;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

pub use settings::{Ignore, RawSettings, Settings};

use crate::collect::{Gather, Source, SourceError};
use families::{Families, Seen};
use statfs::Asker;

/// The `job` label of its series.
pub const JOB: &str = "node-exporter";

/// How long a collection waits for what hangs.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Looks at this host.
#[derive(Debug)]
pub struct Host {
    settings: Arc<Settings>,
    reader: Option<mpsc::Sender<Request>>,
    asker: Asker,
}

/// Asks the reading thread for one reading.
#[derive(Debug)]
struct Request {
    now: SystemTime,
    reply: oneshot::Sender<Seen>,
}

impl Host {
    /// A source that reads nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            reader: None,
            asker: Asker::default(),
        }
    }

    /// One reading of all files, made on the reading thread.
    async fn read(&mut self, now: SystemTime, deadline: Instant) -> Result<Seen, SourceError> {
        let (reply, seen) = oneshot::channel();
        let reader = self.reader()?;
        if reader.try_send(Request { now, reply }).is_err() {
            return Err(hangs());
        }
        match tokio::time::timeout_at(deadline, seen).await {
            Ok(Ok(seen)) => Ok(seen),
            Ok(Err(_gone)) => Err(SourceError::new("reading /proc and /sys ended in a panic")
                .hint(
                    "this is a bug of Nightshift: please report it with the log around this line",
                )),
            Err(_elapsed) => Err(hangs()),
        }
    }

    /// The reading thread, started at the first collection and again should it have ended.
    fn reader(&mut self) -> Result<&mpsc::Sender<Request>, SourceError> {
        if self.reader.as_ref().is_some_and(mpsc::Sender::is_closed) {
            self.reader = None;
        }
        if self.reader.is_none() {
            self.reader = Some(start_reader(&self.settings)?);
        }
        self.reader
            .as_ref()
            .ok_or_else(|| SourceError::new("the reading thread did not start"))
    }
}

impl Source for Host {
    async fn collect(&mut self, out: &mut Gather) -> Result<(), SourceError> {
        let bound = bound(self.settings.timeout);
        let deadline = Instant::now() + bound;
        let Seen { out: seen, mounts } = self.read(SystemTime::now(), deadline).await?;
        out.absorb(seen);
        let rest = deadline.saturating_duration_since(Instant::now());
        let root = &self.settings.root_path;
        filesystem::collect(&mounts, root, &mut self.asker, rest, out).await;
        Ok(())
    }
}

/// How long a collection may wait: short of the scheduler's timeout, so that what was read is
/// shipped although something else hangs.
fn bound(timeout: Duration) -> Duration {
    LONGEST_WAIT.min(timeout.mul_f64(0.75))
}

fn hangs() -> SourceError {
    SourceError::new("reading /proc and /sys does not end")
        .hint("a driver may hang: the kernel's log (dmesg) names the blocked task")
}

/// Starts a thread that reads when asked and ends when the source is dropped.
///
/// A thread rather than a task of the runtime: should a file hang for ever, the runtime must still
/// be able to end.
fn start_reader(settings: &Arc<Settings>) -> Result<mpsc::Sender<Request>, SourceError> {
    // One request may wait while the thread is busy with one that was given up.
    let (requests, mut asked) = mpsc::channel::<Request>(1);
    let mut families = Families::new(Arc::clone(settings));
    let serve = move || {
        while let Some(Request { now, reply }) = asked.blocking_recv() {
            let seen = families.read(now);
            // Nobody waits any more where the collection was given up; the next one asks again.
            drop(reply.send(seen));
        }
    };
    match std::thread::Builder::new().name("host".into()).spawn(serve) {
        Ok(_handle) => Ok(requests),
        Err(error) => Err(SourceError::new("cannot start the thread that reads /proc")
            .detail(error)
            .hint("raise the limit on tasks of the agent's service")),
    }
}

#[cfg(test)]
mod tests;
