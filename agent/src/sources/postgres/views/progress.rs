//! What long commands have done so far.

use crate::sources::postgres::view::{Needs, View, counter, gauge, label, state};

/// A table has a name only in its own database; elsewhere its number has to do.
const RELNAME: &str =
    "CASE WHEN datname = current_database() THEN relid::regclass::text ELSE relid::text END";

pub(crate) const VIEWS: &[View] = &[
    View {
        name: "progress_vacuum",
        needs: Needs::AllStats,
        columns: &[
            label("datname", "datname"),
            label("relname", RELNAME),
            state(
                "pg_stat_progress_vacuum_phase",
                "phase",
                "phase",
                "Phase that the vacuum is in.",
            ),
            gauge(
                "pg_stat_progress_vacuum_heap_blks",
                "heap_blks_total",
                "Blocks of the table.",
            ),
            gauge(
                "pg_stat_progress_vacuum_heap_blks_scanned",
                "heap_blks_scanned",
                "Blocks scanned so far.",
            ),
            gauge(
                "pg_stat_progress_vacuum_heap_blks_vacuumed",
                "heap_blks_vacuumed",
                "Blocks vacuumed so far.",
            ),
            gauge(
                "pg_stat_progress_vacuum_index_vacuums",
                "index_vacuum_count",
                "Times that the indexes were gone through.",
            ),
            gauge(
                "pg_stat_progress_vacuum_max_dead_tuples",
                "max_dead_tuples",
                "Dead rows that fit into memory.",
            )
            .until(17),
            gauge(
                "pg_stat_progress_vacuum_num_dead_tuples",
                "num_dead_tuples",
                "Dead rows found since the indexes were last gone through.",
            )
            .until(17),
            gauge(
                "pg_stat_progress_vacuum_max_dead_tuple_bytes",
                "max_dead_tuple_bytes",
                "Memory for dead rows.",
            )
            .since(17),
            gauge(
                "pg_stat_progress_vacuum_dead_tuple_bytes",
                "dead_tuple_bytes",
                "Memory that dead rows take since the indexes were last gone through.",
            )
            .since(17),
            gauge(
                "pg_stat_progress_vacuum_num_dead_item_ids",
                "num_dead_item_ids",
                "Dead rows found since the indexes were last gone through.",
            )
            .since(17),
            gauge(
                "pg_stat_progress_vacuum_indexes",
                "indexes_total",
                "Indexes to go through.",
            )
            .since(17),
            gauge(
                "pg_stat_progress_vacuum_indexes_processed",
                "indexes_processed",
                "Indexes gone through.",
            )
            .since(17),
            counter(
                "pg_stat_progress_vacuum_delay_seconds_total",
                "delay_time / 1000",
                "Time slept because of vacuum_cost_delay.",
            )
            .since(18),
        ],
        from: "FROM pg_stat_progress_vacuum",
        ..View::USUAL
    },
    View {
        name: "progress_analyze",
        needs: Needs::AllStats,
        columns: &[
            label("datname", "datname"),
            label("relname", RELNAME),
            state(
                "pg_stat_progress_analyze_phase",
                "phase",
                "phase",
                "Phase that the analyze is in.",
            ),
            gauge(
                "pg_stat_progress_analyze_sample_blks",
                "sample_blks_total",
                "Blocks to sample.",
            ),
            gauge(
                "pg_stat_progress_analyze_sample_blks_scanned",
                "sample_blks_scanned",
                "Blocks sampled.",
            ),
            gauge(
                "pg_stat_progress_analyze_child_tables",
                "child_tables_total",
                "Child tables to scan.",
            ),
            gauge(
                "pg_stat_progress_analyze_child_tables_done",
                "child_tables_done",
                "Child tables scanned.",
            ),
        ],
        from: "FROM pg_stat_progress_analyze",
        ..View::USUAL
    },
    View {
        name: "progress_create_index",
        needs: Needs::AllStats,
        columns: &[
            label("datname", "datname"),
            label("relname", RELNAME),
            label("pid", "pid"),
            label("command", "command"),
            state(
                "pg_stat_progress_create_index_phase",
                "phase",
                "phase",
                "Phase that the command is in.",
            ),
            gauge(
                "pg_stat_progress_create_index_blocks",
                "blocks_total",
                "Blocks of this phase.",
            ),
            gauge(
                "pg_stat_progress_create_index_blocks_done",
                "blocks_done",
                "Blocks done.",
            ),
            gauge(
                "pg_stat_progress_create_index_tuples",
                "tuples_total",
                "Rows of this phase.",
            ),
            gauge(
                "pg_stat_progress_create_index_tuples_done",
                "tuples_done",
                "Rows done.",
            ),
            gauge(
                "pg_stat_progress_create_index_lockers",
                "lockers_total",
                "Sessions to wait for.",
            ),
            gauge(
                "pg_stat_progress_create_index_lockers_done",
                "lockers_done",
                "Sessions waited for.",
            ),
        ],
        from: "FROM pg_stat_progress_create_index",
        ..View::USUAL
    },
    View {
        name: "progress_cluster",
        needs: Needs::AllStats,
        columns: &[
            label("datname", "datname"),
            label("relname", RELNAME),
            label("command", "command"),
            state(
                "pg_stat_progress_cluster_phase",
                "phase",
                "phase",
                "Phase that CLUSTER or VACUUM FULL is in.",
            ),
            gauge(
                "pg_stat_progress_cluster_heap_blks",
                "heap_blks_total",
                "Blocks of the table.",
            ),
            gauge(
                "pg_stat_progress_cluster_heap_blks_scanned",
                "heap_blks_scanned",
                "Blocks scanned.",
            ),
            gauge(
                "pg_stat_progress_cluster_heap_tuples_scanned",
                "heap_tuples_scanned",
                "Rows scanned.",
            ),
            gauge(
                "pg_stat_progress_cluster_heap_tuples_written",
                "heap_tuples_written",
                "Rows written.",
            ),
            gauge(
                "pg_stat_progress_cluster_index_rebuilds",
                "index_rebuild_count",
                "Indexes rebuilt.",
            ),
        ],
        from: "FROM pg_stat_progress_cluster",
        ..View::USUAL
    },
    View {
        name: "progress_basebackup",
        needs: Needs::AllStats,
        columns: &[
            label("pid", "pid"),
            state(
                "pg_stat_progress_basebackup_phase",
                "phase",
                "phase",
                "Phase that the base backup is in.",
            ),
            gauge(
                "pg_stat_progress_basebackup_bytes",
                "backup_total",
                "Bytes to stream; absent where not estimated.",
            ),
            gauge(
                "pg_stat_progress_basebackup_streamed_bytes",
                "backup_streamed",
                "Bytes streamed.",
            ),
            gauge(
                "pg_stat_progress_basebackup_tablespaces",
                "tablespaces_total",
                "Tablespaces to stream.",
            ),
            gauge(
                "pg_stat_progress_basebackup_tablespaces_streamed",
                "tablespaces_streamed",
                "Tablespaces streamed.",
            ),
        ],
        from: "FROM pg_stat_progress_basebackup",
        ..View::USUAL
    },
    View {
        name: "progress_copy",
        since: 14,
        needs: Needs::AllStats,
        columns: &[
            label("datname", "datname"),
            label("relname", RELNAME),
            label("pid", "pid"),
            label("command", "command"),
            label("type", "type"),
            gauge(
                "pg_stat_progress_copy_bytes",
                "bytes_total",
                "Size of the file that is read; 0 where not known.",
            ),
            gauge(
                "pg_stat_progress_copy_bytes_processed",
                "bytes_processed",
                "Bytes copied.",
            ),
            gauge(
                "pg_stat_progress_copy_tuples_processed",
                "tuples_processed",
                "Rows copied.",
            ),
            gauge(
                "pg_stat_progress_copy_tuples_excluded",
                "tuples_excluded",
                "Rows that WHERE left out.",
            ),
        ],
        from: "FROM pg_stat_progress_copy",
        ..View::USUAL
    },
];
