//! Two hours of what exporters give, made up from a seed: hosts, PostgreSQL, PgBouncer, Redis,
//! containers and an application, with counters that reset, series that end, begin and pause.
//!
//! No sample lies on a whole second. Prometheus 3 leaves out the sample at the very beginning of a range
//! and Prometheus 2 takes it in; so that this one difference is not in every answer, questions are asked
//! at whole seconds.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use wire::metric::{Kind, Suffix};

/// From one sample of a series to the next.
const INTERVAL_MS: i64 = 30_000;

/// How many samples a series has.
const COUNT: i64 = 240;

/// Above the buckets' bounds of a histogram stands what share of all lies below.
const BUCKETS: [(&str, f64); 5] = [
    ("0.05", 0.25),
    ("0.1", 0.5),
    ("0.5", 0.875),
    ("2.5", 0.96875),
    ("+Inf", 1.0),
];

/// A series.
#[derive(Clone, Debug)]
pub struct Series {
    /// The family that it belongs to.
    pub family: &'static str,
    pub kind: Kind,
    pub suffix: Suffix,
    /// What looked at what.
    pub job: &'static str,
    pub instance: &'static str,
    /// The other labels.
    pub labels: Vec<(&'static str, &'static str)>,
    /// Times in milliseconds since 1970, and numbers.
    pub points: Vec<(i64, f64)>,
}

impl Series {
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}{}", self.family, self.suffix.as_str())
    }
}

/// How the numbers of a series go.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Grows by about this much a second, and begins anew after an hour.
    Counter(f64),
    /// Wanders around the first within the second.
    Gauge(f64, f64),
    /// Always this.
    Always(f64),
    /// 1, but 0 for a while.
    Flag,
    /// A moment of the last hours, in seconds since 1970.
    Moment,
    /// Measurements a second, in buckets.
    Histogram(f64),
}

use Shape::{Always, Counter, Flag, Gauge, Histogram, Moment};

/// A family: name, how it goes, and the labels of its series.
type Family = (&'static str, Shape, &'static [&'static str]);

const NODE: &[Family] = &[
    ("up", Flag, &[""]),
    (
        "node_cpu_seconds_total",
        Counter(0.8),
        &[
            "cpu=0,mode=idle",
            "cpu=0,mode=user",
            "cpu=0,mode=iowait",
            "cpu=1,mode=idle",
            "cpu=1,mode=user",
            "cpu=1,mode=iowait",
        ],
    ),
    ("node_load1", Gauge(2.0, 1.5), &[""]),
    ("node_memory_MemTotal_bytes", Always(8.589934592e9), &[""]),
    ("node_memory_MemAvailable_bytes", Gauge(4e9, 2e9), &[""]),
    (
        "node_filesystem_size_bytes",
        Always(1e11),
        &[
            "device=/dev/sda1,fstype=ext4,mountpoint=/",
            "device=/dev/sdb1,fstype=xfs,mountpoint=/var/lib/postgresql",
        ],
    ),
    (
        "node_filesystem_avail_bytes",
        Gauge(3e10, 2e9),
        &[
            "device=/dev/sda1,fstype=ext4,mountpoint=/",
            "device=/dev/sdb1,fstype=xfs,mountpoint=/var/lib/postgresql",
        ],
    ),
    (
        "node_disk_io_time_seconds_total",
        Counter(0.2),
        &["device=sda", "device=sdb"],
    ),
    (
        "node_disk_read_bytes_total",
        Counter(1.5e6),
        &["device=sda", "device=sdb"],
    ),
    (
        "node_network_receive_bytes_total",
        Counter(2e5),
        &["device=eth0", "device=lo"],
    ),
    (
        "node_network_transmit_bytes_total",
        Counter(3e5),
        &["device=eth0", "device=lo"],
    ),
    ("node_boot_time_seconds", Moment, &[""]),
    (
        "node_uname_info",
        Always(1.0),
        &["nodename=alpha,release=6.1"],
    ),
];

const POSTGRES: &[Family] = &[
    ("up", Flag, &[""]),
    ("pg_up", Flag, &[""]),
    (
        "pg_stat_database_xact_commit",
        Counter(120.0),
        &["datid=5,datname=postgres", "datid=16384,datname=loans"],
    ),
    (
        "pg_stat_database_xact_rollback",
        Counter(2.0),
        &["datid=5,datname=postgres", "datid=16384,datname=loans"],
    ),
    (
        "pg_stat_database_blks_hit",
        Counter(9e3),
        &["datid=5,datname=postgres", "datid=16384,datname=loans"],
    ),
    (
        "pg_stat_database_blks_read",
        Counter(80.0),
        &["datid=5,datname=postgres", "datid=16384,datname=loans"],
    ),
    (
        "pg_stat_database_deadlocks",
        Counter(0.01),
        &["datid=5,datname=postgres", "datid=16384,datname=loans"],
    ),
    (
        "pg_stat_activity_count",
        Gauge(20.0, 15.0),
        &[
            "datname=loans,state=active",
            "datname=loans,state=idle",
            "datname=loans,state=idle in transaction",
            "datname=postgres,state=active",
        ],
    ),
    ("pg_settings_max_connections", Always(100.0), &[""]),
    (
        "pg_database_size_bytes",
        Gauge(7e9, 1e8),
        &["datname=postgres", "datname=loans"],
    ),
    ("pg_replication_lag_seconds", Gauge(3.0, 3.0), &[""]),
    ("pg_replication_is_replica", Always(0.0), &[""]),
    (
        "pg_stat_user_tables_n_dead_tup",
        Gauge(5e4, 4e4),
        &[
            "datname=loans,relname=payments",
            "datname=loans,relname=accounts",
        ],
    ),
    (
        "pg_stat_user_tables_n_live_tup",
        Gauge(1e6, 1e4),
        &[
            "datname=loans,relname=payments",
            "datname=loans,relname=accounts",
        ],
    ),
    (
        "pg_locks_count",
        Gauge(8.0, 6.0),
        &[
            "datname=loans,mode=accesssharelock",
            "datname=loans,mode=exclusivelock",
        ],
    ),
    ("pg_postmaster_start_time_seconds", Moment, &[""]),
    ("pg_stat_archiver_failed_count", Counter(0.005), &[""]),
    (
        "pg_stat_bgwriter_buffers_checkpoint_total",
        Counter(30.0),
        &[""],
    ),
];

const PGBOUNCER: &[Family] = &[
    ("up", Flag, &[""]),
    (
        "pgbouncer_pools_client_active_connections",
        Gauge(12.0, 8.0),
        &["database=loans,user=app", "database=loans,user=etl"],
    ),
    (
        "pgbouncer_pools_client_waiting_connections",
        Gauge(1.5, 1.5),
        &["database=loans,user=app", "database=loans,user=etl"],
    ),
    (
        "pgbouncer_stats_queries_duration_seconds_total",
        Counter(0.4),
        &["database=loans"],
    ),
    (
        "pgbouncer_stats_queries_pooled_total",
        Counter(240.0),
        &["database=loans"],
    ),
];

const REDIS: &[Family] = &[
    ("up", Flag, &[""]),
    ("redis_connected_clients", Gauge(30.0, 10.0), &[""]),
    ("redis_memory_used_bytes", Gauge(2e8, 5e7), &[""]),
    ("redis_memory_max_bytes", Always(5.36870912e8), &[""]),
    ("redis_keyspace_hits_total", Counter(900.0), &[""]),
    ("redis_keyspace_misses_total", Counter(40.0), &[""]),
    (
        "redis_commands_total",
        Counter(75.0),
        &["cmd=get", "cmd=set", "cmd=del"],
    ),
];

const DOCKER: &[Family] = &[
    ("up", Flag, &[""]),
    (
        "container_cpu_usage_seconds_total",
        Counter(0.3),
        &[
            "id=/docker/1,image=app:1,name=app",
            "id=/docker/2,image=redis:7,name=cache",
            "id=/docker/3,image=app:2,name=app2",
        ],
    ),
    (
        "container_memory_working_set_bytes",
        Gauge(3e8, 1e8),
        &[
            "id=/docker/1,image=app:1,name=app",
            "id=/docker/2,image=redis:7,name=cache",
            "id=/docker/3,image=app:2,name=app2",
        ],
    ),
    (
        "container_spec_memory_limit_bytes",
        Always(5.36870912e8),
        &[
            "id=/docker/1,image=app:1,name=app",
            "id=/docker/2,image=redis:7,name=cache",
        ],
    ),
    (
        "container_last_seen",
        Moment,
        &[
            "id=/docker/1,image=app:1,name=app",
            "id=/docker/2,image=redis:7,name=cache",
        ],
    ),
];

const APPLICATION: &[Family] = &[
    ("up", Flag, &[""]),
    (
        "http_requests_total",
        Counter(25.0),
        &[
            "code=200,method=GET",
            "code=200,method=POST",
            "code=500,method=GET",
            "code=404,method=GET",
        ],
    ),
    (
        "http_request_duration_seconds",
        Histogram(25.0),
        &["method=GET", "method=POST"],
    ),
    (
        "queue_depth",
        Gauge(0.0, 50.0),
        &["queue=mail", "queue=payments", "queue=reports"],
    ),
];

/// What looks at what, and which of it.
const TARGETS: [(&str, &str, &[Family]); 9] = [
    ("node", "db1:9100", NODE),
    ("node", "db2:9100", NODE),
    ("postgres-exporter", "db1:9187", POSTGRES),
    ("postgres-exporter", "db2:9187", POSTGRES),
    ("pgbouncer", "db1:9127", PGBOUNCER),
    ("redis", "cache1:9121", REDIS),
    ("cadvisor", "docker1:8080", DOCKER),
    ("app", "app1:8000", APPLICATION),
    ("app", "app2:8000", APPLICATION),
];

/// All series, up to a moment in milliseconds since 1970 that is a whole minute.
#[must_use]
pub fn made_up(until_ms: i64, seed: u64) -> Vec<Series> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut all = Vec::new();
    for (place, (job, instance, families)) in TARGETS.iter().enumerate() {
        // Each target is looked at at its own time.
        let phase_ms = 137 + 2_411 * i64::try_from(place).unwrap_or_default();
        let start_ms = until_ms - COUNT * INTERVAL_MS + phase_ms;
        for (family, shape, label_sets) in *families {
            for labels in *label_sets {
                let of = Series {
                    family,
                    kind: kind_of(*shape),
                    suffix: Suffix::None,
                    job,
                    instance,
                    labels: pairs(labels),
                    points: Vec::new(),
                };
                all.extend(filled(&of, *shape, start_ms, &mut random));
            }
        }
    }
    all
}

fn kind_of(shape: Shape) -> Kind {
    match shape {
        Counter(_) => Kind::Counter,
        Histogram(_) => Kind::Histogram,
        Gauge(..) | Always(_) | Flag | Moment => Kind::Gauge,
    }
}

fn pairs(text: &'static str) -> Vec<(&'static str, &'static str)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.collect()
}

fn filled(of: &Series, shape: Shape, start_ms: i64, random: &mut StdRng) -> Vec<Series> {
    let times: Vec<i64> = (0..COUNT)
        .filter(|step| is_there(of, *step))
        .map(|step| start_ms + step * INTERVAL_MS)
        .collect();
    if let Histogram(per_second) = shape {
        return histogram(of, per_second, &times, random);
    }
    let mut value = match shape {
        Counter(per_second) => per_second * random.random_range(5_000.0..50_000.0),
        Gauge(around, _) | Always(around) => around,
        Flag | Histogram(_) => 1.0,
        Moment => (start_ms / 1_000) as f64 - random.random_range(0.0..9_000.0_f64).floor(),
    };
    let reset_at = random.random_range(60..COUNT * 2);
    let mut points = Vec::with_capacity(times.len());
    for (step, at_ms) in (0i64..).zip(times) {
        value = next(shape, value, step == reset_at, random);
        points.push((at_ms, value));
    }
    vec![Series {
        points,
        ..of.clone()
    }]
}

/// One container ends, one begins, and one host is out of reach for a while.
fn is_there(of: &Series, step: i64) -> bool {
    let named = |name: &str| of.labels.contains(&("name", name));
    match of.instance {
        "docker1:8080" if named("app") => step < COUNT - 70,
        "docker1:8080" if named("app2") => step >= COUNT - 60,
        "db2:9100" => !(COUNT - 110..COUNT - 85).contains(&step),
        _ => true,
    }
}

fn next(shape: Shape, value: f64, resets: bool, random: &mut StdRng) -> f64 {
    match shape {
        // After a reset it has counted for a while already: where a counter begins near zero, the
        // two Prometheus extrapolate differently.
        Counter(per_second) if resets => per_second * 4_000.0,
        Counter(per_second) => value + per_second * 30.0 * random.random_range(0.0..2.0),
        Gauge(around, spread) => {
            let wandered = value + spread * random.random_range(-0.3..0.3);
            // Never the same twice, or more than one answer to "the largest two" would be right.
            let apart = random.random_range(0.0..spread / 1e3);
            wandered.clamp(around - spread, around + spread) + apart
        }
        Flag if random.random_bool(0.01) => 1.0 - value,
        Flag => {
            if value == 0.0 && random.random_bool(0.2) {
                1.0
            } else {
                value
            }
        }
        Always(_) | Moment | Histogram(_) => value,
    }
}

fn histogram(of: &Series, per_second: f64, times: &[i64], random: &mut StdRng) -> Vec<Series> {
    let with = |suffix: Suffix, le: Option<&'static str>| Series {
        suffix,
        labels: of
            .labels
            .iter()
            .copied()
            .chain(le.map(|le| ("le", le)))
            .collect(),
        ..of.clone()
    };
    let buckets = BUCKETS.map(|(le, _)| with(Suffix::Bucket, Some(le)));
    let [mut sum, mut count] = [with(Suffix::Sum, None), with(Suffix::Count, None)];
    let mut buckets = buckets.to_vec();
    let mut total = (per_second * 9_000.0).floor();
    for at_ms in times {
        total += (per_second * 30.0 * random.random_range(0.5..1.5)).floor();
        for (bucket, (_, share)) in buckets.iter_mut().zip(BUCKETS) {
            bucket.points.push((*at_ms, (total * share).floor()));
        }
        sum.points.push((*at_ms, total * 0.21));
        count.points.push((*at_ms, total));
    }
    buckets.extend([sum, count]);
    buckets
}
