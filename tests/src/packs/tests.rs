use super::*;

fn check(rules: &str, expected: &str) {
    assert_eq!(hasten(rules, 60).unwrap(), expected, "{rules}");
}

#[test]
fn what_passes_is_divided() {
    check("for: 5m", "for: 5000ms");
    check(
        "{alert: A, for: 1h30m, expr: a}",
        "{alert: A, for: 90000ms, expr: a}",
    );
    check("keep_firing_for: 1d", "keep_firing_for: 1440000ms");
    check("flap: 30s", "flap: 500ms");
    check("for: 20ms", "for: 1ms");
    check("increase(a[15m]) > 0", "increase(a[15000ms]) > 0");
    check(
        "max_over_time(rate(a[1m])[1h:])",
        "max_over_time(rate(a[1000ms])[60000ms:])",
    );
    check(
        "avg_over_time(a[1h:1m])",
        "avg_over_time(a[60000ms:1000ms])",
    );
    check(
        "etl_last_success_age_seconds > 3600",
        "etl_last_success_age_seconds > 3600 / 60",
    );
    check(
        "max by (a) (b_wait_seconds{c=\"d\"}) >= 60",
        "max by (a) (b_wait_seconds{c=\"d\"}) >= 60 / 60",
    );
    check(
        "time() - a_timestamp_seconds < 7 * 86400",
        "time() - a_timestamp_seconds < 7 * 86400 / 60",
    );
    check(
        "time() - timestamp(a) < 90)",
        "time() - timestamp(a) < 90 / 60)",
    );
}

#[test]
fn what_is_a_quantity_stays() {
    for rules in [
        "avg_over_time(probe_duration_seconds) > 2",
        "abs(nightshift_agent_clock_skew_seconds) > 5",
        "sum(a_seconds_total) / sum(a_calls_total) > 1",
        "pg_archive_ready_segments > 256",
        "a_age_seconds > on (job) a_max_age_seconds",
        "label_replace(a, \"b\", \"$1\", \"c\", \"(.+?)(:[0-9]+)?\")",
        "summary: '5m of waiting for: nothing'",
        "",
    ] {
        check(rules, rules);
    }
}

#[test]
fn of_the_packs_nothing_that_waits_is_forgotten() {
    let range = Regex::new(r"\[[0-9]+[smhd]").unwrap();
    let mut ages = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "yml") {
            continue;
        }
        let pack = fs::read_to_string(&path).unwrap();
        let hastened = hasten(&pack, 60).unwrap();
        ages += hastened.matches(" / 60").count();
        for (was, is) in pack.lines().zip(hastened.lines()) {
            let waits = was.trim_start().starts_with("for: ") || range.is_match(was);
            assert!(!waits || was != is, "{}: {was}", path.display());
        }
        assert_eq!(pack.lines().count(), hastened.lines().count());
    }
    // Those of postgres, replication, archive, etl, pgbouncer and nightshift.
    assert!(ages >= 12, "{ages}");
}
