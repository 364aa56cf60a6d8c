//! The API of a Docker or Podman engine: the few calls this source makes, their answers in its own
//! words, and their errors as an operator reads them.
//!
//! Every call has a bound of its own, for an engine may accept a connection and never answer. Calls
//! are unversioned: any engine answers them in the newest form that it knows.

mod answers;
mod errors;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::SystemInfo;
use bollard::query_parameters::{
    EventsOptions, InspectContainerOptions, ListContainersOptions, StatsOptions,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures::{Stream, StreamExt, TryStreamExt};
use tokio::time::Instant;

pub use answers::Flavour;
pub(super) use answers::{CgroupDriver, Facts, Health, Inspected, Listed, OomEvent, State};

use super::moment::Moment;
use super::stats;
use super::usage::Usage;
use crate::collect::SourceError;
use errors::{explain, silent};

/// Calls under way side by side: enough to hide the latency of each, too few to be felt by an
/// engine that also has containers to run.
pub(super) const AT_ONCE: usize = 8;

/// An engine that answered.
#[derive(Debug)]
pub(super) struct Engine {
    docker: Docker,
    socket: PathBuf,
    wait: Duration,
    pub(super) facts: Facts,
}

/// The containers that could be listed.
#[derive(Debug)]
pub(super) enum Listing {
    All(Vec<Listed>),
    /// Only those that run.
    Running(Vec<Listed>),
}

impl Engine {
    /// Connects, and learns what does not change.
    pub(super) async fn connect(socket: &Path, wait: Duration) -> Result<Self, SourceError> {
        let engine = Self::open(socket, wait)?;
        let version = engine.call("version", engine.docker.version()).await?;
        let info = engine.call("info", engine.docker.info()).await?;
        let facts = answers::facts(&version, info);
        Ok(Self { facts, ..engine })
    }

    /// Asks only for the version, for discovery.
    pub(super) async fn probe(socket: &Path, wait: Duration) -> Result<Facts, SourceError> {
        let engine = Self::open(socket, wait)?;
        let version = engine.call("version", engine.docker.version()).await?;
        Ok(answers::facts(&version, SystemInfo::default()))
    }

    fn open(socket: &Path, wait: Duration) -> Result<Self, SourceError> {
        // The client rounds its own time limit to seconds; ours is around every call.
        let seconds = wait.as_secs() + 1;
        let docker =
            Docker::connect_with_unix(&socket.to_string_lossy(), seconds, API_DEFAULT_VERSION)
                .map_err(|error| explain(socket, "connect", &error))?;
        Ok(Self {
            docker,
            socket: socket.to_path_buf(),
            wait,
            facts: Facts::default(),
        })
    }

    async fn call<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, SourceError> {
        match tokio::time::timeout(self.wait, call).await {
            Ok(answer) => answer.map_err(|error| explain(&self.socket, what, &error)),
            Err(_) => Err(silent(&self.socket, what)),
        }
    }

    /// Every container, running or not.
    pub(super) async fn list(&self) -> Result<Listing, SourceError> {
        let all = ListContainersOptions {
            all: true,
            ..ListContainersOptions::default()
        };
        let what = "list containers";
        let call = self.docker.list_containers(Some(all));
        match tokio::time::timeout(self.wait, call).await {
            Ok(Ok(all)) => Ok(Listing::All(
                all.into_iter().filter_map(answers::listed).collect(),
            )),
            // The client refuses a whole list for one word that it does not know, and Podman has
            // states of its own, none of them a running container's.
            Ok(Err(Error::JsonDataError { .. })) => {
                let running = self.docker.list_containers(None);
                let running = self.call(what, running).await?;
                Ok(Listing::Running(
                    running.into_iter().filter_map(answers::listed).collect(),
                ))
            }
            Ok(Err(error)) => Err(explain(&self.socket, what, &error)),
            Err(_) => Err(silent(&self.socket, what)),
        }
    }

    /// Every container with the size of its writable layer. Slow: the engine walks their files, so
    /// the caller gives the bound.
    pub(super) async fn list_with_sizes(&self, wait: Duration) -> Result<Vec<Listed>, SourceError> {
        let options = ListContainersOptions {
            all: true,
            size: true,
            ..ListContainersOptions::default()
        };
        // The client's own time limit is for quick calls.
        let docker = self.docker.clone().with_timeout(wait);
        let call = docker.list_containers(Some(options));
        match tokio::time::timeout(wait, call).await {
            Ok(Ok(summaries)) => Ok(summaries.into_iter().filter_map(answers::listed).collect()),
            Ok(Err(error)) => Err(explain(&self.socket, "measure containers", &error)),
            Err(_) => Err(silent(&self.socket, "measure containers")),
        }
    }

    /// Inspects containers; `None` for one that is gone.
    pub(super) async fn inspect(
        &self,
        ids: Vec<String>,
        until: Instant,
    ) -> Vec<(String, Result<Option<Inspected>, SourceError>)> {
        let calls = ids.into_iter().map(|id| async move {
            let call = self
                .docker
                .inspect_container(&id, None::<InspectContainerOptions>);
            let answer = self.before(until, "inspect", call).await;
            let answer = answer.map(|found| found.map(answers::inspected));
            (id, answer)
        });
        futures::stream::iter(calls)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await
    }

    /// The statistics of containers, each with whether its network is its own; `None` for one that
    /// has no processes any more.
    pub(super) async fn stats(
        &self,
        containers: Vec<(String, bool)>,
        until: Instant,
    ) -> Vec<(String, Result<Option<Usage>, SourceError>)> {
        let calls = containers.into_iter().map(|(id, own_network)| async move {
            let options = StatsOptions {
                stream: false,
                // Without it the engine waits for a second sample, to tell a rate.
                one_shot: true,
            };
            let mut answers = Box::pin(self.docker.stats(&id, Some(options)));
            let call = async { answers.try_next().await };
            let answer = self.before(until, "read statistics", call).await;
            let usage = answer.map(|found| stats::usage(found??, own_network));
            (id, usage)
        });
        futures::stream::iter(calls)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await
    }

    /// A call about one container, which may be gone.
    async fn before<T>(
        &self,
        until: Instant,
        what: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<Option<T>, SourceError> {
        const GONE: u16 = 404;
        match tokio::time::timeout_at(until, call).await {
            Ok(Ok(answer)) => Ok(Some(answer)),
            Ok(Err(Error::DockerResponseServerError {
                status_code: GONE, ..
            })) => Ok(None),
            Ok(Err(error)) => Err(explain(&self.socket, what, &error)),
            Err(_) => Err(silent(&self.socket, what)),
        }
    }

    /// Kills for lack of memory from `since` on, for as long as the engine runs.
    pub(super) fn ooms(
        &self,
        since: Moment,
    ) -> impl Stream<Item = Result<OomEvent, SourceError>> + use<> {
        let filters = [
            ("type".to_owned(), vec!["container".to_owned()]),
            ("event".to_owned(), vec!["oom".to_owned()]),
        ];
        let fraction = since.0.rem_euclid(1_000_000_000);
        let options = EventsOptions {
            since: Some(format!("{}.{fraction:09}", since.seconds())),
            until: None,
            filters: Some(filters.into()),
        };
        let socket = self.socket.clone();
        let events = self.docker.events(Some(options));
        events.filter_map(move |event| {
            let event = match event {
                Ok(event) => event
                    .actor
                    .and_then(|actor| actor.id)
                    .zip(event.time_nano)
                    .map(|(container, at)| {
                        let at = Moment(at);
                        Ok(OomEvent { container, at })
                    }),
                Err(error) => Some(Err(explain(&socket, "follow events", &error))),
            };
            std::future::ready(event)
        })
    }
}
