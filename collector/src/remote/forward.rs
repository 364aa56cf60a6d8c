//! Sends what was stored on to other receivers of remote write, so that a team can keep its present
//! system beside this one.
//!
//! A target follows the store by position ([`store::tail`]), from a cursor in a file of its own. What
//! waits therefore waits on disk, where it lies anyway: a receiver that is away takes no memory and
//! delays nobody, and what it missed is there until the journal lets it go, two hours at the least. In memory is one
//! chunk a target.
//!
//! Invariants: the cursor moves past a chunk only when all of it was taken or refused for good. Before
//! a chunk is sent its end is written down, so that after a crash it is cut into the very same
//! requests: a receiver that takes a request whole or not at all has each either way whole.

mod chunk;
mod client;
pub mod config;
mod cursor;
pub mod metrics;
mod send;
pub(crate) mod tls;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use store::tail::{Position, Stretch, Tail};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use chunk::{Cutter, Request};
use config::ForwardConfig;
use cursor::{Cursor, CursorFile};
use metrics::Progress;
use send::Sender;

/// How often the store is asked for news: what the receiver lags behind at the least. Asking costs a
/// lock.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Bytes of the journal that are read at once; in memory they are some tens of times as much.
const CHUNK_BYTES: usize = 512 << 10;

/// A chunk holds no more time than this. Receivers refuse what is far behind their newest sample, and
/// within a chunk one series may get ahead of another.
const CHUNK_SPAN_MS: i64 = 5 * 60 * 1_000;

/// How long to wait after the journal or the cursor could not be read or written.
const DISK_PAUSE: Duration = Duration::from_secs(5);

/// What forwarding is made of.
#[derive(Debug)]
pub struct Forwarding<'a, T> {
    /// To whom.
    pub targets: &'a [ForwardConfig],
    /// What is sent.
    pub store: Arc<T>,
    /// The collector's data folder; cursors lie in one within it.
    pub data: &'a Path,
    /// The clock by which it lags.
    pub clock: Clock,
}

impl<T: Tail> Forwarding<'_, T> {
    /// Starts a task for each target in `tasks`; they end on `stop`. Gives their numbers.
    pub fn start(self, tasks: &TaskTracker, stop: &CancellationToken) -> Vec<Arc<Progress>> {
        let mut all = Vec::new();
        for config in self.targets {
            let progress = Arc::new(Progress::of(&config.name));
            all.push(Arc::clone(&progress));
            let target = Target {
                store: Arc::clone(&self.store),
                file: CursorFile::of(&self.data.join("forward"), &config.name),
                cutter: Cutter::new(config),
                sender: Sender::new(config.clone(), Arc::clone(&progress), stop.clone()),
                progress,
                name: config.name.clone(),
                clock: self.clock,
            };
            tasks.spawn(target.run(stop.clone()));
        }
        all
    }
}

struct Target<T> {
    store: Arc<T>,
    file: CursorFile,
    cutter: Cutter,
    sender: Sender,
    progress: Arc<Progress>,
    name: String,
    clock: Clock,
}

impl<T: Tail> Target<T> {
    async fn run(mut self, stop: CancellationToken) {
        let mut cursor = loop {
            match self.begin() {
                Ok(cursor) => break cursor,
                Err(error) => self.complain(&error),
            }
            if stop
                .run_until_cancelled(tokio::time::sleep(DISK_PAUSE))
                .await
                .is_none()
            {
                return;
            }
        };
        while !stop.is_cancelled() {
            let pause = match self.step(&mut cursor).await {
                Ok(true) => continue,
                Ok(false) => LOOK_INTERVAL,
                Err(error) => {
                    self.complain(&error);
                    DISK_PAUSE
                }
            };
            stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }

    fn complain(&self, error: &std::io::Error) {
        let hint = "look at the disk of the data folder; forwarding goes on when it can";
        tracing::error!(target_name = self.name, %error, hint, "cannot forward");
    }

    /// Where to go on. A new target begins with what comes from now on, and remembers so.
    fn begin(&self) -> std::io::Result<Cursor> {
        let end = self.store.end();
        match self.file.read()? {
            Some(cursor) if cursor.done <= end => Ok(cursor),
            known => {
                if known.is_some() {
                    let hint = "the journal is another one than before; forwarding begins anew";
                    tracing::warn!(
                        target_name = self.name,
                        hint,
                        "the cursor is ahead of the journal"
                    );
                }
                let cursor = Cursor {
                    done: end,
                    sending: end,
                };
                self.file.write(&cursor)?;
                Ok(cursor)
            }
        }
    }

    /// Sends one chunk, if there is one; says whether there was.
    async fn step(&mut self, cursor: &mut Cursor) -> std::io::Result<bool> {
        let end = self.store.end();
        self.progress.pending(self.store.pending(cursor.done));
        if cursor.done >= end {
            self.progress.caught_up();
            return Ok(false);
        }
        let is_again = cursor.sending > cursor.done;
        let (to, most) = if is_again {
            (cursor.sending, usize::MAX)
        } else {
            (end, CHUNK_BYTES)
        };
        let mut stretch = read(Arc::clone(&self.store), (cursor.done, to), most).await?;
        if !is_again {
            cut_span(&mut stretch);
        }
        self.tell_lost(&stretch);
        cursor.sending = stretch.next;
        self.file.write(cursor)?;
        let oldest = stretch.deliveries.first();
        let oldest_ms = oldest.map(|(delivery, _)| delivery.arrival.wall_ms);
        self.progress.sending(oldest_ms, self.clock.wall_ms());
        let shards: Vec<Vec<Request>> = self.cutter.cut(stretch);
        if !self.sender.send(&shards, &self.cutter).await {
            // Told to stop before all was taken: the next start sends the chunk again.
            return Ok(true);
        }
        cursor.done = cursor.sending;
        if cursor.done >= self.store.end() {
            self.file.write(cursor)?;
        }
        Ok(true)
    }

    fn tell_lost(&self, stretch: &Stretch) {
        let lost = stretch.lost;
        self.progress.damaged(lost.damaged_bytes);
        if lost.expired {
            self.progress.expired();
            let hint = "the receiver was away for longer than the journal keeps what arrives; what it missed is in blocks only";
            tracing::error!(
                target_name = self.name,
                hint,
                "telemetry expired before it was forwarded"
            );
        }
    }
}

async fn read<T: Tail>(
    store: Arc<T>,
    (from, to): (Position, Position),
    most: usize,
) -> std::io::Result<Stretch> {
    let reading = tokio::task::spawn_blocking(move || store.read(from, to, most));
    let stretch = reading.await.map_err(std::io::Error::other)?;
    stretch.map_err(|error| {
        let kind = error.source.kind();
        std::io::Error::new(kind, format!("{error}: {}", error.source))
    })
}

/// Cuts off what arrived long after the first of it.
fn cut_span(stretch: &mut Stretch) {
    let Some((first, _)) = stretch.deliveries.first() else {
        return;
    };
    let until_ms = first.arrival.wall_ms.saturating_add(CHUNK_SPAN_MS);
    let within = stretch
        .deliveries
        .iter()
        .take_while(|(one, _)| one.arrival.wall_ms <= until_ms);
    // Never none: the first is within its own span.
    let count = within.count().max(1);
    if count < stretch.deliveries.len() {
        stretch.deliveries.truncate(count);
        if let Some((_, behind)) = stretch.deliveries.last() {
            stretch.next = *behind;
        }
    }
}
