//! Streaming replication seen from both ends: each standby of a primary, the receiver of a standby.

use crate::sources::postgres::view::{Needs, Role, View, counter, gauge, label, state};

pub(crate) const VIEWS: &[View] = &[
    View {
        name: "replication",
        columns: &[
            gauge(
                "pg_replication_is_replica",
                "pg_is_in_recovery()",
                "Whether the server is a standby.",
            ),
            gauge(
                "pg_replication_lag_seconds",
                LAG,
                "Age of what a standby has not replayed yet; 0 when it has replayed all that it received.",
            ),
            gauge(
                "pg_replication_last_replay_seconds",
                LAST_REPLAY,
                "Age of the transaction that was replayed last.",
            ),
            gauge(
                "pg_replication_replay_lag_bytes",
                REPLAY_LAG_BYTES,
                "WAL that was received and not replayed yet.",
            ),
            gauge(
                "pg_replication_receive_lsn_bytes",
                "pg_last_wal_receive_lsn() - '0/0'",
                "Position in the WAL up to which a standby received.",
            ),
            gauge(
                "pg_replication_replay_lsn_bytes",
                "pg_last_wal_replay_lsn() - '0/0'",
                "Position in the WAL up to which a standby replayed.",
            ),
            gauge(
                "pg_replication_replay_paused",
                "CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END",
                "Whether someone paused replay.",
            ),
        ],
        ..View::USUAL
    },
    View {
        name: "stat_replication",
        needs: Needs::AllStats,
        with: "WITH here AS MATERIALIZED (SELECT CASE WHEN pg_is_in_recovery() \
              THEN coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) \
              ELSE pg_current_wal_lsn() END AS lsn), \
            s AS (SELECT DISTINCT ON (r.application_name, r.client_addr, r.state, p.slot_name) \
              r.*, p.slot_name, here.lsn \
              FROM here, pg_stat_replication AS r \
              LEFT JOIN pg_replication_slots AS p ON p.active_pid = r.pid \
              ORDER BY r.application_name, r.client_addr, r.state, p.slot_name, r.replay_lsn)",
        columns: &[
            label("application_name", "application_name"),
            label("client_addr", "host(client_addr)"),
            label("state", "state"),
            label("slot_name", "slot_name"),
            gauge(
                "pg_stat_replication_pg_current_wal_lsn_bytes",
                "lsn - '0/0'",
                "Position in the WAL of the sending server.",
            ),
            gauge(
                "pg_stat_replication_pg_wal_lsn_diff",
                "lsn - replay_lsn",
                "WAL that the standby has not replayed yet.",
            ),
            gauge(
                "pg_stat_replication_sent_lag_bytes",
                "lsn - sent_lsn",
                "WAL that was not sent yet.",
            ),
            gauge(
                "pg_stat_replication_write_lag_bytes",
                "lsn - write_lsn",
                "WAL that the standby has not written yet.",
            ),
            gauge(
                "pg_stat_replication_flush_lag_bytes",
                "lsn - flush_lsn",
                "WAL that the standby has not flushed yet.",
            ),
            gauge(
                "pg_stat_replication_replay_lag_bytes",
                "lsn - replay_lsn",
                "WAL that the standby has not replayed yet.",
            ),
            gauge(
                "pg_stat_replication_write_lag_seconds",
                "CASE WHEN write_lsn = lsn THEN 0 ELSE extract(epoch FROM write_lag) END",
                "How long a commit waited until the standby had written it; 0 when nothing is outstanding.",
            ),
            gauge(
                "pg_stat_replication_flush_lag_seconds",
                "CASE WHEN flush_lsn = lsn THEN 0 ELSE extract(epoch FROM flush_lag) END",
                "How long a commit waited until the standby had flushed it; 0 when nothing is outstanding.",
            ),
            gauge(
                "pg_stat_replication_replay_lag_seconds",
                "CASE WHEN replay_lsn = lsn THEN 0 ELSE extract(epoch FROM replay_lag) END",
                "How long a commit waited until the standby had replayed it; 0 when nothing is outstanding.",
            ),
            gauge(
                "pg_stat_replication_reply_age_seconds",
                "extract(epoch FROM now() - reply_time)",
                "Seconds since the standby last reported.",
            ),
            gauge(
                "pg_stat_replication_sync_priority",
                "sync_priority",
                "Place in the order of synchronous standbys; 0 for none.",
            ),
            state(
                "pg_stat_replication_sync_state",
                "sync_state",
                "sync_state",
                "Whether commits wait for this standby: async, potential, sync or quorum.",
            ),
        ],
        from: "FROM s",
        ..View::USUAL
    },
    View {
        name: "wal_receiver",
        role: Role::Standby,
        needs: Needs::AllStats,
        columns: &[
            label("upstream_host", "sender_host"),
            label("slot_name", "slot_name"),
            label("status", "status"),
            counter(
                "pg_stat_wal_receiver_receive_start_lsn",
                "(receive_start_lsn - '0/0') % 4503599627370496",
                "Position at which the receiver began.",
            ),
            gauge(
                "pg_stat_wal_receiver_receive_start_tli",
                "receive_start_tli",
                "Timeline on which the receiver began.",
            ),
            counter(
                "pg_stat_wal_receiver_written_lsn",
                "(written_lsn - '0/0') % 4503599627370496",
                "Position up to which WAL was written.",
            ),
            counter(
                "pg_stat_wal_receiver_flushed_lsn",
                "(flushed_lsn - '0/0') % 4503599627370496",
                "Position up to which WAL was flushed.",
            ),
            gauge(
                "pg_stat_wal_receiver_received_tli",
                "received_tli",
                "Timeline of what was received last.",
            ),
            counter(
                "pg_stat_wal_receiver_last_msg_send_time",
                "extract(epoch FROM last_msg_send_time)",
                "When the last message was sent, by the sender's clock.",
            ),
            counter(
                "pg_stat_wal_receiver_last_msg_receipt_time",
                "extract(epoch FROM last_msg_receipt_time)",
                "When the last message came in.",
            ),
            counter(
                "pg_stat_wal_receiver_latest_end_lsn",
                "(latest_end_lsn - '0/0') % 4503599627370496",
                "Position last reported to the sender.",
            ),
            counter(
                "pg_stat_wal_receiver_latest_end_time",
                "extract(epoch FROM latest_end_time)",
                "When that position was reported.",
            ),
            gauge(
                "pg_stat_wal_receiver_upstream_node",
                "substring(slot_name FROM 'repmgr_slot_([0-9]+)')",
                "repmgr's number of the upstream node.",
            ),
        ],
        from: "FROM pg_stat_wal_receiver WHERE pid IS NOT NULL",
        ..View::USUAL
    },
    View {
        name: "recovery_prefetch",
        since: 15,
        role: Role::Standby,
        columns: &[
            counter(
                "pg_stat_recovery_prefetch_prefetch_total",
                "prefetch",
                "Blocks prefetched by replay.",
            ),
            counter(
                "pg_stat_recovery_prefetch_hit_total",
                "hit",
                "Blocks not prefetched since they were in shared buffers.",
            ),
            gauge(
                "pg_stat_recovery_prefetch_wal_distance_bytes",
                "wal_distance",
                "How far ahead of replay the prefetcher looks.",
            ),
            gauge(
                "pg_stat_recovery_prefetch_io_depth",
                "io_depth",
                "Prefetches begun and not known to have ended.",
            ),
        ],
        from: "FROM pg_stat_recovery_prefetch",
        ..View::USUAL
    },
];

/// `greatest` passes over NULL, so that it alone would make 0 of what is not known.
const LAST_REPLAY: &str = "CASE WHEN pg_last_xact_replay_timestamp() IS NOT NULL \
    THEN greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp())) END";

/// A standby that replays from the archive has replayed more than it received.
const REPLAY_LAG_BYTES: &str = "CASE WHEN pg_last_wal_receive_lsn() IS NOT NULL \
    THEN greatest(0, pg_last_wal_receive_lsn() - pg_last_wal_replay_lsn()) END";

/// Replay is as old as the last transaction replayed, unless there is nothing left to replay: an
/// idle primary must not look like a lagging standby.
const LAG: &str = "CASE WHEN NOT pg_is_in_recovery() THEN 0 \
    WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 \
    WHEN pg_last_xact_replay_timestamp() IS NOT NULL \
    THEN greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp())) END";
