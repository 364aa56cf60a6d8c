//! Making a PostgreSQL server: a single one, or a standby that follows a primary.

use std::fs;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};

use super::{Node, configure};
use crate::lab::account::Account;
use crate::lab::folder::Folder;
use crate::lab::launch::Launch;
use crate::lab::ports::Port;
use crate::lab::release::{self, Release};
use crate::lab::roles::Role;
use crate::lab::template;

/// Without a password over the socket, with one over TCP.
const LOGINS: &str = "\
local all all trust
local replication all trust
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
";

/// What every server of a lab is started with. Durability is off because its data need not survive the
/// machine, and dynamic shared memory is kept in the data folder so that a kill leaves none in /dev/shm.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("fsync", "off"),
    ("dynamic_shared_memory_type", "mmap"),
    // New WAL segments are not filled with zeros first, which is most of what a short test would write.
    ("wal_init_zero", "off"),
    ("shared_buffers", "32MB"),
    ("max_connections", "100"),
    ("max_wal_size", "256MB"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
    ("track_io_timing", "on"),
];

/// How a server is to be.
#[derive(Debug)]
pub struct Builder {
    name: String,
    major: u32,
    settings: Vec<(String, String)>,
    folder: Option<Arc<Folder>>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            name: "node1".to_owned(),
            major: release::DEFAULT,
            settings: Vec::new(),
            folder: None,
        }
    }

    /// Which major version of PostgreSQL; 15 unless told.
    #[must_use]
    pub fn major(mut self, major: u32) -> Self {
        self.major = major;
        self
    }

    /// A setting that it starts with.
    #[must_use]
    pub fn set(mut self, setting: &str, value: &str) -> Self {
        self.settings.push((setting.to_owned(), value.to_owned()));
        self
    }

    /// Another name than `node1`, and an existing folder, to have several servers in one.
    #[must_use]
    pub fn placed(mut self, folder: &Arc<Folder>, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self.folder = Some(Arc::clone(folder));
        self
    }

    /// Makes an empty server with the lab's roles and starts it.
    pub async fn start(self) -> Result<Node> {
        let node = self.node()?;
        let data = template::new_data_folder(&node.folder, &node.name, &node.release).await?;
        fs::write(data.join("pg_hba.conf"), LOGINS).context("write pg_hba.conf")?;
        let fixed = SETTINGS
            .iter()
            .map(|&(setting, value)| (setting.to_owned(), value.to_owned()));
        let settings: Vec<_> = fixed
            .chain(own_settings(&node))
            .chain(self.settings)
            .collect();
        configure(&data, &settings)?;
        node.start().await?;
        node.sql(&Role::ALL.map(Role::statement).join(";")).await?;
        Ok(node)
    }

    /// Clones `primary` with `pg_basebackup` and starts the clone as its standby, on a physical slot that
    /// bears its name.
    pub async fn follow(self, primary: &Node) -> Result<Node> {
        let node = self.node()?;
        // A clone is of all databases, so the one that is named does not matter.
        let source = primary.tcp_dsn(Role::Replicator, "postgres");
        let source = format!("{source} application_name={}", node.name);
        let clone = primary.release().program("pg_basebackup");
        let launch = Launch::new(&node.name, clone, Account::Service)
            .arg("-D")
            .arg(node.data())
            .args([
                "-X",
                "stream",
                "-c",
                "fast",
                "--no-sync",
                "-R",
                "-C",
                "-S",
                &node.name,
            ])
            .args(["-d", &source]);
        node.folder.run(&launch).await?;
        let settings: Vec<_> = own_settings(&node)
            .into_iter()
            .chain(self.settings)
            .collect();
        configure(&node.data(), &settings)?;
        node.start().await?;
        Ok(node)
    }

    fn node(&self) -> Result<Node> {
        let folder = match &self.folder {
            Some(folder) => Arc::clone(folder),
            None => Folder::new()?,
        };
        Ok(Node {
            name: self.name.clone(),
            release: Release::find(self.major)?,
            port: Port::claim().context("claim a port for PostgreSQL")?,
            process: Mutex::new(None),
            folder,
        })
    }
}

/// The settings in which each server differs from the next.
fn own_settings(node: &Node) -> Vec<(String, String)> {
    let home = node.home().display().to_string();
    let pairs = [
        ("port", node.port().to_string()),
        ("unix_socket_directories", home),
        ("cluster_name", node.name.clone()),
    ];
    pairs
        .map(|(setting, value)| (setting.to_owned(), value))
        .into()
}
