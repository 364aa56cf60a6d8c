//! The lab: a PostgreSQL primary with streaming standbys, PgBouncer, Redis, a loan application, an ETL
//! job that feeds a warehouse, and containers; real programs on this machine, in one temporary folder.
//!
//! Each lab has its own folder, ports and processes, so that tests run side by side. When the lab is
//! dropped, and also when its process ends in any other way, all of it is gone ([`folder`]).
//! A test that needs one PostgreSQL server and no more takes a [`node::Node`] by itself.

pub mod account;
pub mod bouncer;
pub mod builder;
pub mod ceph;
pub mod docker;
pub mod etl;
pub mod folder;
pub mod launch;
mod loans;
pub mod node;
pub mod ports;
pub mod process;
pub mod redis;
pub mod release;
pub mod roles;
pub mod session;
pub mod strain;
mod template;
pub mod workload;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};

pub use self::account::Account;
use self::bouncer::PgBouncer;
pub use self::builder::Builder;
use self::docker::Docker;
use self::etl::Etl;
use self::folder::Folder;
use self::node::Node;
use self::redis::Redis;
use self::workload::Workload;

/// A running lab.
pub struct Lab {
    // The clients first: they are dropped first.
    workload: Workload,
    etl: Etl,
    bouncer: Option<PgBouncer>,
    redis: Option<Redis>,
    /// Or why there is none.
    docker: Result<Docker, String>,
    primary: Node,
    replicas: Vec<Node>,
    folder: Arc<Folder>,
}

impl Lab {
    /// A lab with a primary, and nothing else unless told.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The folder in which everything is.
    #[must_use]
    pub fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// The node that was started as primary.
    #[must_use]
    pub fn primary(&self) -> &Node {
        &self.primary
    }

    /// The nodes that were started as its standbys.
    #[must_use]
    pub fn replicas(&self) -> &[Node] {
        &self.replicas
    }

    /// All nodes, the primary first.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.primary).chain(&self.replicas)
    }

    /// The folder into which the primary archives its WAL.
    #[must_use]
    pub fn archive(&self) -> PathBuf {
        archive(self.folder.path())
    }

    /// An error if the lab was built without it.
    pub fn pgbouncer(&self) -> Result<&PgBouncer> {
        self.bouncer
            .as_ref()
            .context("this lab was built without PgBouncer")
    }

    /// An error if the lab was built without it.
    pub fn redis(&self) -> Result<&Redis> {
        self.redis
            .as_ref()
            .context("this lab was built without Redis")
    }

    /// An error that says why if there is none.
    pub fn docker(&self) -> Result<&Docker> {
        self.docker
            .as_ref()
            .map_err(|reason| anyhow!("no Docker: {reason}"))
    }

    /// The job that feeds the warehouse.
    #[must_use]
    pub fn etl(&self) -> &Etl {
        &self.etl
    }

    /// The loan application.
    #[must_use]
    pub fn workload(&self) -> &Workload {
        &self.workload
    }
}

fn archive(folder: &Path) -> PathBuf {
    folder.join("archive")
}
