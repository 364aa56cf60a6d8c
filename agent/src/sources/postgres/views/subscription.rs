//! Logical replication seen from the subscriber.

use crate::sources::postgres::view::{View, counter, gauge, label};

pub(crate) const VIEWS: &[View] = &[
    View {
        name: "subscription",
        columns: &[
            label("subname", "subname"),
            gauge(
                "pg_stat_subscription_workers",
                "count(pid)",
                "Workers that run for the subscription; 0 means that it does not replicate.",
            ),
            gauge(
                "pg_stat_subscription_received_lsn_bytes",
                "max(received_lsn) - '0/0'",
                "Position up to which changes were received.",
            ),
            gauge(
                "pg_stat_subscription_latest_end_lsn_bytes",
                "max(latest_end_lsn) - '0/0'",
                "Position last reported to the publisher.",
            ),
            gauge(
                "pg_stat_subscription_last_msg_age_seconds",
                "min(extract(epoch FROM now() - last_msg_receipt_time))",
                "Seconds since the publisher last sent something.",
            ),
        ],
        from: "FROM pg_stat_subscription GROUP BY 1",
        ..View::USUAL
    },
    View {
        name: "subscription_stats",
        since: 15,
        columns: &[
            label("subname", "subname"),
            counter(
                "pg_stat_subscription_stats_apply_error_count",
                "apply_error_count",
                "Errors while changes were applied.",
            ),
            counter(
                "pg_stat_subscription_stats_sync_error_count",
                "sync_error_count",
                "Errors while tables were first copied.",
            ),
        ],
        from: "FROM pg_stat_subscription_stats",
        ..View::USUAL
    },
];
