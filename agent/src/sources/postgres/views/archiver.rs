//! WAL archiving: what was archived, what failed, what waits.

use std::time::Duration;

use crate::sources::postgres::view::{Needs, Pace, Role, View, counter, gauge};

pub(crate) const VIEWS: &[View] = &[
    View {
        name: "archiver",
        columns: &[
            counter(
                "pg_stat_archiver_archived_count",
                "archived_count",
                "Segments archived.",
            ),
            counter(
                "pg_stat_archiver_failed_count",
                "failed_count",
                "Attempts to archive that failed.",
            ),
            gauge(
                "pg_stat_archiver_last_archive_age",
                "extract(epoch FROM now() - last_archived_time)",
                "Seconds since a segment was last archived.",
            ),
            gauge(
                "pg_stat_archiver_last_failure_age",
                "extract(epoch FROM now() - last_failed_time)",
                "Seconds since an attempt to archive last failed.",
            ),
        ],
        from: "FROM pg_stat_archiver",
        ..View::USUAL
    },
    View {
        name: "archive_status",
        needs: Needs::Monitor,
        role: Role::Primary,
        // With archiving broken for a day the folder has tens of thousands of entries.
        pace: Pace::AtMostEvery(Duration::from_secs(30)),
        columns: &[
            gauge(
                "pg_archive_ready_segments",
                "count(*)",
                "Segments that wait to be archived.",
            ),
            gauge(
                "pg_archive_ready_oldest_seconds",
                "extract(epoch FROM now() - min(modification))",
                "For how long the oldest of them has waited.",
            ),
        ],
        from: "FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'",
        ..View::USUAL
    },
];
