//! The write-ahead log: position, timeline, generation, and what lies in `pg_wal`.

use std::time::Duration;

use crate::sources::postgres::view::{Needs, Pace, View, counter, gauge, state};

pub(crate) const VIEWS: &[View] = &[
    View {
        name: "wal_position",
        columns: &[
            gauge(
                "pg_wal_lsn_location_bytes",
                POSITION,
                "Position in the WAL: written on a primary, replayed on a standby.",
            ),
            gauge("pg_timeline", TIMELINE, "Timeline that the server is on."),
            state(
                "pg_system_info",
                "system_identifier",
                "s.system_identifier",
                "Identity of the cluster of databases, which its standbys share.",
            ),
            gauge(
                "pg_last_checkpoint_timestamp_seconds",
                "extract(epoch FROM c.checkpoint_time)",
                "When the last checkpoint ended, in seconds since 1970.",
            ),
            gauge(
                "pg_checkpoint_redo_distance_bytes",
                REDO,
                "WAL that a crash now would have to replay.",
            ),
        ],
        from: "FROM pg_control_checkpoint() AS c, pg_control_recovery() AS r, pg_control_system() AS s",
        ..View::USUAL
    },
    View {
        name: "stat_wal",
        since: 14,
        columns: &[
            counter(
                "pg_stat_wal_records_total",
                "wal_records",
                "Records written to the WAL.",
            ),
            counter(
                "pg_stat_wal_fpi_total",
                "wal_fpi",
                "Whole pages written to the WAL.",
            ),
            counter(
                "pg_stat_wal_bytes_total",
                "wal_bytes",
                "Bytes written to the WAL.",
            ),
            counter(
                "pg_stat_wal_buffers_full_total",
                "wal_buffers_full",
                "Times that WAL was written out since its buffers were full.",
            ),
            counter(
                "pg_stat_wal_write_total",
                "wal_write",
                "Times that WAL buffers were written out.",
            )
            .until(18),
            counter(
                "pg_stat_wal_sync_total",
                "wal_sync",
                "Times that WAL was synchronised to disk.",
            )
            .until(18),
            counter(
                "pg_stat_wal_write_time_seconds_total",
                "wal_write_time / 1000",
                "Time spent writing WAL.",
            )
            .until(18),
            counter(
                "pg_stat_wal_sync_time_seconds_total",
                "wal_sync_time / 1000",
                "Time spent synchronising WAL.",
            )
            .until(18),
        ],
        from: "FROM pg_stat_wal",
        ..View::USUAL
    },
    View {
        name: "wal_folder",
        needs: Needs::Monitor,
        // A look at each file; with WAL retained by a slot there are thousands.
        pace: Pace::AtMostEvery(Duration::from_secs(30)),
        columns: &[
            gauge("pg_wal_segments", "count(*)", "Segments in pg_wal."),
            gauge(
                "pg_wal_size_bytes",
                "coalesce(sum(size), 0)",
                "Size of the segments in pg_wal.",
            ),
        ],
        from: "FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'",
        ..View::USUAL
    },
];

const POSITION: &str = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() \
    ELSE pg_current_wal_lsn() END - '0/0'";

/// The control file has the timeline of the last checkpoint, which after a promotion is still the
/// old one; the name of the segment being written has the true one.
const TIMELINE: &str = "CASE WHEN pg_is_in_recovery() \
    THEN greatest(c.timeline_id, r.min_recovery_end_timeline) \
    ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END";

const REDO: &str = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() \
    ELSE pg_current_wal_lsn() END - c.redo_lsn";
