//! Sessions: how many in which state and waiting for what, the oldest transactions, idle ones.

use tokio_postgres::SimpleQueryRow;
use wire::metric::{Kind, Label, Point, Suffix};

use crate::collect::Gather;
use crate::sources::postgres::view::{Needs, Read, View, aside, gauge, label};

pub(crate) const VIEWS: &[View] = &[
    View {
        name: "activity",
        needs: Needs::AllStats,
        with: COUNTED,
        columns: &[
            label("datname", "d.datname"),
            label("state", "s.state"),
            label("usename", "c.usename"),
            label("application_name", "c.application_name"),
            label("backend_type", "c.backend_type"),
            label("wait_event_type", "c.wait_event_type"),
            label("wait_event", "c.wait_event"),
            gauge(
                "pg_stat_activity_count",
                "coalesce(c.sessions, 0)",
                "Sessions in this state.",
            ),
            gauge(
                "pg_stat_activity_max_tx_duration",
                "coalesce(c.oldest, 0)",
                "Age of the oldest transaction of these sessions, in seconds.",
            ),
        ],
        from: STATES,
        ..View::USUAL
    },
    View {
        name: "sessions",
        needs: Needs::AllStats,
        columns: &[
            gauge(
                "pg_long_running_transactions",
                "count(*) FILTER (WHERE long)",
                "Transactions that are open and not idle outside of one.",
            ),
            gauge(
                "pg_long_running_transactions_oldest_timestamp_seconds",
                "coalesce(max(age) FILTER (WHERE long), 0)",
                "Age of the oldest open transaction, in seconds.",
            ),
            gauge(
                "pg_idle_in_transaction_sessions",
                "count(*) FILTER (WHERE idle)",
                "Sessions that hold a transaction open and do nothing.",
            ),
            gauge(
                "pg_idle_in_transaction_oldest_seconds",
                "coalesce(max(since) FILTER (WHERE idle), 0)",
                "For how long the longest of them has done nothing, in seconds.",
            ),
            gauge(
                "pg_active_query_oldest_seconds",
                "coalesce(max(running) FILTER (WHERE state = 'active'), 0)",
                "For how long the longest statement has been running, in seconds.",
            ),
        ],
        from: "FROM (SELECT state, \
            state IS DISTINCT FROM 'idle' AND xact_start IS NOT NULL \
              AND query NOT LIKE 'autovacuum:%' AS long, \
            state LIKE 'idle in transaction%' AS idle, \
            extract(epoch FROM clock_timestamp() - xact_start) AS age, \
            extract(epoch FROM clock_timestamp() - query_start) AS running, \
            extract(epoch FROM clock_timestamp() - state_change) AS since \
            FROM pg_stat_activity \
            WHERE pid <> pg_backend_pid() AND backend_type <> 'walsender') AS s",
        ..View::USUAL
    },
    View {
        name: "autovacuum",
        needs: Needs::AllStats,
        columns: &[
            label("relname", "split_part(query, '.', 2)"),
            gauge(
                "pg_stat_activity_autovacuum_timestamp_seconds",
                "min(extract(epoch FROM xact_start))",
                "When the autovacuum of the table began, in seconds since 1970.",
            ),
        ],
        from: "FROM pg_stat_activity \
            WHERE query LIKE 'autovacuum:%' AND backend_type = 'autovacuum worker' GROUP BY 1",
        ..View::USUAL
    },
    View {
        name: "process_idle",
        needs: Needs::AllStats,
        columns: &[
            aside("state"),
            aside("application_name"),
            aside("le"),
            aside("count(*) FILTER (WHERE idle <= le)"),
            aside("sum(idle)"),
            aside("count(*)"),
        ],
        // Twenty groups are the ones that an operator would look at; a connection pool that puts
        // its process number into application_name would make thousands.
        from: "FROM (SELECT state, application_name, \
              extract(epoch FROM clock_timestamp() - state_change) AS idle, \
              dense_rank() OVER (ORDER BY state, application_name) AS place \
              FROM pg_stat_activity \
              WHERE state LIKE 'idle%' AND pid <> pg_backend_pid()) AS s, \
            unnest(ARRAY[1, 2, 5, 15, 30, 60, 90, 120, 300]) AS le \
            WHERE place <= 20 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        read: Read::Whole(read_idle),
        ..View::USUAL
    },
];

/// Sessions counted by what tells them apart. Beyond 500 groups the application's name becomes
/// `other`: it is free text, and some drivers put a process number into it.
const COUNTED: &str = "WITH g AS MATERIALIZED (\
      SELECT datname, state, usename, application_name, backend_type, wait_event_type, wait_event, \
        count(*) AS sessions, \
        max(extract(epoch FROM now() - xact_start)) AS oldest \
      FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state IS NOT NULL \
      GROUP BY 1, 2, 3, 4, 5, 6, 7), \
    r AS (SELECT *, row_number() OVER (ORDER BY sessions DESC, application_name) AS place FROM g), \
    c AS (SELECT datname, state, usename, \
        CASE WHEN place <= 500 THEN application_name ELSE 'other' END AS application_name, \
        backend_type, wait_event_type, wait_event, \
        sum(sessions) AS sessions, max(oldest) AS oldest \
      FROM r GROUP BY 1, 2, 3, 4, 5, 6, 7)";

/// Each state of each database, as the exporter has it, so that a state nobody is in is 0 and not
/// absent. With very many databases only what is there: six series of zero for each would be most
/// of what the agent sends.
const STATES: &str = "FROM (VALUES ('active'), ('idle'), ('idle in transaction'), \
      ('idle in transaction (aborted)'), ('fastpath function call'), ('disabled')) AS s (state) \
    CROSS JOIN pg_database AS d \
    LEFT JOIN c ON c.state = s.state AND c.datname = d.datname \
    WHERE c.sessions IS NOT NULL OR (SELECT count(*) FROM pg_database) <= 100";

/// Rows come ordered by group and bucket, nine for each group.
fn read_idle(rows: &[SimpleQueryRow], out: &mut Gather) {
    let mut series = out.family(
        "pg_process_idle_seconds",
        "For how long sessions have been idle.",
        Kind::Histogram,
    );
    for row in rows {
        let number = |at| row.get(at).and_then(|text: &str| text.parse::<f64>().ok());
        let (Some(le), Some(bucket), Some(sum), Some(count)) =
            (row.get(2), number(3), number(4), number(5))
        else {
            continue;
        };
        let labels = || {
            [("state", 0), ("application_name", 1)]
                .map(|(name, at)| Label::new(name, row.get(at).unwrap_or_default().to_owned()))
                .to_vec()
        };
        let mut point = |suffix, le: Option<&str>, value| {
            let mut labels = labels();
            labels.extend(le.map(|le| Label::new("le", le.to_owned())));
            series.exact(Point {
                suffix,
                labels,
                value,
                at_ms: None,
            });
        };
        point(Suffix::Bucket, Some(le), bucket);
        if le == "300" {
            point(Suffix::Bucket, Some("+Inf"), count);
            point(Suffix::Sum, None, sum);
            point(Suffix::Count, None, count);
        }
    }
}
