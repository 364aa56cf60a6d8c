//! The roles of the lab's clusters, and how each logs in: over the Unix socket without a password, over
//! TCP with one.

/// Who logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The superuser `postgres`.
    Superuser,
    /// The application, `loans`, which owns the loan schema.
    Loans,
    /// The job that feeds the warehouse, `etl`, which owns the warehouse's tables.
    Etl,
    /// What the agent logs in as, `nightshift`, a member of `pg_monitor` and of nothing else.
    Monitor,
    /// What standbys stream as, `replicator`.
    Replicator,
}

impl Role {
    pub const ALL: [Self; 5] = [
        Self::Superuser,
        Self::Loans,
        Self::Etl,
        Self::Monitor,
        Self::Replicator,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Superuser => "postgres",
            Self::Loans => "loans",
            Self::Etl => "etl",
            Self::Monitor => "nightshift",
            Self::Replicator => "replicator",
        }
    }

    /// Known to everybody: a lab listens on the loopback interface only and holds made-up data.
    #[must_use]
    pub fn password(self) -> String {
        format!("{}-secret", self.name())
    }

    /// The statement that makes the role, or gives the superuser its password.
    #[must_use]
    pub(super) fn statement(self) -> String {
        let (name, password) = (self.name(), self.password());
        match self {
            Self::Superuser => format!("ALTER ROLE {name} PASSWORD '{password}'"),
            Self::Loans | Self::Etl => format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'"),
            Self::Monitor => {
                format!("CREATE ROLE {name} LOGIN PASSWORD '{password}' IN ROLE pg_monitor")
            }
            Self::Replicator => {
                format!("CREATE ROLE {name} LOGIN REPLICATION PASSWORD '{password}'")
            }
        }
    }
}
