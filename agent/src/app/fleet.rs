//! From settings to running sources: which source, under which `job` and `instance`, at which pace.
//!
//! There is one list of the kinds of sources, in [`visit_all`]; running, collecting once and looking
//! for a person are visitors of it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, join_all};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::collect::{Gap, Gather, Source, SourceError};
use crate::config::{Config, Sources};
use crate::schedule::{self, Collection, Identity, News, Plan};
use crate::sources::containers::{self, Containers};
use crate::sources::host::{self, Host};
use crate::sources::own::{self, Describe, Own};
use crate::sources::pgbouncer::{self, Pgbouncer};
use crate::sources::postgres::{self, Databases, Postgres};
use crate::sources::probe::{self, Probe};
use crate::sources::prometheus::Scrape;
use crate::sources::redis::{self, Redis};
use crate::sources::sql::Sql;

/// What is done with each source: run it until stopped, or collect from it once.
trait Visitor {
    fn visit<S: Source>(&mut self, source: S, plan: Plan);
}

/// Runs sources, each in a task of its own, each once.
pub struct Fleet {
    tasks: TaskTracker,
    out: mpsc::Sender<News>,
    stop: CancellationToken,
    /// By their full names.
    running: BTreeMap<String, Identity>,
}

impl Fleet {
    /// A fleet whose tasks count in `tasks`, send to `out` and end with `stop`.
    #[must_use]
    pub fn new(tasks: TaskTracker, out: mpsc::Sender<News>, stop: CancellationToken) -> Self {
        Self {
            tasks,
            out,
            stop,
            running: BTreeMap::new(),
        }
    }

    /// Starts those of `sources` that do not run yet.
    pub fn start(&mut self, config: &Config, sources: &Sources) {
        visit_all(config, sources, self);
    }

    /// Tells the pipeline which sources run, so that those of a former fleet end which do not.
    pub async fn tell_who_runs(&self) {
        let sources: BTreeSet<Identity> = self.running.values().cloned().collect();
        let at_ms = schedule::now_ms();
        // Without a pipeline there is nobody to tell.
        self.out.send(News::Watching { sources, at_ms }).await.ok();
    }

    /// Starts the agent's view of itself.
    pub fn start_own(&mut self, config: &Config, parts: Vec<Describe>) {
        // The agent's own numbers change slowly and must not cost more than what they measure.
        let interval = Duration::from_secs(10);
        let pace = (interval, Duration::from_secs(5));
        self.visit(
            Own::new(parts),
            plan("agent", own::JOB, config.host_name.clone(), pace),
        );
    }
}

impl Visitor for Fleet {
    fn visit<S: Source>(&mut self, source: S, plan: Plan) {
        if let Entry::Vacant(place) = self.running.entry(plan.full_name()) {
            place.insert(plan.identity());
            tracing::info!(source = plan.source, instance = plan.instance, "watching");
            let run = schedule::run(source, plan, self.out.clone(), self.stop.clone());
            self.tasks.spawn(run);
        }
    }
}

/// Collects once from every source, all at the same time.
pub async fn once(config: &Config, sources: &Sources) -> Vec<Collection> {
    struct Once(Vec<BoxFuture<'static, Collection>>);
    impl Visitor for Once {
        fn visit<S: Source>(&mut self, source: S, plan: Plan) {
            self.0.push(schedule::once(source, plan).boxed());
        }
    }
    let mut visitor = Once(Vec::new());
    visit_all(config, sources, &mut visitor);
    join_all(visitor.0).await
}

/// What one look at a source showed.
#[derive(Debug)]
pub struct Look {
    /// Which source.
    pub plan: Plan,
    /// How many series it gave.
    pub series: usize,
    /// Why it could not be read, if so.
    pub error: Option<SourceError>,
    /// Which parts of it could not be read.
    pub gaps: Vec<Gap>,
}

/// Looks at every source once, for a person who wants to know what can be read.
pub async fn look(config: &Config, sources: &Sources) -> Vec<Look> {
    struct Looks(Vec<BoxFuture<'static, Look>>);
    impl Visitor for Looks {
        fn visit<S: Source>(&mut self, mut source: S, plan: Plan) {
            let look = async move {
                let mut out = Gather::new(schedule::now_ms());
                let late = || SourceError::new("it did not answer in time");
                let looked = tokio::time::timeout(plan.timeout, source.collect(&mut out)).await;
                let error = looked.map_err(|_| late()).and_then(|looked| looked).err();
                let series = out.series();
                let (_, mut gaps) = out.finish();
                gaps.sort();
                gaps.dedup();
                Look {
                    plan,
                    series,
                    error,
                    gaps,
                }
            };
            self.0.push(look.boxed());
        }
    }
    let mut visitor = Looks(Vec::new());
    visit_all(config, sources, &mut visitor);
    join_all(visitor.0).await
}

fn visit_all(config: &Config, sources: &Sources, visitor: &mut impl Visitor) {
    let host_name = || config.host_name.clone();
    if let Some(settings) = &sources.host {
        let pace = (settings.interval, settings.timeout);
        visitor.visit(
            Host::new(settings.clone()),
            plan("host", host::JOB, host_name(), pace),
        );
    }
    if let Some(settings) = &sources.containers {
        let pace = (settings.interval, settings.timeout);
        let plan = plan("containers", containers::JOB, host_name(), pace);
        visitor.visit(Containers::new(settings.clone()), plan);
    }
    for settings in &sources.postgres {
        visit_postgres(config, settings, visitor);
    }
    visit_services(config, sources, visitor);
}

fn visit_services(config: &Config, sources: &Sources, visitor: &mut impl Visitor) {
    let named = |instance: String| instance_of(&config.host_name, instance);
    for settings in &sources.pgbouncer {
        let plan = plan(
            "pgbouncer",
            pgbouncer::JOB,
            named(settings.instance()),
            settings.pace.into(),
        );
        visitor.visit(Pgbouncer::new(settings.clone()), plan);
    }
    for settings in &sources.redis {
        let plan = plan(
            "redis",
            redis::JOB,
            named(settings.instance()),
            settings.pace.into(),
        );
        visitor.visit(Redis::new(settings.clone()), plan);
    }
    for settings in &sources.probe {
        let plan = plan(
            "probe",
            probe::JOB,
            settings.instance(),
            settings.pace.into(),
        );
        visitor.visit(Probe::new(settings.clone()), plan);
    }
    for settings in &sources.scrape {
        let plan = plan(
            "scrape",
            &settings.job,
            settings.instance(),
            settings.pace.into(),
        );
        visitor.visit(Scrape::new(settings.clone()), plan);
    }
    for settings in &sources.sql {
        let plan = plan(
            "sql",
            &settings.job,
            settings.instance(&config.host_name),
            settings.pace.into(),
        );
        visitor.visit(Sql::new(settings.clone()), plan);
    }
}

/// An instance is looked at by two sources: one for the server, one, slower, for its databases.
fn visit_postgres(config: &Config, settings: &postgres::Settings, visitor: &mut impl Visitor) {
    let mut settings = settings.clone();
    settings.legacy_names |= config.legacy_names;
    let instance = settings.instance(&config.host_name);
    let pace = (settings.interval, settings.timeout);
    let server = plan("postgres", postgres::JOB, instance.clone(), pace);
    visitor.visit(Postgres::new(settings.clone()), server);
    let pace = (settings.databases_interval, settings.databases_timeout);
    let mut databases = plan("postgres_databases", postgres::JOB, instance, pace);
    databases.speaks_for_target = false;
    visitor.visit(Databases::new(settings), databases);
}

/// An address of this host, under the host's name: `127.0.0.1:6379` says nothing in a fleet.
fn instance_of(host_name: &str, address: String) -> String {
    let local = ["127.0.0.1:", "localhost:", "[::1]:"];
    match local.iter().find_map(|prefix| address.strip_prefix(prefix)) {
        Some(port) => format!("{host_name}:{port}"),
        None => address,
    }
}

fn plan(
    source: &'static str,
    job: &str,
    instance: String,
    (interval, timeout): (Duration, Duration),
) -> Plan {
    Plan {
        source,
        job: job.to_owned(),
        instance,
        speaks_for_target: true,
        interval,
        timeout,
    }
}
