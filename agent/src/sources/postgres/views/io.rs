//! Who writes and reads blocks: background writer, checkpointer, I/O by kind of process, SLRUs.

use std::time::Duration;

use crate::sources::postgres::view::{Pace, View, counter, label};

pub(crate) const VIEWS: &[View] = &[
    View {
        name: "bgwriter",
        columns: &[
            counter(
                "pg_stat_bgwriter_checkpoints_timed_total",
                "checkpoints_timed",
                "Checkpoints that were due.",
            )
            .until(17),
            counter(
                "pg_stat_bgwriter_checkpoints_req_total",
                "checkpoints_req",
                "Checkpoints that were asked for, by volume of WAL or by someone.",
            )
            .until(17),
            counter(
                "pg_stat_bgwriter_checkpoint_write_time_total",
                "checkpoint_write_time",
                "Time that checkpoints spent writing, in milliseconds.",
            )
            .until(17),
            counter(
                "pg_stat_bgwriter_checkpoint_sync_time_total",
                "checkpoint_sync_time",
                "Time that checkpoints spent synchronising, in milliseconds.",
            )
            .until(17),
            counter(
                "pg_stat_bgwriter_buffers_checkpoint_total",
                "buffers_checkpoint",
                "Buffers written by checkpoints.",
            )
            .until(17),
            counter(
                "pg_stat_bgwriter_buffers_clean_total",
                "buffers_clean",
                "Buffers written by the background writer.",
            ),
            counter(
                "pg_stat_bgwriter_maxwritten_clean_total",
                "maxwritten_clean",
                "Times that the background writer stopped since it had written enough.",
            ),
            counter(
                "pg_stat_bgwriter_buffers_backend_total",
                "buffers_backend",
                "Buffers written by sessions themselves.",
            )
            .until(17),
            counter(
                "pg_stat_bgwriter_buffers_backend_fsync_total",
                "buffers_backend_fsync",
                "Times that a session had to synchronise a file itself.",
            )
            .until(17),
            counter(
                "pg_stat_bgwriter_buffers_alloc_total",
                "buffers_alloc",
                "Buffers allocated.",
            ),
            counter(
                "pg_stat_bgwriter_stats_reset_total",
                "coalesce(extract(epoch FROM stats_reset), 0)",
                "When these statistics were reset, in seconds since 1970.",
            ),
        ],
        from: "FROM pg_stat_bgwriter",
        ..View::USUAL
    },
    View {
        name: "checkpointer",
        since: 17,
        columns: &[
            counter(
                "pg_stat_checkpointer_num_timed_total",
                "num_timed",
                "Checkpoints that were due.",
            ),
            counter(
                "pg_stat_checkpointer_num_requested_total",
                "num_requested",
                "Checkpoints that were asked for.",
            ),
            counter(
                "pg_stat_checkpointer_num_done_total",
                "num_done",
                "Checkpoints that were done.",
            )
            .since(18),
            counter(
                "pg_stat_checkpointer_restartpoints_timed_total",
                "restartpoints_timed",
                "Restartpoints that were due.",
            ),
            counter(
                "pg_stat_checkpointer_restartpoints_req_total",
                "restartpoints_req",
                "Restartpoints that were asked for.",
            ),
            counter(
                "pg_stat_checkpointer_restartpoints_done_total",
                "restartpoints_done",
                "Restartpoints that were done.",
            ),
            counter(
                "pg_stat_checkpointer_write_time_total",
                "write_time",
                "Time spent writing, in milliseconds.",
            ),
            counter(
                "pg_stat_checkpointer_sync_time_total",
                "sync_time",
                "Time spent synchronising, in milliseconds.",
            ),
            counter(
                "pg_stat_checkpointer_buffers_written_total",
                "buffers_written",
                "Buffers written.",
            ),
            counter(
                "pg_stat_checkpointer_slru_written_total",
                "slru_written",
                "SLRU buffers written.",
            )
            .since(18),
            counter(
                "pg_stat_checkpointer_stats_reset_total",
                "coalesce(extract(epoch FROM stats_reset), 0)",
                "When these statistics were reset, in seconds since 1970.",
            ),
        ],
        from: "FROM pg_stat_checkpointer",
        ..View::USUAL
    },
    View {
        name: "stat_io",
        since: 16,
        columns: &[
            label("backend_type", "backend_type"),
            label("object", "object"),
            label("context", "context"),
            counter("pg_stat_io_reads_total", "reads", "Read operations."),
            counter(
                "pg_stat_io_read_bytes_total",
                "reads * op_bytes",
                "Bytes read.",
            )
            .until(18),
            counter("pg_stat_io_read_bytes_total", "read_bytes", "Bytes read.").since(18),
            counter(
                "pg_stat_io_read_time_seconds_total",
                "read_time / 1000",
                "Time spent reading, where track_io_timing is on.",
            ),
            counter("pg_stat_io_writes_total", "writes", "Write operations."),
            counter(
                "pg_stat_io_write_bytes_total",
                "writes * op_bytes",
                "Bytes written.",
            )
            .until(18),
            counter(
                "pg_stat_io_write_bytes_total",
                "write_bytes",
                "Bytes written.",
            )
            .since(18),
            counter(
                "pg_stat_io_write_time_seconds_total",
                "write_time / 1000",
                "Time spent writing, where track_io_timing is on.",
            ),
            counter(
                "pg_stat_io_extends_total",
                "extends",
                "Extensions of a relation.",
            ),
            counter(
                "pg_stat_io_hits_total",
                "hits",
                "Blocks found in shared buffers.",
            ),
            counter(
                "pg_stat_io_evictions_total",
                "evictions",
                "Blocks evicted to make room.",
            ),
            counter(
                "pg_stat_io_reuses_total",
                "reuses",
                "Buffers reused from a ring.",
            ),
            counter("pg_stat_io_fsyncs_total", "fsyncs", "Synchronisations."),
            counter(
                "pg_stat_io_fsync_time_seconds_total",
                "fsync_time / 1000",
                "Time spent synchronising, where track_io_timing is on.",
            ),
        ],
        // Most of the combinations never happen.
        from: "FROM pg_stat_io WHERE coalesce(reads, 0) + coalesce(writes, 0) + coalesce(extends, 0) \
            + coalesce(hits, 0) + coalesce(fsyncs, 0) > 0",
        ..View::USUAL
    },
    View {
        name: "slru",
        pace: Pace::AtMostEvery(Duration::from_secs(30)),
        columns: &[
            label("name", "name"),
            counter(
                "pg_stat_slru_blks_hit_total",
                "blks_hit",
                "Pages of the SLRU found in memory.",
            ),
            counter(
                "pg_stat_slru_blks_read_total",
                "blks_read",
                "Pages of the SLRU read from disk.",
            ),
            counter(
                "pg_stat_slru_blks_written_total",
                "blks_written",
                "Pages of the SLRU written.",
            ),
        ],
        from: "FROM pg_stat_slru",
        ..View::USUAL
    },
];
