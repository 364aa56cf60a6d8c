//! Who waits for whom: each blocked session with those that block it, and at the root of each tree
//! the session that blocks all others and waits for none.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::SimpleQueryRow;
use wire::metric::Label;

use crate::collect::Gather;
use crate::sources::postgres::view::{Needs, Read, View, aside};

pub(crate) const VIEWS: &[View] = &[View {
    name: "blocking",
    needs: Needs::AllStats,
    with: WAITING,
    columns: &[
        aside("w.pid"),
        aside("b.pid"),
        aside("w.datname"),
        aside("w.usename"),
        aside("w.application_name"),
        aside("l.locktype"),
        aside("l.mode"),
        aside(RELATION),
        aside(WAITED_13).until(14),
        aside(WAITED).since(14),
        aside("h.datname"),
        aside("h.usename"),
        aside("h.application_name"),
        aside("h.state"),
        aside("extract(epoch FROM clock_timestamp() - h.xact_start)"),
        aside("w.everyone"),
    ],
    from: "FROM w \
        CROSS JOIN LATERAL (SELECT DISTINCT pid FROM unnest(pg_blocking_pids(w.pid)) AS pid) AS b \
        LEFT JOIN l ON l.pid = w.pid \
        LEFT JOIN pg_stat_activity AS h ON h.pid = b.pid",
    read: Read::Whole(read),
    ..View::USUAL
}];

/// `pg_blocking_pids` takes the lock manager's own locks for a moment, so it is asked only for
/// sessions that wait for a lock, and for the hundred that have waited longest.
const WAITING: &str = "WITH w AS MATERIALIZED (\
      SELECT pid, datname, usename, application_name, state_change, query_start, \
        count(*) OVER () AS everyone \
      FROM pg_stat_activity WHERE wait_event_type = 'Lock' ORDER BY query_start LIMIT 100), \
    l AS MATERIALIZED (SELECT DISTINCT ON (pid) * FROM pg_locks WHERE NOT granted ORDER BY pid)";

/// A table's name can only be looked up in its own database; elsewhere its number has to do.
const RELATION: &str = "CASE WHEN l.relation IS NULL THEN NULL \
    WHEN l.database IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) \
    THEN l.relation::regclass::text ELSE l.relation::text END";

/// 13 does not say since when a lock is waited for; the statement began at the latest then.
const WAITED_13: &str = "extract(epoch FROM clock_timestamp() - w.query_start)";
const WAITED: &str = "extract(epoch FROM clock_timestamp() - coalesce(l.waitstart, w.query_start))";

/// What is known of a session that blocks others.
struct Blocker<'a> {
    datname: &'a str,
    usename: &'a str,
    application_name: &'a str,
    state: &'a str,
    transaction: Option<f64>,
}

fn read(rows: &[SimpleQueryRow], out: &mut Gather) {
    let mut blocks: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut blocked = BTreeSet::new();
    let mut blockers = BTreeMap::new();
    let everyone = rows
        .first()
        .and_then(|row| row.get(14)?.parse().ok())
        .unwrap_or(0.0);
    out.gauge("pg_blocked_sessions", "Sessions that wait for a lock.")
        .value(everyone);
    for row in rows {
        let text = |at| row.get(at).unwrap_or_default();
        let number = |at| row.get(at).and_then(|text| text.parse::<f64>().ok());
        let (waiter, blocker) = (text(0), text(1));
        if let Some(waited) = number(8) {
            let labels = [
                ("pid", waiter),
                ("blocked_by", name_of(blocker)),
                ("datname", text(2)),
                ("usename", text(3)),
                ("application_name", text(4)),
                ("locktype", text(5)),
                ("mode", text(6)),
                ("relation", text(7)),
            ];
            out.gauge(
                "pg_blocked_session_wait_seconds",
                "For how long the session has waited for a lock that another one blocks.",
            )
            .point(owned(&labels), waited);
        }
        blocks.entry(blocker).or_default().insert(waiter);
        blocked.insert(waiter);
        blockers.entry(blocker).or_insert_with(|| Blocker {
            datname: text(9),
            usename: text(10),
            application_name: text(11),
            state: text(12),
            transaction: number(13),
        });
    }
    for (pid, blocker) in blockers.iter().filter(|(pid, _)| !blocked.contains(*pid)) {
        give_root(pid, blocker, behind(pid, &blocks).len(), out);
    }
}

fn give_root(pid: &str, blocker: &Blocker<'_>, behind: usize, out: &mut Gather) {
    let labels = owned(&[
        ("pid", name_of(pid)),
        ("datname", blocker.datname),
        ("usename", blocker.usename),
        ("application_name", blocker.application_name),
        ("state", blocker.state),
    ]);
    // At most a hundred sessions are looked at.
    #[allow(clippy::cast_precision_loss)]
    out.gauge(
        "pg_root_blocker_blocked_sessions",
        "Sessions that wait, directly or behind others, for this one, which waits for none.",
    )
    .point(labels.clone(), behind as f64);
    if let Some(age) = blocker.transaction {
        out.gauge(
            "pg_root_blocker_transaction_seconds",
            "Age of the transaction of the session that blocks others and waits for none.",
        )
        .point(labels, age);
    }
}

/// Everyone who waits behind `root`, at whatever distance.
fn behind<'a>(root: &'a str, blocks: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        for waiter in blocks.get(pid).into_iter().flatten() {
            if found.insert(*waiter) {
                next.push(waiter);
            }
        }
    }
    found
}

/// PostgreSQL gives 0 for a prepared transaction: it has no process.
fn name_of(pid: &str) -> &str {
    if pid == "0" {
        "prepared transaction"
    } else {
        pid
    }
}

fn owned(labels: &[(&'static str, &str)]) -> Vec<Label> {
    labels
        .iter()
        .map(|(name, value)| Label::new(*name, (*value).to_owned()))
        .collect()
}
