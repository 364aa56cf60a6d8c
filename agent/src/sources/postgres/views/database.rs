//! Databases, tablespaces and roles: the cumulative statistics, sizes, limits, age.

use std::time::Duration;

use crate::sources::postgres::view::{Needs, Pace, View, counter, gauge, label};

/// Sizes mean a look at each file; nothing about them changes the picture within a minute.
const SIZES: Pace = Pace::AtMostEvery(Duration::from_secs(60));

pub(crate) const VIEWS: &[View] = &[
    View {
        name: "stat_database",
        columns: &[
            label("datid", "datid"),
            label("datname", "datname"),
            gauge(
                "pg_stat_database_numbackends",
                "numbackends",
                "Sessions connected to the database.",
            ),
            counter(
                "pg_stat_database_xact_commit",
                "xact_commit",
                "Transactions committed.",
            ),
            counter(
                "pg_stat_database_xact_rollback",
                "xact_rollback",
                "Transactions rolled back.",
            ),
            counter(
                "pg_stat_database_blks_read",
                "blks_read",
                "Blocks read from outside of shared buffers.",
            ),
            counter(
                "pg_stat_database_blks_hit",
                "blks_hit",
                "Blocks found in shared buffers.",
            ),
            counter(
                "pg_stat_database_tup_returned",
                "tup_returned",
                "Rows that scans went over.",
            ),
            counter(
                "pg_stat_database_tup_fetched",
                "tup_fetched",
                "Rows fetched by index scans.",
            ),
            counter(
                "pg_stat_database_tup_inserted",
                "tup_inserted",
                "Rows inserted.",
            ),
            counter(
                "pg_stat_database_tup_updated",
                "tup_updated",
                "Rows updated.",
            ),
            counter(
                "pg_stat_database_tup_deleted",
                "tup_deleted",
                "Rows deleted.",
            ),
            counter(
                "pg_stat_database_conflicts",
                "conflicts",
                "Queries cancelled because of recovery.",
            ),
            counter(
                "pg_stat_database_temp_files",
                "temp_files",
                "Temporary files written.",
            ),
            counter(
                "pg_stat_database_temp_bytes",
                "temp_bytes",
                "Bytes written to temporary files.",
            ),
            counter(
                "pg_stat_database_deadlocks",
                "deadlocks",
                "Deadlocks found.",
            ),
            counter(
                "pg_stat_database_blk_read_time",
                "blk_read_time",
                "Time spent reading blocks, in milliseconds.",
            ),
            counter(
                "pg_stat_database_blk_write_time",
                "blk_write_time",
                "Time spent writing blocks, in milliseconds.",
            ),
            counter(
                "pg_stat_database_stats_reset",
                "coalesce(extract(epoch FROM stats_reset), 0)",
                "When these statistics were reset, in seconds since 1970; 0 for never.",
            ),
            counter(
                "pg_stat_database_active_time_seconds_total",
                "active_time / 1000",
                "Time spent executing statements.",
            )
            .since(14),
            counter(
                "pg_stat_database_session_time_seconds_total",
                "session_time / 1000",
                "Time that sessions were connected.",
            )
            .since(14),
            counter(
                "pg_stat_database_idle_in_transaction_time_seconds_total",
                "idle_in_transaction_time / 1000",
                "Time that sessions held a transaction open and did nothing.",
            )
            .since(14),
            counter(
                "pg_stat_database_sessions_total",
                "sessions",
                "Sessions established.",
            )
            .since(14),
            counter(
                "pg_stat_database_sessions_abandoned_total",
                "sessions_abandoned",
                "Sessions whose client went away.",
            )
            .since(14),
            counter(
                "pg_stat_database_sessions_fatal_total",
                "sessions_fatal",
                "Sessions that ended in a fatal error.",
            )
            .since(14),
            counter(
                "pg_stat_database_sessions_killed_total",
                "sessions_killed",
                "Sessions that an operator ended.",
            )
            .since(14),
            counter(
                "pg_stat_database_parallel_workers_to_launch_total",
                "parallel_workers_to_launch",
                "Parallel workers planned.",
            )
            .since(18),
            counter(
                "pg_stat_database_parallel_workers_launched_total",
                "parallel_workers_launched",
                "Parallel workers launched.",
            )
            .since(18),
            counter(
                "pg_stat_database_checksum_failures_total",
                "checksum_failures",
                "Pages whose checksum was wrong; absent where checksums are off.",
            ),
            gauge(
                "pg_stat_database_checksum_last_failure_timestamp_seconds",
                "extract(epoch FROM checksum_last_failure)",
                "When a checksum was last wrong, in seconds since 1970.",
            ),
        ],
        from: "FROM pg_stat_database WHERE datname IS NOT NULL",
        ..View::USUAL
    },
    View {
        name: "checksum_failures_shared",
        columns: &[counter(
            "pg_stat_database_shared_checksum_failures_total",
            "checksum_failures",
            "Pages of the shared catalogs whose checksum was wrong; absent where checksums are off.",
        )],
        from: "FROM pg_stat_database WHERE datname IS NULL",
        pace: SIZES,
        ..View::USUAL
    },
    View {
        name: "database_conflicts",
        columns: &[
            label("datid", "datid"),
            label("datname", "datname"),
            counter(
                "pg_stat_database_conflicts_confl_tablespace",
                "confl_tablespace",
                "Queries cancelled because a tablespace was dropped.",
            ),
            counter(
                "pg_stat_database_conflicts_confl_lock",
                "confl_lock",
                "Queries cancelled because of a lock that recovery needs.",
            ),
            counter(
                "pg_stat_database_conflicts_confl_snapshot",
                "confl_snapshot",
                "Queries cancelled because rows they may see were removed.",
            ),
            counter(
                "pg_stat_database_conflicts_confl_bufferpin",
                "confl_bufferpin",
                "Queries cancelled because they pinned a buffer that recovery needs.",
            ),
            counter(
                "pg_stat_database_conflicts_confl_deadlock",
                "confl_deadlock",
                "Queries cancelled because of a deadlock with recovery.",
            ),
            counter(
                "pg_stat_database_conflicts_confl_active_logicalslot",
                "confl_active_logicalslot",
                "Logical slots in use that recovery invalidated.",
            )
            .since(16),
        ],
        from: "FROM pg_stat_database_conflicts WHERE datname IS NOT NULL",
        ..View::USUAL
    },
    View {
        name: "wraparound",
        columns: &[
            label("datname", "datname"),
            gauge(
                "pg_database_wraparound_age_datfrozenxid_seconds",
                "age(datfrozenxid)",
                "Transactions (not seconds) since the oldest transaction that is not frozen.",
            ),
            gauge(
                "pg_database_wraparound_age_datminmxid_seconds",
                "mxid_age(datminmxid)",
                "Multixacts (not seconds) since the oldest multixact that is not frozen.",
            ),
        ],
        from: "FROM pg_database WHERE datallowconn",
        ..View::USUAL
    },
    View {
        name: "database_size",
        needs: Needs::AllStats,
        pace: SIZES,
        columns: &[
            label("datname", "datname"),
            gauge(
                "pg_database_size_bytes",
                "pg_database_size(oid)",
                "Disk space that the database takes.",
            ),
            gauge(
                "pg_database_connection_limit",
                "datconnlimit",
                "Most connections to the database; -1 for no limit.",
            ),
        ],
        from: "FROM pg_database WHERE datconnlimit <> -2",
        ..View::USUAL
    },
    View {
        name: "tablespace_size",
        needs: Needs::AllStats,
        pace: SIZES,
        columns: &[
            label("spcname", "spcname"),
            gauge(
                "pg_tablespace_size_bytes",
                "pg_tablespace_size(oid)",
                "Disk space that the tablespace takes.",
            ),
        ],
        from: "FROM pg_tablespace",
        ..View::USUAL
    },
    View {
        name: "temporary_files",
        needs: Needs::Monitor,
        pace: Pace::AtMostEvery(Duration::from_secs(30)),
        columns: &[
            label("spcname", "t.spcname"),
            gauge(
                "pg_temporary_files",
                "count(f.name)",
                "Temporary files that exist now.",
            ),
            gauge(
                "pg_temporary_files_bytes",
                "coalesce(sum(f.size), 0)",
                "Disk space that temporary files take now.",
            ),
        ],
        from: "FROM pg_tablespace AS t LEFT JOIN LATERAL pg_ls_tmpdir(t.oid) AS f ON true \
            WHERE t.spcname <> 'pg_global' GROUP BY 1",
        ..View::USUAL
    },
    View {
        name: "roles",
        pace: SIZES,
        columns: &[
            label("rolname", "rolname"),
            gauge(
                "pg_roles_connection_limit",
                "rolconnlimit",
                "Most connections of the role; -1 for no limit.",
            ),
        ],
        // A fleet that makes a role for each customer would drown in limits nobody set.
        from: "FROM pg_roles ORDER BY rolconnlimit DESC, rolname LIMIT 500",
        ..View::USUAL
    },
];
