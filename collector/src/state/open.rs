//! Opening the file: whole, or moved aside and begun anew.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Row, SqlSafeStr};
use tokio::sync::watch;

use super::{FILE, StateDb, StateError};

/// How long a statement waits for another one: a commit waits for the disk, and disks stall.
const BUSY: Duration = Duration::from_secs(10);

/// How many read at once: people who look at the history.
const READERS: u32 = 2;

/// What came before; each is applied once, in this order, and never changed afterwards.
const MIGRATIONS: [(i64, &str, &str); 4] = [
    (1, "alerts", include_str!("migrations/0001_alerts.sql")),
    (2, "notify", include_str!("migrations/0002_notify.sql")),
    (
        3,
        "incidents",
        include_str!("migrations/0003_incidents.sql"),
    ),
    (4, "posted", include_str!("migrations/0004_posted.sql")),
];

/// SQLite's numbers for a file that is damaged, and for one that is no database.
const DAMAGE: [&str; 2] = ["11", "26"];

/// What was damaged, and where it lies now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Where it was moved.
    pub moved_to: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

impl StateDb {
    /// Opens the file in a data folder, which is created if it is not there. A damaged one is moved
    /// aside and said; `now_ms` is in its new name.
    pub async fn open(data: &Path, now_ms: i64) -> Result<(Self, Option<Damaged>), StateError> {
        let path = data.join(FILE);
        let damage = match Self::open_file(&path).await {
            Ok(db) => match db.check(&path).await? {
                None => return Ok((db, None)),
                Some(damage) => {
                    db.close().await;
                    damage
                }
            },
            Err(error) => damage_of(&error).ok_or(error)?,
        };
        let moved_to = move_aside(&path, now_ms).map_err(|source| StateError::MoveAside {
            path: path.clone(),
            source,
        })?;
        let db = Self::open_file(&path).await?;
        let what = damage;
        Ok((db, Some(Damaged { moved_to, what })))
    }

    async fn open_file(path: &Path) -> Result<Self, StateError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY);
        let failed = |source| StateError::Open {
            path: path.to_owned(),
            source,
        };
        let pool = |most| {
            SqlitePoolOptions::new()
                .max_connections(most)
                .acquire_timeout(BUSY)
        };
        let writer = pool(1)
            .connect_with(options.clone())
            .await
            .map_err(failed)?;
        migrate(&writer)
            .await
            .map_err(|source| StateError::Migrate {
                path: path.to_owned(),
                source,
            })?;
        let readers = pool(READERS).connect_lazy_with(options.read_only(true));
        let newest = sqlx::query("SELECT value FROM counter WHERE name = 'alert_event'");
        let newest = newest.fetch_one(&writer).await;
        let newest = newest.and_then(|row| row.try_get::<i64, _>(0));
        let newest = watch::Sender::new(newest.map_err(failed)?);
        Ok(Self {
            writer,
            readers,
            newest,
            outbox: watch::Sender::new(0),
        })
    }

    /// What is wrong with the file, if anything is.
    async fn check(&self, path: &Path) -> Result<Option<String>, StateError> {
        let found = sqlx::query("PRAGMA quick_check(1)")
            .fetch_one(&self.writer)
            .await;
        let found = found.and_then(|row| row.try_get::<String, _>(0));
        match found {
            Ok(found) if found == "ok" => Ok(None),
            Ok(found) => Ok(Some(found)),
            Err(source) => {
                let error = StateError::Open {
                    path: path.to_owned(),
                    source,
                };
                damage_of(&error).ok_or(error).map(Some)
            }
        }
    }
}

async fn migrate(pool: &SqlitePool) -> Result<(), MigrateError> {
    let migrations = MIGRATIONS.into_iter().map(|(version, name, sql)| {
        let kind = MigrationType::Simple;
        Migration::new(version, name.into(), kind, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
        .run(pool)
        .await
}

/// What the error says of the file, where it means that the file is damaged.
fn damage_of(error: &StateError) -> Option<String> {
    let source = match error {
        StateError::Open { source, .. } => source,
        StateError::Migrate {
            source: MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _),
            ..
        } => source,
        _ => return None,
    };
    let database = source.as_database_error()?;
    let code = database.code()?;
    // The low byte is the kind; the rest of the number says more of it.
    let kind = code.parse::<u32>().ok()? & 0xff;
    let is_damage = DAMAGE.contains(&kind.to_string().as_str());
    is_damage.then(|| database.message().to_owned())
}

/// The file and what belongs to it, under a name of its own each time.
fn move_aside(path: &Path, now_ms: i64) -> io::Result<PathBuf> {
    let with = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = format!(".damaged-{now_ms}");
    for part in ["-wal", "-shm"] {
        match std::fs::rename(with(part), with(&format!("{aside}{part}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let to = with(&aside);
    std::fs::rename(path, &to)?;
    Ok(to)
}
