//! What lies in one database: tables, indexes, sequences.
//!
//! Functions that give a relation's size lock it for reading and so would queue behind an
//! `AccessExclusiveLock`, held or waited for. Relations under such a lock are found first; their
//! sizes are left out and the relation is named. `lock_timeout` is the second line.
//!
//! Rows are chosen before their statistics are looked up: with ten thousand tables the views that
//! PostgreSQL ships would compute all of them.

use crate::sources::postgres::view::{View, counter, gap, gauge, label};

pub(crate) const VIEWS: &[View] = &[
    // First, because what exceeds the pipeline's cap is cut from the back: this says how much was left out.
    View {
        name: "relations",
        columns: &[
            label("datname", "current_database()"),
            gauge("pg_user_tables", "t.count", "Tables of the database."),
            gauge("pg_user_indexes", "i.count", "Indexes of the database."),
            gauge(
                "nightshift_postgres_tables_left_out",
                "greatest(t.count - {limit}, 0)",
                "Tables beyond the configured limit, the smallest and idlest.",
            ),
            gauge(
                "nightshift_postgres_indexes_left_out",
                "greatest(i.count - {limit}, 0)",
                "Indexes beyond the configured limit, the smallest.",
            ),
            gauge(
                "pg_unused_indexes",
                "i.unused",
                "Indexes that serve no constraint and were not scanned since the statistics began.",
            ),
            gauge(
                "pg_unused_indexes_bytes",
                "i.unused_bytes",
                "Disk space of these indexes, as of their last vacuum.",
            ),
            gauge(
                "pg_invalid_indexes",
                "i.invalid",
                "Indexes that no query uses since building them failed or goes on.",
            ),
            gauge(
                "pg_duplicate_indexes",
                "d.count",
                "Indexes that another one of the same table makes superfluous.",
            ),
        ],
        from: RELATIONS,
        ..View::USUAL
    },
    View {
        name: "user_tables",
        with: TABLES,
        columns: &[
            label("datname", "current_database()"),
            label("schemaname", "t.nspname"),
            label("relname", "t.relname"),
            counter(
                "pg_stat_user_tables_seq_scan",
                "pg_stat_get_numscans(t.oid)",
                "Sequential scans.",
            ),
            counter(
                "pg_stat_user_tables_seq_tup_read",
                "pg_stat_get_tuples_returned(t.oid)",
                "Rows that sequential scans went over.",
            ),
            counter(
                "pg_stat_user_tables_idx_scan",
                "coalesce(i.scans, 0)",
                "Index scans.",
            ),
            counter(
                "pg_stat_user_tables_idx_tup_fetch",
                "coalesce(i.fetched, 0) + pg_stat_get_tuples_fetched(t.oid)",
                "Rows fetched by index scans.",
            ),
            counter(
                "pg_stat_user_tables_n_tup_ins",
                "pg_stat_get_tuples_inserted(t.oid)",
                "Rows inserted.",
            ),
            counter(
                "pg_stat_user_tables_n_tup_upd",
                "pg_stat_get_tuples_updated(t.oid)",
                "Rows updated.",
            ),
            counter(
                "pg_stat_user_tables_n_tup_del",
                "pg_stat_get_tuples_deleted(t.oid)",
                "Rows deleted.",
            ),
            counter(
                "pg_stat_user_tables_n_tup_hot_upd",
                "pg_stat_get_tuples_hot_updated(t.oid)",
                "Rows updated without touching an index.",
            ),
            gauge(
                "pg_stat_user_tables_n_live_tup",
                "pg_stat_get_live_tuples(t.oid)",
                "Live rows, estimated.",
            ),
            gauge(
                "pg_stat_user_tables_n_dead_tup",
                "pg_stat_get_dead_tuples(t.oid)",
                "Dead rows, estimated.",
            ),
            gauge(
                "pg_stat_user_tables_n_mod_since_analyze",
                "pg_stat_get_mod_since_analyze(t.oid)",
                "Rows changed since the last analyze, estimated.",
            ),
            gauge(
                "pg_stat_user_tables_last_vacuum",
                "coalesce(extract(epoch FROM pg_stat_get_last_vacuum_time(t.oid)), 0)",
                "When the table was last vacuumed by hand, in seconds since 1970; 0 for never.",
            ),
            gauge(
                "pg_stat_user_tables_last_autovacuum",
                "coalesce(extract(epoch FROM pg_stat_get_last_autovacuum_time(t.oid)), 0)",
                "When the table was last vacuumed by autovacuum, in seconds since 1970; 0 for never.",
            ),
            gauge(
                "pg_stat_user_tables_last_analyze",
                "coalesce(extract(epoch FROM pg_stat_get_last_analyze_time(t.oid)), 0)",
                "When the table was last analyzed by hand, in seconds since 1970; 0 for never.",
            ),
            gauge(
                "pg_stat_user_tables_last_autoanalyze",
                "coalesce(extract(epoch FROM pg_stat_get_last_autoanalyze_time(t.oid)), 0)",
                "When the table was last analyzed by autovacuum, in seconds since 1970; 0 for never.",
            ),
            counter(
                "pg_stat_user_tables_vacuum_count",
                "pg_stat_get_vacuum_count(t.oid)",
                "Vacuums by hand.",
            ),
            counter(
                "pg_stat_user_tables_autovacuum_count",
                "pg_stat_get_autovacuum_count(t.oid)",
                "Vacuums by autovacuum.",
            ),
            counter(
                "pg_stat_user_tables_analyze_count",
                "pg_stat_get_analyze_count(t.oid)",
                "Analyzes by hand.",
            ),
            counter(
                "pg_stat_user_tables_autoanalyze_count",
                "pg_stat_get_autoanalyze_count(t.oid)",
                "Analyzes by autovacuum.",
            ),
            gauge(
                "pg_stat_user_tables_index_size_bytes",
                "CASE WHEN NOT t.locked THEN pg_indexes_size(t.oid) END",
                "Disk space of the table's indexes.",
            ),
            gauge(
                "pg_stat_user_tables_table_size_bytes",
                "CASE WHEN NOT t.locked THEN pg_table_size(t.oid) END",
                "Disk space of the table with TOAST, without indexes.",
            ),
            gauge(
                "pg_stat_user_tables_relfrozenxid_age",
                "CASE WHEN t.relkind <> 'p' THEN age(t.relfrozenxid) END",
                "Transactions since the oldest transaction of the table that is not frozen.",
            ),
            counter(
                "pg_statio_user_tables_heap_blocks_read",
                "pg_stat_get_blocks_fetched(t.oid) - pg_stat_get_blocks_hit(t.oid)",
                "Blocks of the table read from outside of shared buffers.",
            ),
            counter(
                "pg_statio_user_tables_heap_blocks_hit",
                "pg_stat_get_blocks_hit(t.oid)",
                "Blocks of the table found in shared buffers.",
            ),
            counter(
                "pg_statio_user_tables_idx_blocks_read",
                "coalesce(i.blocks - i.hit, 0)",
                "Blocks of the indexes read from outside of shared buffers.",
            ),
            counter(
                "pg_statio_user_tables_idx_blocks_hit",
                "coalesce(i.hit, 0)",
                "Blocks of the indexes found in shared buffers.",
            ),
            counter(
                "pg_statio_user_tables_toast_blocks_read",
                "coalesce(pg_stat_get_blocks_fetched(t.toast) - pg_stat_get_blocks_hit(t.toast), 0)",
                "Blocks of TOAST read from outside of shared buffers.",
            ),
            counter(
                "pg_statio_user_tables_toast_blocks_hit",
                "coalesce(pg_stat_get_blocks_hit(t.toast), 0)",
                "Blocks of TOAST found in shared buffers.",
            ),
            counter(
                "pg_statio_user_tables_tidx_blocks_read",
                "coalesce(x.blocks - x.hit, 0)",
                "Blocks of the index of TOAST read from outside of shared buffers.",
            ),
            counter(
                "pg_statio_user_tables_tidx_blocks_hit",
                "coalesce(x.hit, 0)",
                "Blocks of the index of TOAST found in shared buffers.",
            ),
            gap(
                "CASE WHEN t.locked THEN format('size of %I.%I.%I', current_database(), t.nspname, t.relname) END",
                "a session holds or awaits AccessExclusiveLock on it",
                "find it in pg_locks; a transaction that ran ALTER, DROP, TRUNCATE or VACUUM FULL must end",
            ),
        ],
        from: "FROM t \
            LEFT JOIN LATERAL (SELECT sum(pg_stat_get_numscans(indexrelid)) AS scans, \
              sum(pg_stat_get_tuples_fetched(indexrelid)) AS fetched, \
              sum(pg_stat_get_blocks_fetched(indexrelid)) AS blocks, \
              sum(pg_stat_get_blocks_hit(indexrelid)) AS hit \
              FROM pg_index WHERE indrelid = t.oid) AS i ON true \
            LEFT JOIN LATERAL (SELECT sum(pg_stat_get_blocks_fetched(indexrelid)) AS blocks, \
              sum(pg_stat_get_blocks_hit(indexrelid)) AS hit \
              FROM pg_index WHERE indrelid = t.toast) AS x ON true",
        ..View::USUAL
    },
    View {
        name: "user_indexes",
        with: INDEXES,
        columns: &[
            label("datname", "current_database()"),
            label("schemaname", "nspname"),
            label("relname", "relname"),
            label("indexrelname", "indexrelname"),
            counter(
                "pg_stat_user_indexes_idx_scan",
                "pg_stat_get_numscans(oid)",
                "Scans of the index.",
            ),
            counter(
                "pg_stat_user_indexes_idx_tup_read",
                "pg_stat_get_tuples_returned(oid)",
                "Entries of the index that scans gave.",
            ),
            counter(
                "pg_stat_user_indexes_idx_tup_fetch",
                "pg_stat_get_tuples_fetched(oid)",
                "Live rows fetched by scans of the index.",
            ),
            counter(
                "pg_statio_user_indexes_idx_blks_read_total",
                "pg_stat_get_blocks_fetched(oid) - pg_stat_get_blocks_hit(oid)",
                "Blocks of the index read from outside of shared buffers.",
            ),
            counter(
                "pg_statio_user_indexes_idx_blks_hit_total",
                "pg_stat_get_blocks_hit(oid)",
                "Blocks of the index found in shared buffers.",
            ),
            gauge(
                "pg_index_size_bytes",
                "CASE WHEN NOT locked THEN pg_relation_size(oid) END",
                "Disk space of the index.",
            ),
            gauge(
                "pg_index_invalid",
                "CASE WHEN NOT indisvalid THEN 1 END",
                "An index that no query uses since building it failed or goes on.",
            ),
        ],
        from: "FROM i",
        ..View::USUAL
    },
    View {
        name: "sequences",
        with: SEQUENCES,
        columns: &[
            label("datname", "current_database()"),
            label("schemaname", "nspname"),
            label("sequencename", "relname"),
            gauge(
                "pg_sequence_used_ratio",
                "CASE WHEN locked THEN NULL WHEN last IS NULL THEN 0 \
                   WHEN seqincrement > 0 THEN (last::numeric - seqmin) / (seqmax::numeric - seqmin) \
                   ELSE (seqmax - last::numeric) / (seqmax::numeric - seqmin) END",
                "Share of the sequence's values that is used up.",
            ),
            gap(
                "CASE WHEN locked THEN format('sequence %I.%I.%I', current_database(), nspname, relname) END",
                "a session holds or awaits a lock on it that keeps others from counting",
                "find it in pg_locks; a transaction that ran ALTER or TRUNCATE must end",
            ),
        ],
        from: "FROM s",
        ..View::USUAL
    },
    View {
        name: "sequences_unreadable",
        columns: &[
            label("datname", "current_database()"),
            gauge(
                "nightshift_postgres_sequences_unreadable",
                "count(*)",
                "Sequences whose state the agent's role may not see (GRANT SELECT ON ALL SEQUENCES IN SCHEMA ...).",
            ),
        ],
        // The CASE keeps the planner from asking for the privilege on what is no sequence.
        from: "FROM pg_class WHERE relpersistence <> 't' \
            AND CASE WHEN relkind = 'S' THEN NOT has_sequence_privilege(oid, 'SELECT, USAGE') END",
        ..View::USUAL
    },
];

/// Relations of this database that someone holds or awaits an exclusive lock on.
macro_rules! held {
    () => {
        "held AS MATERIALIZED (SELECT relation FROM pg_locks \
           WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND pid <> pg_backend_pid() \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    };
}

/// Schemas of users. Temporary tables are their session's own business and would come and go.
macro_rules! of_users {
    () => {
        "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' \
         AND c.relpersistence <> 't'"
    };
}

/// A table is locked when it, one of its indexes or its TOAST is: its size needs all of them.
const TABLES: &str = concat!(
    "WITH ",
    held!(),
    ", locked AS MATERIALIZED (SELECT relation AS oid FROM held \
       UNION SELECT i.indrelid FROM pg_index AS i JOIN held ON held.relation = i.indexrelid \
       UNION SELECT c.oid FROM pg_class AS c JOIN held ON held.relation = c.reltoastrelid), \
     t AS MATERIALIZED (SELECT c.oid, n.nspname, c.relname, c.relkind, c.relfrozenxid, \
         c.reltoastrelid AS toast, EXISTS (SELECT FROM locked WHERE locked.oid = c.oid) AS locked \
       FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
       WHERE c.relkind IN ('r', 'm', 'p') AND ",
    of_users!(),
    " ORDER BY c.relpages + pg_stat_get_live_tuples(c.oid) + pg_stat_get_tuples_inserted(c.oid) \
         + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid) DESC, c.oid \
       LIMIT {limit})"
);

const INDEXES: &str = concat!(
    "WITH ",
    held!(),
    ", i AS MATERIALIZED (SELECT c.oid, n.nspname, t.relname, c.relname AS indexrelname, x.indisvalid, \
         EXISTS (SELECT FROM held WHERE held.relation IN (c.oid, t.oid)) AS locked \
       FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indexrelid \
         JOIN pg_class AS t ON t.oid = x.indrelid JOIN pg_namespace AS n ON n.oid = t.relnamespace \
       WHERE c.relkind = 'i' AND ",
    of_users!(),
    " ORDER BY x.indisvalid, c.relpages DESC, c.oid LIMIT {limit})"
);

const RELATIONS: &str = concat!(
    "FROM (SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
       WHERE c.relkind IN ('r', 'm', 'p') AND ",
    of_users!(),
    ") AS t, (SELECT count(*), \
         count(*) FILTER (WHERE NOT x.indisvalid) AS invalid, \
         count(*) FILTER (WHERE unused) AS unused, \
         coalesce(sum(c.relpages::bigint * current_setting('block_size')::bigint) \
           FILTER (WHERE unused), 0) AS unused_bytes \
       FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indexrelid AND c.relkind = 'i' \
         JOIN pg_namespace AS n ON n.oid = c.relnamespace, \
         LATERAL (SELECT x.indisvalid AND NOT x.indisunique AND NOT x.indisexclusion \
           AND pg_stat_get_numscans(x.indexrelid) = 0 AS unused) AS u WHERE ",
    of_users!(),
    ") AS i, (SELECT coalesce(sum(same - 1), 0) AS count FROM (SELECT count(*) AS same \
       FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indexrelid \
         JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE ",
    of_users!(),
    "  GROUP BY indrelid, c.relam, indkey::text, indclass::text, indcollation::text, \
           indoption::text, indexprs::text, indpred::text HAVING count(*) > 1) AS x) AS d"
);

/// Reading a sequence locks it as counting does, until the transaction ends. So those that someone
/// has locked against that are passed over, and only a part of very many is read: those with the
/// fewest values first.
const SEQUENCES: &str = concat!(
    "WITH held AS MATERIALIZED (SELECT relation FROM pg_locks \
       WHERE locktype = 'relation' AND pid <> pg_backend_pid() AND mode IN \
           ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())), \
     s AS MATERIALIZED (SELECT chosen.*, \
         CASE WHEN NOT locked THEN pg_sequence_last_value(oid) END AS last FROM (\
       SELECT c.oid, n.nspname, c.relname, q.seqmin, q.seqmax, q.seqincrement, \
         EXISTS (SELECT FROM held WHERE held.relation = c.oid) AS locked \
       FROM pg_sequence AS q JOIN pg_class AS c ON c.oid = q.seqrelid \
         JOIN pg_namespace AS n ON n.oid = c.relnamespace \
       WHERE NOT q.seqcycle AND q.seqmax > q.seqmin \
         AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'SELECT, USAGE') END \
         AND (c.relpersistence = 'p' OR NOT pg_is_in_recovery()) AND ",
    of_users!(),
    " ORDER BY q.seqmax, c.oid LIMIT 200) AS chosen)"
);
