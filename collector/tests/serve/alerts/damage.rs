//! Damage to `state.db`: said loudly, moved aside, and never in the way of what comes next.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, SqlSafeStr};

use super::{Site, push, transitions, until_state};
use crate::server::until;

const RULES: &str =
    "groups:\n- name: g\n  interval: 100ms\n  rules:\n  - {alert: High, expr: cpu > 90}\n";

#[tokio::test]
async fn a_damaged_state_is_moved_aside() {
    for damage in [
        b"no database at all, whatever its name says".as_slice(),
        &[0xff; 8_192],
    ] {
        let site = Site::new(RULES);
        let server = site.start().await;
        push(&server, "cpu", "db1", 95.0).await;
        until_state(&server, "High", "firing").await;
        server.stop(&[]).await;
        let path = site.data().join("state.db");
        let mut bytes = std::fs::read(&path).unwrap();
        let length = damage.len().min(bytes.len());
        bytes[..length].copy_from_slice(&damage[..length]);
        std::fs::write(&path, bytes).unwrap();
        let server = site.start().await;
        push(&server, "cpu", "db1", 95.0).await;
        until_state(&server, "High", "firing").await;
        let aside: Vec<_> = std::fs::read_dir(site.data())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("state.db.damaged-"))
            .collect();
        assert_eq!(aside.len(), 1, "{aside:?}");
        assert!(path.exists());
        server.stop(&["state.db is damaged; moved aside"]).await;
    }
}

async fn execute(database: &mut SqliteConnection, statement: &'static str) {
    let done = sqlx::query(statement.into_sql_str())
        .execute(database)
        .await;
    done.unwrap();
}

/// As on a full disk: every write fails. Alerts go on in memory, and once writing works again all that
/// came to pass is there, also after kill -9.
#[tokio::test]
async fn alerts_go_on_while_they_cannot_be_saved() {
    let site = Site::new(RULES);
    let server = site.start().await;
    push(&server, "cpu", "db1", 95.0).await;
    until_state(&server, "High", "firing").await;
    let options = SqliteConnectOptions::new().filename(site.data().join("state.db"));
    let mut database = options.connect().await.unwrap();
    let refusal =
        "CREATE TRIGGER full BEFORE UPDATE ON alert BEGIN SELECT RAISE(ABORT, 'full'); END";
    execute(&mut database, refusal).await;
    push(&server, "cpu", "db1", 5.0).await;
    until_state(&server, "High", "gone").await;
    until("it is said", async || {
        server.log().contains("cannot save the state")
    })
    .await;
    push(&server, "cpu", "db1", 96.0).await;
    let before = until_state(&server, "High", "firing").await;
    let unsaved = server
        .metric("nightshift_rules_unsaved_evaluations_total")
        .await;
    assert!(unsaved > 0.0);
    assert_eq!(transitions(&server, "High").await, ["firing"]);
    execute(&mut database, "DROP TRIGGER full").await;
    until("all is saved", async || {
        transitions(&server, "High").await.len() == 3
    })
    .await;
    server.kill().await;
    let server = site.start().await;
    let after = until_state(&server, "High", "firing").await;
    assert_eq!(before["activeAt"], after["activeAt"]);
    assert_eq!(
        transitions(&server, "High").await,
        ["firing", "resolved", "firing"]
    );
    server.stop(&[]).await;
}
