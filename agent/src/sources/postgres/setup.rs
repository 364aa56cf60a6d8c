//! The SQL that lets the agent in: printed or run by `nightshift-agent setup-postgres`.
//!
//! `pg_monitor` is what the agent needs. What goes beyond it is small and only reveals what an
//! operator of the server may see anyway: the lines of the configuration file, and how far
//! sequences have counted.

use super::refusal::quoted;
use super::session::Session;
use crate::collect::SourceError;
use crate::sources::login::Target;
use tokio::time::{Duration, Instant};

/// What a piece of SQL is to be run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Once, in the database that the agent connects to first.
    Instance,
    /// In each database.
    Database,
}

/// The SQL for that extent. It may be run again without harm.
///
/// The role is made without a password: on the host itself `peer` or a password that an operator
/// sets by `\password` is better than one that stands in a shell's history.
#[must_use]
pub fn setup_sql(role: &str, major: u32, extent: Extent) -> String {
    let name = quoted(role);
    match extent {
        Extent::Instance => format!(
            "{create}\n\
             -- What the agent reads: statistics of all sessions, settings, lists of WAL files.\n\
             GRANT pg_monitor TO {name};\n\
             -- Which lines of the configuration files are not in effect.\n\
             GRANT SELECT ON pg_catalog.pg_file_settings TO {name};\n\
             GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() TO {name};\n\
             -- Statements by total time. Needs shared_preload_libraries = 'pg_stat_statements'.\n\
             CREATE EXTENSION IF NOT EXISTS pg_stat_statements;\n\
             -- The agent needs at most five connections.\n\
             ALTER ROLE {name} CONNECTION LIMIT 10;\n",
            create = create_role(role),
        ),
        Extent::Database => format!(
            "-- How far sequences have counted, in the schemas there are now and from now on.\n\
             DO $setup$ DECLARE s text; BEGIN\n  \
               FOR s IN SELECT nspname FROM pg_catalog.pg_namespace\n    \
                 WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' LOOP\n    \
                 EXECUTE format('GRANT USAGE ON SCHEMA %I TO {inner}', s);\n    \
                 EXECUTE format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %I TO {inner}', s);\n  \
               END LOOP;\n\
             END $setup$;\n\
             ALTER DEFAULT PRIVILEGES GRANT SELECT ON SEQUENCES TO {name};\n{note}",
            inner = name.replace('\'', "''").replace('%', "%%"),
            note = if major >= 14 {
                ""
            } else {
                "-- Default privileges hold for what the role that runs this creates.\n"
            },
        ),
    }
}

/// Runs all of it as `admin` is: a superuser, or a role that may create roles. Gives what was run,
/// for the operator to read.
pub async fn apply(admin: &Target, role: &str) -> Result<Vec<(String, String)>, SourceError> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let home = Session::open(admin, &admin.dbname, deadline).await?;
    let refused = |database: &str, error: &dyn std::fmt::Display| {
        SourceError::new(format!("cannot set up database {database:?} of {admin}"))
            .detail(error)
            .hint("run it as a superuser: runuser -u postgres -- nightshift-agent setup-postgres --apply")
    };
    let facts = match home.facts(deadline).await {
        Ok(facts) => facts,
        Err(error) => return Err(refused(&admin.dbname, &error)),
    };
    let mut ran = Vec::new();
    let sql = setup_sql(role, facts.major, Extent::Instance);
    // The extension belongs into the schema that the operator's own session would put it in.
    if let Err(error) = home
        .query(&format!("RESET search_path;\n{sql}"), deadline)
        .await
    {
        return Err(refused(&admin.dbname, &error));
    }
    ran.push((admin.dbname.clone(), sql));
    let list = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate \
        AND datconnlimit <> -2 ORDER BY datname";
    let databases = match home.query(list, deadline).await {
        Ok(rows) => rows,
        Err(error) => return Err(refused(&admin.dbname, &error)),
    };
    for database in databases.iter().filter_map(|row| row.get(0)) {
        let session = Session::open(admin, database, deadline).await?;
        let sql = setup_sql(role, facts.major, Extent::Database);
        if let Err(error) = session.query(&sql, deadline).await {
            return Err(refused(database, &error));
        }
        ran.push((database.to_owned(), sql));
    }
    Ok(ran)
}

fn create_role(role: &str) -> String {
    let (name, literal) = (quoted(role), role.replace('\'', "''"));
    format!(
        "DO $setup$ BEGIN\n  \
           IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{literal}') THEN\n    \
             CREATE ROLE {name} LOGIN;\n  \
           END IF;\n\
         END $setup$;"
    )
}
