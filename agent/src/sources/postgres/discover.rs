//! Finds the PostgreSQL instances of this host without being told, and what the agent can read of
//! each.
//!
//! Two traces lead to an instance. A server process works in its data folder, whose
//! `postmaster.pid` says all that is needed; root and the server's own user can read it. A Unix
//! socket is listed in `/proc/net/unix` for everyone to read, and tells folder and port. PgBouncer
//! names its sockets alike, but only PostgreSQL keeps a lock file beside its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::refusal::quoted;
use super::{Databases, Postgres, Settings};
use crate::collect::{Gap, Gather, Source, SourceError};
use crate::sources::login::passfile::PassFile;
use crate::sources::login::{Encryption, Host, Target};

/// An instance of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The port, which also is the number in the socket's name.
    pub port: u16,
    /// The folder of its Unix socket; `None` where it has none.
    pub socket_folder: Option<PathBuf>,
    /// The data folder; `None` where the agent may not look.
    pub data: Option<PathBuf>,
    /// The major, from `PG_VERSION`; `None` where the agent may not look.
    pub major: Option<u32>,
    /// The server process; `None` where the agent may not look.
    pub pid: Option<u32>,
    /// Whether it lives in a container, with a file system of its own.
    pub contained: bool,
}

/// What can be read of an instance.
#[derive(Debug)]
pub struct Report {
    /// Whose.
    pub found: Found,
    /// As whom.
    pub role: String,
    /// Whether it could be connected to at all.
    pub outcome: Result<(), SourceError>,
    /// The views that answered.
    pub readable: Vec<String>,
    /// What did not, with the fix.
    pub gaps: Vec<Gap>,
    /// What would show more and is not needed.
    pub advice: Vec<Gap>,
}

impl Found {
    /// How to connect to it, as `role`.
    #[must_use]
    pub fn target(&self, role: &str) -> Target {
        let host = match &self.socket_folder {
            Some(folder) => Host::Folder(folder.clone()),
            None => Host::Name("localhost".to_owned()),
        };
        Target {
            host,
            port: self.port,
            user: role.to_owned(),
            dbname: "postgres".to_owned(),
            // It does not leave this host.
            encryption: Encryption::Off,
            given_password: None,
            passfile: PassFile::usual(),
            options: None,
        }
    }
}

/// The instances that run now. `proc` is `/proc`.
#[must_use]
pub fn instances(proc: &Path) -> Vec<Found> {
    let mut found: BTreeMap<(u16, Option<PathBuf>), Found> = BTreeMap::new();
    for instance in by_process(proc) {
        let key = (instance.port, instance.socket_folder.clone());
        found.insert(key, instance);
    }
    for (folder, port) in by_socket(proc) {
        found
            .entry((port, Some(folder.clone())))
            .or_insert_with(|| Found {
                port,
                socket_folder: Some(folder),
                data: None,
                major: None,
                pid: None,
                contained: false,
            });
    }
    without_second_sockets(found.into_values().collect())
}

/// Connects to an instance and collects once, to see what can be read of it.
pub async fn examine(found: Found, role: &str) -> Report {
    let settings = Settings::of(found.target(role));
    let mut out = Gather::default();
    let outcome = Postgres::new(settings.clone()).collect(&mut out).await;
    let outcome = match outcome {
        Ok(()) => Databases::new(settings).collect(&mut out).await,
        Err(error) => Err(error),
    };
    let (families, gaps) = out.finish();
    let labels = |name: &'static str, label: &'static str| {
        families
            .iter()
            .filter(move |family| family.name == name)
            .flat_map(|family| &family.points)
            .flat_map(move |point| point.labels.iter().filter(move |has| has.name == label))
            .map(|label| label.value.to_string())
    };
    let missing: Vec<&str> = gaps.iter().map(|gap| gap.what.as_str()).collect();
    let mut readable: Vec<String> = labels("nightshift_postgres_view_seconds", "view")
        .filter(|view| !missing.contains(&view.as_str()))
        .collect();
    readable.sort();
    let mut advice = Vec::new();
    if outcome.is_ok() && !readable.iter().any(|view| view == "file_settings") {
        advice.push(Gap {
            what: "lines of the configuration files that are not in effect".to_owned(),
            why: "pg_file_settings is for superusers unless granted".to_owned(),
            fix: format!(
                "GRANT SELECT ON pg_file_settings TO {role}; \
                 GRANT EXECUTE ON FUNCTION pg_show_all_file_settings() TO {role}",
                role = quoted(role)
            ),
        });
    }
    for family in families
        .iter()
        .filter(|family| family.name == "nightshift_postgres_sequences_unreadable")
    {
        for point in family.points.iter().filter(|point| point.value > 0.0) {
            let datname = point.labels.first().map_or("", |label| &label.value);
            advice.push(Gap {
                what: format!("{} sequences of database {datname}", point.value),
                why: "reading how far a sequence has counted needs SELECT on it".to_owned(),
                fix: format!(
                    "in {datname}: GRANT SELECT ON ALL SEQUENCES IN SCHEMA ... TO {}",
                    quoted(role)
                ),
            });
        }
    }
    Report {
        found,
        role: role.to_owned(),
        outcome,
        readable,
        gaps,
        advice,
    }
}

/// Server processes whose data folder the agent may look into.
fn by_process(proc: &Path) -> Vec<Found> {
    let own_root = std::fs::read_link(proc.join("self/ns/mnt")).ok();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(proc).into_iter().flatten().flatten() {
        let folder = entry.path();
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let name = std::fs::read_to_string(folder.join("comm")).unwrap_or_default();
        if !matches!(name.trim_end(), "postgres" | "postmaster") {
            continue;
        }
        // Every process of a server works in the data folder, but its lock file names only one.
        let data = folder.join("cwd");
        let Some(lock) = read_bounded(&data.join("postmaster.pid")) else {
            continue;
        };
        let Some((port, socket_folder)) = parse_lock(&lock, pid, proc) else {
            continue;
        };
        let version = read_bounded(&data.join("PG_VERSION")).unwrap_or_default();
        let root = std::fs::read_link(folder.join("ns/mnt")).ok();
        found.push(Found {
            port,
            socket_folder,
            data: std::fs::read_link(&data).ok(),
            major: version.trim().parse().ok(),
            pid: Some(pid),
            contained: own_root.is_some() && root != own_root,
        });
    }
    found
}

/// Port and socket folder from the lines of a `postmaster.pid`: process, data folder, start, port,
/// socket folder, address. In a container the process has another number inside, so there the lock
/// counts if the process is the server itself, which is no child of another server process.
fn parse_lock(lock: &str, pid: u32, proc: &Path) -> Option<(u16, Option<PathBuf>)> {
    let lines: Vec<&str> = lock.lines().collect();
    let named: u32 = lines.first()?.trim().parse().ok()?;
    if named != pid && !is_first_of_its_server(proc, pid) {
        return None;
    }
    if named != pid
        && proc
            .join(named.to_string())
            .join("cwd/postmaster.pid")
            .exists()
    {
        return None;
    }
    let port = lines.get(3)?.trim().parse().ok()?;
    let folder = lines.get(4).map(|line| line.trim()).unwrap_or_default();
    Some((port, (!folder.is_empty()).then(|| PathBuf::from(folder))))
}

fn is_first_of_its_server(proc: &Path, pid: u32) -> bool {
    let parent = || {
        let status = std::fs::read_to_string(proc.join(pid.to_string()).join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        let name = std::fs::read_to_string(proc.join(line.trim()).join("comm")).ok()?;
        Some(name)
    };
    !parent().is_some_and(|name| matches!(name.trim_end(), "postgres" | "postmaster"))
}

/// Folder and port of every listening socket that PostgreSQL keeps a lock file for.
fn by_socket(proc: &Path) -> Vec<(PathBuf, u16)> {
    /// `__SO_ACCEPTCON`, as the kernel prints it.
    const LISTENING: &str = "00010000";
    let table = std::fs::read_to_string(proc.join("net/unix")).unwrap_or_default();
    let mut found: Vec<(PathBuf, u16)> = table
        .lines()
        .filter(|line| line.split_whitespace().nth(3) == Some(LISTENING))
        // The path is the rest of the line and may hold spaces.
        .filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])))
        .filter_map(|path| {
            let port = path
                .file_name()?
                .to_str()?
                .strip_prefix(".s.PGSQL.")?
                .parse()
                .ok()?;
            let mut lock = path.as_os_str().to_owned();
            lock.push(".lock");
            Path::new(&lock)
                .exists()
                .then_some((path.parent()?.to_owned(), port))
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// A server may listen on sockets in several folders; its lock file names the first. The lock file
/// beside each of the others names the same process. One that cannot be read leaves the socket in
/// the list.
fn without_second_sockets(found: Vec<Found>) -> Vec<Found> {
    let known: Vec<u32> = found.iter().filter_map(|one| one.pid).collect();
    let same_server = |one: &Found| {
        let folder = one.socket_folder.as_ref()?;
        let lock = read_bounded(&folder.join(format!(".s.PGSQL.{}.lock", one.port)))?;
        let pid = lock.lines().next()?.trim().parse().ok()?;
        Some(known.contains(&pid))
    };
    found
        .into_iter()
        .filter(|one| one.pid.is_some() || same_server(one) != Some(true))
        .collect()
}

/// The files read here have a few lines; anything longer is something else.
fn read_bounded(path: &Path) -> Option<String> {
    const MOST: u64 = 4_096;
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > MOST {
        return None;
    }
    std::fs::read_to_string(path).ok()
}
