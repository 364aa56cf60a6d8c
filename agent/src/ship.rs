//! Brings batches from the spool to the collector, as OTLP over gRPC.
//!
//! Owns the connection and the pace: one request at a time, so that batches arrive in the order of
//! their numbers; a request is taken from the spool anew for each attempt, so that nothing is held
//! in memory while the collector is away. Leaves to the spool what is sent next, and to `course`
//! what follows from an answer.
//!
//! Invariants: a batch leaves the spool only when the collector has acknowledged it or will never
//! take it, and the latter is logged with its number and counted; no answer, and no lack of one,
//! holds the queue up for ever; what keeps a request from being acknowledged is logged when it begins
//! and when it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use wire::answer::ExportAnswer;

pub use settings::{Identity, RawSettings, Settings, Tls};
pub use stats::{Counts, Stats};

use crate::spool::{Bundle, Header, Outcome, Queue, Wanted};
use course::{Course, Step};
use failure::Failure;

mod course;
mod failure;
mod link;
mod settings;
mod stats;

/// How long to rest when the spool has nothing to give and nothing arrives: what it could not read a
/// moment ago it may read now.
const IDLE: Duration = Duration::from_secs(5);

/// Ships one spool to one collector, which may have several addresses.
pub struct Shipper {
    queue: Queue,
    settings: Settings,
    course: Course,
    channel: Option<Channel>,
    stats: Arc<Stats>,
    /// What each address last failed with, while it does.
    failing: Vec<Option<&'static str>>,
    rejecting: bool,
}

impl Shipper {
    /// A shipper that is yet to be run.
    #[must_use]
    pub fn new(queue: Queue, settings: Settings) -> Self {
        let addresses = settings.endpoints.len();
        Self {
            course: Course::new(
                addresses,
                settings.request.batches,
                settings.backoff,
                settings.backoff_limit,
            ),
            failing: vec![None; addresses],
            channel: None,
            stats: Arc::default(),
            rejecting: false,
            queue,
            settings,
        }
    }

    /// The shipper's numbers, for whoever reports them.
    #[must_use]
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// Ships until `stop`, and then what is left, for as long as the settings allow.
    pub async fn run(mut self, stop: CancellationToken) {
        let drain = self.settings.drain;
        let queue = self.queue.clone();
        let overdue = async {
            stop.cancelled().await;
            tokio::time::sleep(drain).await;
        };
        tokio::select! {
            () = self.deliver(&stop) => {}
            () = overdue => {}
        }
        let left = queue.stats().pending.batches;
        if left > 0 {
            tracing::info!(
                batches = left,
                "stopped shipping; the rest stays in the spool"
            );
        }
    }

    async fn deliver(&mut self, stop: &CancellationToken) {
        loop {
            let wanted = Wanted {
                batches: self.course.batches(),
                ..self.settings.request
            };
            // A spool that stalls says so itself.
            let step = match self.queue.next(wanted).await {
                Ok(Some(bundle)) => self.send(bundle).await,
                Ok(None) | Err(_) if stop.is_cancelled() => return,
                Ok(None) | Err(_) => {
                    self.rest(stop).await;
                    continue;
                }
            };
            let Step::Wait(wait) = step else { continue };
            self.stats.update(|counts| counts.in_backoff = true);
            let draining = stop.is_cancelled();
            if draining && self.queue.stats().on_disk {
                // What is left is safe where it is.
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled(), if !draining => {}
            }
            self.stats.update(|counts| counts.in_backoff = false);
        }
    }

    /// Waits until there may be something to send.
    async fn rest(&self, stop: &CancellationToken) {
        tokio::select! {
            () = self.queue.arrived() => {}
            () = tokio::time::sleep(IDLE) => {}
            () = stop.cancelled() => {}
        }
    }

    /// Sends one bundle and does with it what the answer calls for.
    async fn send(&mut self, bundle: Bundle) -> Step {
        let Bundle {
            frames,
            records,
            receipt,
            ..
        } = bundle;
        let settled = match self.request(frames).await {
            Ok(answer) => {
                self.course.succeeded();
                self.note_success(&answer);
                self.queue.settle(receipt, Outcome::Acknowledged).await
            }
            Err(failure) => {
                let chance = rand::random();
                let step = self.note_failure(&failure, |course| {
                    course.failed(&failure, records.len(), chance)
                });
                if step != Step::Drop {
                    return step;
                }
                report_refused(&records, &failure);
                self.queue.settle(receipt, Outcome::Refused).await
            }
        };
        // A bundle that could not be settled is given out again, and the collector knows it.
        drop(settled);
        Step::Again
    }

    async fn request(&mut self, frames: Vec<u8>) -> Result<ExportAnswer, Failure> {
        let mut channel = match self.channel.take() {
            Some(channel) => channel,
            None => {
                let address = &self.settings.endpoints[self.course.address()];
                link::connect(address, &self.settings).await?
            }
        };
        let bytes = frames.len() as u64;
        self.stats.update(|counts| {
            counts.requests += 1;
            counts.bytes += bytes;
        });
        let answer = link::export(&mut channel, frames, self.settings.request_timeout).await;
        // Where nobody answered the next attempt connects anew: perhaps elsewhere, with the address
        // and the certificates that hold then.
        let answered = answer.as_ref().err().is_none_or(Failure::is_answer);
        self.channel = answered.then_some(channel);
        answer
    }

    fn note_success(&mut self, answer: &ExportAnswer) {
        let partial = answer.partial_success.clone().unwrap_or_default();
        let rejected = u64::try_from(partial.rejected_data_points).unwrap_or_default();
        self.stats.update(|counts| {
            counts.last_success = Some(Instant::now());
            counts.rejected_samples += rejected;
        });
        let address = &self.settings.endpoints[self.course.address()];
        if self.failing.iter().any(Option::is_some) {
            tracing::info!(%address, "collector acknowledges again");
            self.failing.fill(None);
        }
        // Told when it begins: what a collector rejects once, it mostly rejects each time.
        if rejected > 0 && !self.rejecting {
            let message = &partial.error_message;
            tracing::warn!(%address, samples = rejected, message, "collector rejects samples");
        }
        self.rejecting = rejected > 0;
    }

    /// Counts and logs a failure at the address it happened at, and gives what to do about it.
    fn note_failure(
        &mut self,
        failure: &Failure,
        decide: impl FnOnce(&mut Course) -> Step,
    ) -> Step {
        self.stats
            .update(|counts| *counts.failures.entry(failure.code).or_default() += 1);
        let index = self.course.address();
        if self.failing[index].replace(failure.code) != Some(failure.code) {
            let address = &self.settings.endpoints[index];
            let Failure { code, message, .. } = failure;
            let hint = failure.hint();
            tracing::warn!(%address, code, message, hint, "collector does not acknowledge");
        }
        decide(&mut self.course)
    }
}

fn report_refused(records: &[Header], failure: &Failure) {
    let Failure { code, message, .. } = failure;
    for record in records {
        let (run, sequence, samples) = (record.run, record.sequence, record.samples);
        tracing::error!(
            %run,
            %sequence,
            samples,
            code,
            message,
            hint = failure.hint(),
            "dropped a batch that the collector does not take"
        );
    }
}

#[cfg(test)]
mod tests;
