//! Building a lab: what is in it, and in which order it starts.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::{try_join, try_join_all};

use super::account::Account;
use super::bouncer::PgBouncer;
use super::docker::Docker;
use super::etl::Etl;
use super::folder::Folder;
use super::launch::Launch;
use super::node::Node;
use super::redis::Redis;
use super::roles::Role;
use super::workload::{Load, Workload};
use super::{Lab, archive, loans};

/// Whether a lab is to have what not every machine can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    No,
    Yes,
    IfPossible,
}

impl Wish {
    /// The engine, or why there is none.
    async fn fulfil(self, folder: &Arc<Folder>) -> Result<Result<Docker, String>> {
        match self {
            Self::No => Ok(Err("this lab was built without it".to_owned())),
            Self::Yes => Docker::start(folder).await.context("start Docker").map(Ok),
            Self::IfPossible => Ok(Docker::start(folder)
                .await
                .map_err(|error| format!("{error:#}"))),
        }
    }
}

/// What a lab is to have.
#[derive(Clone, Debug)]
pub struct Builder {
    replicas: u32,
    pgbouncer: bool,
    redis: bool,
    docker: Wish,
    customers: u32,
    etl_every: Option<Duration>,
    load: Option<Load>,
    settings: Vec<(String, String)>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            replicas: 0,
            pgbouncer: false,
            redis: false,
            docker: Wish::No,
            customers: 1_000,
            etl_every: None,
            load: None,
            settings: Vec::new(),
        }
    }
}

impl Builder {
    /// How many standbys stream from the primary; none unless told.
    #[must_use]
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// Whether PgBouncer stands in front of the primary.
    #[must_use]
    pub fn pgbouncer(mut self, wanted: bool) -> Self {
        self.pgbouncer = wanted;
        self
    }

    /// Whether there is a Redis.
    #[must_use]
    pub fn redis(mut self, wanted: bool) -> Self {
        self.redis = wanted;
        self
    }

    /// Whether there is a Docker engine; starting fails where there can be none.
    #[must_use]
    pub fn docker(mut self, wanted: bool) -> Self {
        self.docker = if wanted { Wish::Yes } else { Wish::No };
        self
    }

    /// Has a Docker engine where one can be started, and does without it elsewhere.
    #[must_use]
    pub fn docker_if_possible(mut self) -> Self {
        self.docker = Wish::IfPossible;
        self
    }

    /// How many customers the loan database starts with; 1,000 unless told, each with two loans of
    /// about seven payments.
    #[must_use]
    pub fn customers(mut self, customers: u32) -> Self {
        self.customers = customers.max(1);
        self
    }

    /// Schedules the ETL job from the start.
    #[must_use]
    pub fn etl_every(mut self, every: Duration) -> Self {
        self.etl_every = Some(every);
        self
    }

    /// Starts the loan application from the start.
    #[must_use]
    pub fn workload(mut self, load: Load) -> Self {
        self.load = Some(load);
        self
    }

    /// A setting that the primary starts with, which its standbys copy.
    #[must_use]
    pub fn set(mut self, setting: &str, value: &str) -> Self {
        self.settings.push((setting.to_owned(), value.to_owned()));
        self
    }

    /// Starts everything and returns once everything answers and every standby streams.
    pub async fn start(self) -> Result<Lab> {
        let folder = Folder::new()?;
        let docker = async { self.docker.fulfil(&folder).await };
        let (cluster, docker) = try_join(self.cluster(&folder), docker).await?;
        let (primary, replicas) = cluster;
        let bouncer = match self.pgbouncer {
            true => Some(
                PgBouncer::start(&folder, &primary)
                    .await
                    .context("start PgBouncer")?,
            ),
            false => None,
        };
        let redis = if self.redis {
            Some(fill(Redis::start(&folder).await?).await?)
        } else {
            None
        };
        let mut routes = vec![primary.tcp_dsn(Role::Loans, "loans")];
        routes.extend(
            bouncer
                .as_ref()
                .map(|bouncer| bouncer.dsn(Role::Loans, "loans")),
        );
        let workload = Workload::new(routes, self.customers);
        let etl = Etl::new(|role, database| primary.tcp_dsn(role, database));
        if let Some(every) = self.etl_every {
            // One run that is late or fails is no reason to tell anybody.
            let patience = 4 * every.as_millis();
            let set = format!("UPDATE audit.jobs SET max_age = {patience} * interval '1 ms'");
            primary.sql_in("warehouse", &set).await?;
            etl.schedule(every);
        }
        if let Some(load) = self.load {
            workload.start(load);
        }
        Ok(Lab {
            workload,
            etl,
            bouncer,
            redis,
            docker,
            primary,
            replicas,
            folder,
        })
    }

    async fn cluster(&self, folder: &Arc<Folder>) -> Result<(Node, Vec<Node>)> {
        let primary = self.primary(folder).await.context("start the primary")?;
        loans::create(&primary, self.customers).await?;
        let replicas = (1..=self.replicas).map(|number| {
            let name = format!("node{}", number + 1);
            let builder = Node::builder().placed(folder, &name);
            let primary = &primary;
            async move {
                builder
                    .follow(primary)
                    .await
                    .with_context(|| format!("start {name}"))
            }
        });
        let replicas = try_join_all(replicas).await?;
        for replica in &replicas {
            replica.catch_up_with(&primary).await?;
        }
        Ok((primary, replicas))
    }

    async fn primary(&self, folder: &Arc<Folder>) -> Result<Node> {
        // Made by the account that PostgreSQL runs as, which is to write there.
        folder
            .run(&Launch::new("archive", "true", Account::Service))
            .await?;
        let archive = archive(folder.path()).display().to_string();
        let copy = format!("test ! -f {archive}/%f && cp %p {archive}/%f");
        let builder = Node::builder()
            .placed(folder, "node1")
            .set("archive_mode", "on")
            .set("archive_command", &copy)
            .set("shared_preload_libraries", "pg_stat_statements")
            .set("hot_standby", "on")
            .set("wal_keep_size", "64MB")
            .set("log_checkpoints", "on")
            .set("log_lock_waits", "on");
        let settings = self.settings.iter();
        settings
            .fold(builder, |builder, (name, value)| builder.set(name, value))
            .start()
            .await
    }
}

/// Sessions as an application would keep them: some that expire, some that do not.
async fn fill(redis: Redis) -> Result<Redis> {
    for number in 0..20 {
        let key = format!("session:{number}");
        redis.command(&["SET", &key, "customer"]).await?;
        if number % 2 == 0 {
            redis.command(&["EXPIRE", &key, "3600"]).await?;
        }
    }
    Ok(redis)
}
