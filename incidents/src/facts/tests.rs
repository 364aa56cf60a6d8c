use store::labels::Labels;
use store::read::{STALE, Sample};

use super::*;

fn series(name: &str, instance: &str, samples: &[(i64, f64)]) -> Series {
    let samples = samples.iter();
    Series {
        labels: Labels::from_pairs([(METRIC_NAME, name), ("instance", instance)]),
        samples: samples
            .map(|(minute, value)| Sample {
                at_ms: minute * 60_000,
                value: *value,
            })
            .collect(),
    }
}

fn check(all: &[Series], expected: &[&str]) {
    let within = TimeRange {
        from_ms: 60_000,
        to_ms: 600_000,
    };
    let told: Vec<String> = changes(all, within)
        .iter()
        .map(|entry| format!("{} {}", entry.at_ms / 60_000, entry.sentence()))
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn changes_are_read_off_series() {
    check(&[], &[]);
    check(
        &[
            series(
                "pg_settings_work_mem_bytes",
                "a:5432",
                &[
                    (0, 4e6),
                    (1, 4e6),
                    (2, STALE),
                    (3, 8e6),
                    (4, 8e6),
                    (11, 1.0),
                ],
            ),
            series(
                "pg_settings_fsync",
                "a:5432",
                &[(0, 1.0), (4, 0.0), (5, 1.0)],
            ),
            series(
                "pg_settings_pending_restart",
                "a:5432",
                &[(0, 0.0), (4, 1.0)],
            ),
            series("pg_replication_is_replica", "b:5432", &[(0, 1.0), (3, 0.0)]),
            series("pg_replication_is_replica", "b:5432", &[(0, 1.0), (3, 0.0)]),
            series(
                STARTED,
                "c:5432",
                &[(0, 10.0), (1, 10.0), (5, 270.2), (6, 270.4)],
            ),
            series(STARTED, "d:5432", &[(9, 480.0), (10, f64::NAN)]),
            series("other", "a:5432", &[(0, 1.0), (4, 0.0)]),
        ],
        &[
            "3 a:5432: setting work_mem_bytes changed from 4000000 to 8000000",
            "3 b:5432 became a primary",
            "4 a:5432: setting fsync changed from 1 to 0",
            "4 c:5432: PostgreSQL was started",
            "5 a:5432: setting fsync changed from 0 to 1",
            "8 d:5432: PostgreSQL was started",
        ],
    );
}
