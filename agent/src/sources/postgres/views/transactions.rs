//! What keeps vacuum from its work: prepared transactions, and whoever holds the oldest snapshot.

use crate::sources::postgres::view::{Needs, View, gauge, label};

pub(crate) const VIEWS: &[View] = &[
    View {
        name: "prepared_transactions",
        columns: &[
            label("datname", "database"),
            gauge(
                "pg_prepared_transactions",
                "count(*)",
                "Transactions that were prepared and neither committed nor rolled back.",
            ),
            gauge(
                "pg_prepared_transactions_oldest_seconds",
                "max(extract(epoch FROM now() - prepared))",
                "Age of the oldest of them.",
            ),
        ],
        from: "FROM pg_prepared_xacts GROUP BY 1",
        ..View::USUAL
    },
    View {
        name: "xmin_holders",
        needs: Needs::AllStats,
        with: HOLDERS,
        columns: &[
            label("holder", "holder"),
            label("name", "name"),
            label("datname", "datname"),
            gauge(
                "pg_xmin_holder_age",
                "age",
                "Transactions since the oldest one whose rows this holder keeps from vacuum; the oldest of each kind of holder.",
            ),
        ],
        from: "FROM (SELECT DISTINCT ON (holder) * FROM h ORDER BY holder, age DESC, name) AS oldest",
        ..View::USUAL
    },
];

/// A standby without a slot holds its snapshot in its sender process, which `pg_stat_activity`
/// shows as one more session.
const HOLDERS: &str = "WITH h (holder, name, datname, age) AS (\
      SELECT 'session', pid::text, datname::text, \
          greatest(age(backend_xmin), age(backend_xid)) FROM pg_stat_activity \
        WHERE pid <> pg_backend_pid() AND backend_type <> 'walsender' \
          AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) \
      UNION ALL SELECT 'standby', application_name, NULL, age(backend_xmin) \
        FROM pg_stat_replication WHERE backend_xmin IS NOT NULL \
      UNION ALL SELECT 'slot', slot_name::text, database::text, \
          greatest(age(xmin), age(catalog_xmin)) \
        FROM pg_replication_slots WHERE xmin IS NOT NULL OR catalog_xmin IS NOT NULL \
      UNION ALL SELECT 'prepared transaction', gid, database::text, age(transaction) \
        FROM pg_prepared_xacts)";
