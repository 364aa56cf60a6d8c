//! `nightshift-agent run`: everything is built once, here, and runs until a signal.
//!
//! Stopping goes with the flow: the sources end first, the pipeline takes in what they sent, the
//! spool is closed, and the shipper uses what is left of the deadline to empty it. What it cannot
//! empty stays on disk. A reload replaces the sources and nothing else.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fleet::Fleet;
use super::{Failure, configuration};
use crate::cli::Settings;
use crate::config::Config;
use crate::discovery;
use crate::expose::{self, Latest};
use crate::pipeline::Pipeline;
use crate::schedule::{Identity, News};
use crate::ship::{self, Shipper};
use crate::sources::own::Describe;
use crate::spool::{self, Queue};

/// Collections between the sources and the pipeline. Each source has one under way at a time; this
/// holds those of a host with many instances that all tick in the same moment.
const COLLECTIONS: usize = 64;

/// How long the shipper may go on emptying the spool after a signal. Service managers wait longer.
const DRAIN: Duration = Duration::from_secs(8);

/// How often the agent looks for instances that have appeared since.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Runs until SIGTERM or SIGINT.
pub async fn run(settings: &Settings) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let mut config = Arc::new(configuration(settings)?);
    let core = Core::start(&config).await?;
    loop {
        let sources = core.watch(Arc::clone(&config));
        let asked = signals.next().await;
        sources.end().await;
        match asked {
            Asked::Stop => {
                core.end().await;
                return Ok(());
            }
            Asked::Reload => config = reload(settings, config),
        }
    }
}

/// The new configuration, or the old one where the new is wrong.
fn reload(settings: &Settings, old: Arc<Config>) -> Arc<Config> {
    match configuration(settings) {
        Ok(new) => {
            let fixed =
                "data, collector, spool, pipeline, labels and expose take effect at a restart";
            tracing::info!(fixed, "sources are configured anew");
            Arc::new(new)
        }
        Err(error) => {
            let error = error.to_string();
            tracing::error!(error, "the new configuration is wrong; the old one stays");
            old
        }
    }
}

/// What lives as long as the process: pipeline, spool, shipper, `/metrics`.
struct Core {
    queue: Queue,
    collections: mpsc::Sender<News>,
    describe: Describe,
    /// Ends when the last sender of collections is gone.
    pipeline: TaskTracker,
    /// Ends at the end of the drain.
    shipping: Group,
    /// Ends at once.
    others: Group,
}

/// Tasks that end together.
#[derive(Default)]
struct Group {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Group {
    fn spawn<F: Future<Output = ()> + Send + 'static>(
        &self,
        run: impl FnOnce(CancellationToken) -> F,
    ) {
        self.tasks.spawn(run(self.stop.clone()));
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Core {
    async fn start(config: &Config) -> Result<Self, Failure> {
        let (spool, _) = spool::open(&config.spool)
            .map_err(|error| Failure::running(error.to_string()).hint(error.hint()))?;
        tracing::info!(agent = %spool.agent(), host = config.host_name, "agent started");
        let queue = Queue::new(spool, &config.host_name);
        let (collections, arriving) = mpsc::channel(COLLECTIONS);
        let latest = config.expose.map(|_| Latest::default());
        let others = Group::default();
        if let (Some(address), Some(latest)) = (config.expose, latest.clone()) {
            let listener = expose::bind(address).await;
            let listener = listener.map_err(|error| Failure::running(error.to_string()))?;
            others.spawn(|stop| expose::serve(listener, latest, stop));
        }
        let tended = queue.clone();
        others.spawn(|stop| async move { tended.tend(stop).await });

        let pipeline = Pipeline::new(config.pipeline.clone(), config.labels.clone());
        let pipeline = Arc::new(Mutex::new(pipeline));
        let shipping = Group::default();
        let mut shipped = None;
        match config.collector.clone() {
            Some(settings) => {
                let shipper = Shipper::new(queue.clone(), settings);
                shipped = Some(shipper.stats());
                shipping.spawn(|stop| shipper.run(stop));
            }
            None => {
                let hint = "give --collector https://HOST:7700, or endpoints in [collector]";
                tracing::warn!(
                    hint,
                    "no collector is configured; the spool keeps what fits"
                );
            }
        }
        let describe = describe(queue.clone(), Arc::clone(&pipeline), shipped);
        let passing = TaskTracker::new();
        passing.spawn(pass(arriving, pipeline, latest, queue.clone()));
        Ok(Self {
            queue,
            collections,
            describe,
            pipeline: passing,
            shipping,
            others,
        })
    }

    /// Starts the sources, and looking for new ones.
    fn watch(&self, config: Arc<Config>) -> Group {
        let group = Group::default();
        let mut fleet = Fleet::new(
            group.tasks.clone(),
            self.collections.clone(),
            group.stop.clone(),
        );
        fleet.start_own(&config, vec![Arc::clone(&self.describe)]);
        group.spawn(|stop| look_again(config, fleet, stop));
        group
    }

    async fn end(self) {
        let Self {
            queue,
            collections,
            pipeline,
            shipping,
            others,
            ..
        } = self;
        drop(collections);
        pipeline.close();
        pipeline.wait().await;
        shipping.stop.cancel();
        shipping.tasks.close();
        if tokio::time::timeout(DRAIN, shipping.tasks.wait())
            .await
            .is_err()
        {
            let batches = queue.stats().pending.batches;
            tracing::info!(
                batches,
                "stopped with batches in the spool; they are sent next time"
            );
        }
        others.end().await;
        if let Err(error) = queue.close().await {
            tracing::error!(%error, "the spool could not be closed");
        }
        tracing::info!("agent stopped");
    }
}

/// Starts what is there, then whatever appears.
async fn look_again(config: Arc<Config>, mut fleet: Fleet, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_AGAIN);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        fleet.start(&config, &discovery::find(&config));
        // Sources only ever join a fleet; it is the fleet before a reload that had others.
        if !told {
            tokio::select! {
                () = stop.cancelled() => return,
                () = fleet.tell_who_runs() => told = true,
            }
        }
    }
}

/// Takes collections through the pipeline into the spool, until the last sender is gone.
async fn pass(
    mut arriving: mpsc::Receiver<News>,
    pipeline: Arc<Mutex<Pipeline>>,
    latest: Option<Latest>,
    queue: Queue,
) {
    let pipeline = || pipeline.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some(news) = arriving.recv().await {
        let batches = match news {
            News::Collected(collection) => {
                let name = collection.plan.full_name();
                let batch = pipeline().pass(collection);
                if let Some(latest) = &latest {
                    latest.put(name, Arc::new(batch.clone()));
                }
                vec![batch]
            }
            News::Watching { sources, at_ms } => {
                if let Some(latest) = &latest {
                    latest.keep(&sources.iter().map(Identity::full_name).collect());
                }
                pipeline().end_others(&sources, at_ms)
            }
        };
        for batch in batches {
            if let Err(error) = queue.append(batch).await {
                tracing::debug!(%error, "batch dropped");
            }
        }
    }
}

/// What the parts of the agent say of themselves.
fn describe(
    queue: Queue,
    pipeline: Arc<Mutex<Pipeline>>,
    shipped: Option<Arc<ship::Stats>>,
) -> Describe {
    Arc::new(move |now_ms, out| {
        queue.describe(now_ms, out);
        if let Some(shipped) = &shipped {
            shipped.describe(Instant::now(), out);
        }
        pipeline
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .describe(out);
    })
}

/// What a signal asks for.
enum Asked {
    Stop,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let on = |kind| {
            signal(kind)
                .map_err(|error| Failure::running(format!("cannot listen to signals: {error}")))
        };
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }
}
