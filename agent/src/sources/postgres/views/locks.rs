//! How many locks of which mode each database has.

use crate::sources::postgres::view::{Needs, View, gauge, label};

pub(crate) const VIEWS: &[View] = &[View {
    name: "locks",
    needs: Needs::AllStats,
    columns: &[
        label("datname", "d.datname"),
        label("mode", "m.mode"),
        gauge(
            "pg_locks_count",
            "coalesce(l.locks, 0)",
            "Locks of this mode, held and waited for.",
        ),
        gauge(
            "pg_locks_waiting_count",
            "coalesce(l.waiting, 0)",
            "Locks of this mode that are waited for.",
        ),
    ],
    // Zeros as the exporter has them, but not with very many databases.
    from: "FROM (VALUES ('accesssharelock'), ('rowsharelock'), ('rowexclusivelock'), \
          ('shareupdateexclusivelock'), ('sharelock'), ('sharerowexclusivelock'), \
          ('exclusivelock'), ('accessexclusivelock'), ('sireadlock')) AS m (mode) \
        CROSS JOIN pg_database AS d \
        LEFT JOIN (SELECT database, lower(mode) AS mode, count(*) AS locks, \
            count(*) FILTER (WHERE NOT granted) AS waiting \
          FROM pg_locks WHERE database IS NOT NULL GROUP BY 1, 2) AS l \
          ON l.mode = m.mode AND l.database = d.oid \
        WHERE l.locks IS NOT NULL OR (SELECT count(*) FROM pg_database) <= 100",
    ..View::USUAL
}];
