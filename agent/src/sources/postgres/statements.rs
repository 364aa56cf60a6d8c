//! `pg_stat_statements`: the statements with most total time, by queryid, and their text.
//!
//! Constraint: the text file of the extension can hold hundreds of megabytes. Numbers are read
//! without it. A text is fetched once for a queryid, cut by the server, redacted here and kept in a
//! bounded cache; a fetch makes the server read the whole file, so one that took long is not
//! repeated before a hundred times as long.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::SimpleQueryRow;
use tokio_postgres::error::SqlState;

use super::agenda::Round;
use super::redact;
use super::refusal::{self, quoted};
use super::session::QueryError;
use super::view::{View, aside, counter, label};
use crate::collect::Gather;

/// Columns by the minor version of the extension: 1.8 came with 13, 1.12 with 18. The extension of
/// an upgraded server may be older than the server.
static STATEMENTS: View = View {
    name: "statements",
    with: "WITH s AS (SELECT * FROM {schema}.pg_stat_statements(false) WHERE queryid IS NOT NULL)",
    columns: &[
        label("user", "pg_get_userbyid(s.userid)"),
        label("datname", "d.datname"),
        label("queryid", "s.queryid"),
        counter(
            "pg_stat_statements_calls_total",
            "sum(calls)",
            "Times that the statement was executed.",
        ),
        counter(
            "pg_stat_statements_seconds_total",
            "sum(total_exec_time) / 1000",
            "Time spent in the statement.",
        ),
        counter(
            "pg_stat_statements_rows_total",
            "sum(rows)",
            "Rows that the statement gave or changed.",
        ),
        counter(
            "pg_stat_statements_block_read_seconds_total",
            "sum(blk_read_time) / 1000",
            "Time the statement spent reading blocks.",
        )
        .until(11),
        counter(
            "pg_stat_statements_block_read_seconds_total",
            "sum(shared_blk_read_time) / 1000",
            "Time the statement spent reading blocks.",
        )
        .since(11),
        counter(
            "pg_stat_statements_block_write_seconds_total",
            "sum(blk_write_time) / 1000",
            "Time the statement spent writing blocks.",
        )
        .until(11),
        counter(
            "pg_stat_statements_block_write_seconds_total",
            "sum(shared_blk_write_time) / 1000",
            "Time the statement spent writing blocks.",
        )
        .since(11),
        counter(
            "pg_stat_statements_shared_blks_hit_total",
            "sum(shared_blks_hit)",
            "Blocks that the statement found in shared buffers.",
        ),
        counter(
            "pg_stat_statements_shared_blks_read_total",
            "sum(shared_blks_read)",
            "Blocks that the statement read from outside of shared buffers.",
        ),
        counter(
            "pg_stat_statements_temp_blks_written_total",
            "sum(temp_blks_written)",
            "Blocks that the statement wrote to temporary files.",
        ),
        counter(
            "pg_stat_statements_wal_bytes_total",
            "sum(wal_bytes)",
            "WAL that the statement wrote.",
        ),
        aside("count(*) OVER ()"),
    ],
    from: "FROM s JOIN pg_database AS d ON d.oid = s.dbid \
        GROUP BY 1, 2, 3 ORDER BY sum(total_exec_time) DESC, 3 LIMIT {limit}",
    ..View::USUAL
};

/// How long a missing extension is not looked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Longest text, in characters: enough to know a statement by.
const TEXT_LENGTH: u32 = 1_024;
/// A fetch of texts may take this share of the server's time: one part in so many.
const TEXT_SHARE: u32 = 100;

/// The statements of one instance.
pub(crate) struct Statements {
    limit: u32,
    extension: Extension,
    texts: HashMap<String, String>,
    fetch_due: Option<Instant>,
    took: Option<Duration>,
}

enum Extension {
    Unknown,
    Missing {
        look_again: Instant,
    },
    Found {
        sql: String,
        schema: String,
        minor: u32,
    },
}

impl Statements {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            limit,
            extension: Extension::Unknown,
            texts: HashMap::new(),
            fetch_due: None,
            took: None,
        }
    }

    /// Gives the statements. An error means that the session is lost.
    pub(crate) async fn run(
        &mut self,
        round: &Round<'_>,
        out: &mut Gather,
    ) -> Result<(), QueryError> {
        if self.limit == 0 {
            return Ok(());
        }
        if !round.facts.all_stats {
            let reason = refusal::lacks_monitor(round.facts);
            out.gap(STATEMENTS.name, reason.why, reason.fix);
            return Ok(());
        }
        self.look_for_extension(round).await?;
        let Extension::Found { sql, schema, minor } = &self.extension else {
            out.gap(
                STATEMENTS.name,
                format!("the extension is not in database {}", round.facts.database),
                format!(
                    "in database {}: CREATE EXTENSION pg_stat_statements (it also has to be in \
                     shared_preload_libraries)",
                    quoted(&round.facts.database)
                ),
            );
            return Ok(());
        };
        let (schema, minor) = (schema.clone(), *minor);
        let began = Instant::now();
        let rows = match round.session.query(sql, round.deadline).await {
            Ok(rows) => rows,
            Err(error) if error.session_lives() => {
                self.extension = Extension::Unknown;
                give_gap(round, &error, out);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.took = Some(began.elapsed());
        STATEMENTS.read(&rows, minor, out);
        give_left_out(&rows, out);
        let ids: Vec<&str> = rows.iter().filter_map(|row| row.get(2)).collect();
        self.fetch_texts(round, &schema, &ids, out).await?;
        self.give_texts(&ids, out);
        Ok(())
    }

    /// How long the numbers took to read.
    pub(crate) fn took(&self) -> Option<(&'static str, Duration)> {
        Some((STATEMENTS.name, self.took?))
    }

    async fn look_for_extension(&mut self, round: &Round<'_>) -> Result<(), QueryError> {
        let now = Instant::now();
        match &self.extension {
            Extension::Found { .. } => return Ok(()),
            Extension::Missing { look_again } if now < *look_again => return Ok(()),
            _ => {}
        }
        let found = round
            .session
            .query(
                "SELECT quote_ident(n.nspname), split_part(e.extversion, '.', 2) \
                 FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace \
                 WHERE e.extname = 'pg_stat_statements'",
                round.deadline,
            )
            .await?;
        let found = found.first().and_then(|row| {
            let minor = row.get(1)?.parse().ok()?;
            Some((row.get(0)?.to_owned(), minor))
        });
        self.extension = match found {
            Some((schema, minor)) => Extension::Found {
                sql: STATEMENTS
                    .sql(minor, self.limit)
                    .replace("{schema}", &schema),
                schema,
                minor,
            },
            None => Extension::Missing {
                look_again: now + LOOK_AGAIN,
            },
        };
        Ok(())
    }

    /// Fetches the texts that are not known yet, unless that would cost the server too much.
    async fn fetch_texts(
        &mut self,
        round: &Round<'_>,
        schema: &str,
        ids: &[&str],
        out: &mut Gather,
    ) -> Result<(), QueryError> {
        let began = Instant::now();
        // Ids come from the server as numbers; nothing else is put into a query.
        let unknown: Vec<&str> = ids
            .iter()
            .copied()
            .filter(|id| !self.texts.contains_key(*id) && id.parse::<i64>().is_ok())
            .collect();
        if unknown.is_empty() || self.fetch_due.is_some_and(|due| began < due) {
            return Ok(());
        }
        let sql = format!(
            "SELECT DISTINCT ON (queryid) queryid, left(query, {TEXT_LENGTH}) \
             FROM {schema}.pg_stat_statements(true) WHERE queryid IN ({}) ORDER BY queryid",
            unknown.join(", ")
        );
        let answer = round.session.query(&sql, round.deadline).await;
        let took = began.elapsed();
        self.fetch_due = Some(began + took + took * TEXT_SHARE);
        match answer {
            Ok(rows) => {
                self.forget_others(ids);
                for row in &rows {
                    if let (Some(id), Some(text)) = (row.get(0), row.get(1)) {
                        self.texts.insert(id.to_owned(), redact::statement(text));
                    }
                }
                Ok(())
            }
            Err(error) if error.session_lives() => {
                let reason = refusal::of_view(round.facts, &error);
                out.gap("text of statements", reason.why, reason.fix);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps the cache at a few times what is shown: a statement that left the list often returns.
    fn forget_others(&mut self, ids: &[&str]) {
        if self.texts.len() > 4 * self.limit as usize {
            let shown: HashSet<&str> = ids.iter().copied().collect();
            self.texts.retain(|id, _| shown.contains(id.as_str()));
        }
    }

    fn give_texts(&self, ids: &[&str], out: &mut Gather) {
        let mut given = HashSet::new();
        for id in ids {
            let Some(text) = self.texts.get(*id).filter(|_| given.insert(*id)) else {
                continue;
            };
            let labels = [("queryid", (*id).to_owned()), ("query", text.clone())];
            out.gauge(
                "pg_stat_statements_query_id",
                "The text of a statement, without its literals.",
            )
            .with(labels, 1.0);
        }
    }
}

fn give_left_out(rows: &[SimpleQueryRow], out: &mut Gather) {
    let all = rows
        .first()
        .and_then(|row| row.get(row.len() - 1)?.parse::<f64>().ok());
    if let Some(all) = all {
        // A few hundred rows at the most.
        #[allow(clippy::cast_precision_loss)]
        let shown = rows.len() as f64;
        out.gauge(
            "nightshift_postgres_statements_left_out",
            "Statements beyond the configured limit, those with the least total time.",
        )
        .value(all - shown);
    }
}

fn give_gap(round: &Round<'_>, error: &QueryError, out: &mut Gather) {
    // The extension exists and its library was not loaded at the start of the server.
    if let QueryError::Refused { code, .. } = error
        && *code == SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE
    {
        out.gap(
            STATEMENTS.name,
            "the library of the extension is not loaded",
            "add pg_stat_statements to shared_preload_libraries and restart the server",
        );
        return;
    }
    let reason = refusal::of_view(round.facts, error);
    out.gap(STATEMENTS.name, reason.why, reason.fix);
}
