//! The OS account under which servers run.
//!
//! PostgreSQL and PgBouncer refuse to run as root, so what root starts runs as `postgres`, the account
//! that Debian's packages make. Started by anyone else, everything runs as that user.

use anyhow::{Context, Result};
use nix::unistd::{Gid, Uid, User, geteuid};

/// Who runs a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// The user who started the lab: for Docker and for the daemons under test.
    Own,
    /// `postgres` if the lab was started by root, otherwise the user who started it.
    Service,
}

impl Account {
    /// The user and group to change to, if any.
    pub(super) fn switch(self) -> Result<Option<(Uid, Gid)>> {
        if self == Self::Own || !geteuid().is_root() {
            return Ok(None);
        }
        let user = User::from_name("postgres")
            .context("look up the OS user postgres")?
            .context("no OS user postgres; scripts/setup.sh installs the package that makes it")?;
        Ok(Some((user.uid, user.gid)))
    }
}
