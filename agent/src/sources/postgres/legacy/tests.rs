use super::*;
use crate::sources::login::Encryption;

fn target(host: &str) -> Target {
    Target {
        host: Host::new(host),
        port: 5433,
        user: "nightshift".to_owned(),
        dbname: "postgres".to_owned(),
        encryption: Encryption::Off,
        given_password: None,
        passfile: None,
        options: None,
    }
}

fn translated(fill: impl FnOnce(&mut Gather)) -> Vec<String> {
    let mut out = Gather::default();
    fill(&mut out);
    translate(&mut out, &target("db1"));
    let mut lines = Vec::new();
    for family in out.finish().0 {
        for point in &family.points {
            let labels: Vec<String> = point
                .labels
                .iter()
                .map(|label| format!("{}={}", label.name, label.value))
                .collect();
            let (name, kind) = (&family.name, family.kind);
            lines.push(format!(
                "{kind} {name}{{{}}} {}",
                labels.join(","),
                point.value
            ));
        }
    }
    lines.sort();
    lines
}

#[test]
fn sessions_are_summed_up_to_database_and_state() {
    let lines = translated(|out| {
        for (user, sessions, age) in [("a", 2.0, 5.0), ("b", 3.0, 4.0)] {
            let labels = [("datname", "shop"), ("state", "idle"), ("usename", user)];
            out.gauge("pg_stat_activity_count", "")
                .with(labels, sessions);
            out.gauge("pg_stat_activity_max_tx_duration", "")
                .with(labels, age);
        }
    });
    assert_eq!(
        lines,
        [
            "gauge pg_stat_activity_count{datname=shop,state=idle,server=db1:5433} 5",
            "gauge pg_stat_activity_max_tx_duration{datname=shop,state=idle,server=db1:5433} 5",
        ]
    );
}

#[test]
fn old_names_stand_beside_new_ones() {
    let lines = translated(|out| {
        out.gauge("pg_up", "").value(1.0);
        out.gauge("nightshift_postgres_connections", "").value(1.0);
        out.gauge("pg_replication_lag_seconds", "").value(7.0);
        out.counter("pg_stat_bgwriter_buffers_alloc_total", "")
            .value(8.0);
        out.counter("pg_stat_database_active_time_seconds_total", "")
            .with([("datname", "shop")], 1.5);
        out.gap("statements", "not there", "");
    });
    assert_eq!(
        lines,
        [
            "counter pg_stat_bgwriter_buffers_alloc_total{server=db1:5433} 8",
            "counter pg_stat_bgwriter_buffers_alloc{server=db1:5433} 8",
            "counter pg_stat_database_active_time_seconds_total{datname=shop,server=db1:5433} 1.5",
            "gauge nightshift_postgres_connections{} 1",
            "gauge pg_replication_lag_seconds{server=db1:5433} 7",
            "gauge pg_replication_lag{server=db1:5433} 7",
            "gauge pg_up{} 1",
            "untyped pg_stat_database_active_time{datname=shop,server=db1:5433} 1500",
        ]
    );
}

#[test]
fn gaps_stay() {
    let mut out = Gather::default();
    out.gap("statements", "not there", "CREATE EXTENSION");
    translate(&mut out, &target("/run/postgresql"));
    assert_eq!(out.finish().1.len(), 1);
    assert_eq!(
        server_label(&target("/run/postgresql")),
        "/run/postgresql:5433"
    );
}
