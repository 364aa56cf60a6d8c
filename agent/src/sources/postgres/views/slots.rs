//! Replication slots: what they retain, whether anyone reads them, what they cost.

use crate::sources::postgres::view::{View, counter, gauge, label, state};

const BY_DATABASE: &[&str] = &["slot_name", "database"];
const BY_TYPE: &[&str] = &["slot_name", "slot_type"];

pub(crate) const VIEWS: &[View] = &[
    View {
        name: "replication_slots",
        with: "WITH here AS MATERIALIZED (SELECT CASE WHEN pg_is_in_recovery() \
            THEN coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) \
            ELSE pg_current_wal_lsn() END AS lsn)",
        columns: &[
            label("slot_name", "slot_name"),
            label("database", "database"),
            label("slot_type", "slot_type"),
            gauge(
                "pg_replication_slots_active",
                "active",
                "Whether someone reads from the slot.",
            )
            .by(BY_DATABASE),
            gauge(
                "pg_replication_slots_pg_wal_lsn_diff",
                "lsn - restart_lsn",
                "WAL that the slot retains.",
            )
            .by(BY_DATABASE),
            gauge(
                "pg_replication_slots_slot_current_wal_lsn",
                "lsn - '0/0'",
                "Position in the WAL of this server.",
            )
            .by(BY_TYPE),
            gauge(
                "pg_replication_slots_slot_confirmed_flush_lsn",
                "CASE WHEN active THEN coalesce(confirmed_flush_lsn, '0/0') - '0/0' END",
                "Position up to which the reader of a logical slot confirmed.",
            )
            .by(BY_TYPE),
            gauge(
                "pg_replication_slots_slot_is_active",
                "active",
                "Whether someone reads from the slot.",
            )
            .by(BY_TYPE),
            gauge(
                "pg_replication_slots_safe_wal_size_bytes",
                "safe_wal_size",
                "WAL that can still be written before the slot may be lost.",
            )
            .by(BY_TYPE),
            state(
                "pg_replication_slots_wal_status",
                "wal_status",
                "wal_status",
                "Whether the WAL that the slot needs is still there.",
            )
            .by(BY_TYPE),
            gauge(
                "pg_replication_slots_xmin_age",
                "age(xmin)",
                "Transactions since the oldest one whose rows the slot keeps from vacuum.",
            )
            .by(BY_TYPE),
            gauge(
                "pg_replication_slots_catalog_xmin_age",
                "age(catalog_xmin)",
                "The same for rows of the catalogs.",
            )
            .by(BY_TYPE),
            gauge(
                "pg_replication_slots_conflicting",
                "conflicting",
                "Whether recovery invalidated the slot.",
            )
            .by(BY_TYPE)
            .since(16),
            gauge(
                "pg_replication_slots_inactive_since_seconds",
                "extract(epoch FROM inactive_since)",
                "Since when nobody reads from the slot, in seconds since 1970.",
            )
            .by(BY_TYPE)
            .since(17),
            state(
                "pg_replication_slots_invalidation_reason",
                "invalidation_reason",
                "invalidation_reason",
                "Why the slot can no longer be used.",
            )
            .by(BY_TYPE)
            .since(17),
            gauge(
                "pg_replication_slots_failover",
                "failover",
                "Whether the slot is to be kept on standbys, too.",
            )
            .by(BY_TYPE)
            .since(17),
            gauge(
                "pg_replication_slots_synced",
                "synced",
                "Whether the slot was copied from the primary.",
            )
            .by(BY_TYPE)
            .since(17),
        ],
        from: "FROM here, pg_replication_slots",
        ..View::USUAL
    },
    View {
        name: "stat_replication_slots",
        since: 14,
        columns: &[
            label("slot_name", "slot_name"),
            counter(
                "pg_stat_replication_slots_spill_txns_total",
                "spill_txns",
                "Transactions that decoding wrote to disk.",
            ),
            counter(
                "pg_stat_replication_slots_spill_bytes_total",
                "spill_bytes",
                "Bytes that decoding wrote to disk.",
            ),
            counter(
                "pg_stat_replication_slots_stream_txns_total",
                "stream_txns",
                "Transactions streamed before they ended.",
            ),
            counter(
                "pg_stat_replication_slots_stream_bytes_total",
                "stream_bytes",
                "Bytes streamed before their transaction ended.",
            ),
            counter(
                "pg_stat_replication_slots_total_txns_total",
                "total_txns",
                "Transactions decoded.",
            ),
            counter(
                "pg_stat_replication_slots_total_bytes_total",
                "total_bytes",
                "Bytes decoded.",
            ),
        ],
        from: "FROM pg_stat_replication_slots",
        ..View::USUAL
    },
];
