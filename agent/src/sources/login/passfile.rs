//! libpq's password file, `~/.pgpass`: lines of `host:port:database:user:password`.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use wire::secret::Secret;

use super::{Host, Target};

/// No pass file is larger; a path that was set to something else must not fill the memory.
const MAX_BYTES: u64 = 1 << 20;

/// A pass file, read when a connection is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassFile(pub PathBuf);

impl PassFile {
    /// libpq's own: `PGPASSFILE`, or `.pgpass` in the home folder.
    #[must_use]
    pub fn usual() -> Option<Self> {
        let set = std::env::var_os("PGPASSFILE").map(PathBuf::from);
        set.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pgpass")))
            .map(Self)
    }

    /// The password for that target, if the file has one. As libpq does, a file that others may
    /// read counts for nothing.
    #[must_use]
    pub fn password_for(&self, target: &Target) -> Option<Secret> {
        let metadata = std::fs::metadata(&self.0).ok()?;
        if !metadata.is_file() || metadata.len() > MAX_BYTES {
            return None;
        }
        if metadata.mode() & 0o077 != 0 {
            tracing::warn!(
                file = %self.0.display(),
                hint = "chmod 600 it",
                "password file ignored: others than its owner may read it"
            );
            return None;
        }
        let text = std::fs::read_to_string(&self.0).ok()?;
        text.lines().find_map(|line| password_in(line, target))
    }
}

fn password_in(line: &str, target: &Target) -> Option<Secret> {
    if line.starts_with('#') {
        return None;
    }
    let fields = fields(line)?;
    let [host, port, database, user, password] = fields;
    let matches = |pattern: &str, value: &str| pattern == "*" || pattern == value;
    let host_matches = match &target.host {
        Host::Name(name) => matches(&host, name),
        Host::Folder(folder) => {
            host == "localhost" || matches(&host, &Path::new(folder).to_string_lossy())
        }
    };
    // The agent connects to every database with one password, so the database is not compared
    // where the line names one: it is still this role's password.
    let found = host_matches
        && matches(&port, &target.port.to_string())
        && matches(&user, &target.user)
        && (matches(&database, &target.dbname) || database != "replication");
    found.then(|| Secret::new(&password))
}

/// The five fields, with `\` before a colon or itself taken off.
fn fields(line: &str) -> Option<[String; 5]> {
    let mut fields: [String; 5] = Default::default();
    let mut at = 0;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => fields[at].push(characters.next()?),
            // The password is the rest of the line.
            ':' if at < 4 => at += 1,
            other => fields[at].push(other),
        }
    }
    (at == 4).then_some(fields)
}

#[cfg(test)]
mod tests;
