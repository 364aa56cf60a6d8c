//! Which column of which `SHOW` becomes which metric. Names are pgbouncer_exporter's.

use wire::metric::Kind;

/// PgBouncer counts time in microseconds; metrics are in seconds.
const MICROSECONDS: f64 = 1e-6;

/// A `SHOW` that gives a row an object.
pub(super) struct Table {
    /// What is shown: `POOLS`.
    pub(super) show: &'static str,
    /// The columns that become labels.
    pub(super) labels: &'static [&'static str],
    /// The columns that become metrics.
    pub(super) columns: &'static [Column],
}

/// A column that becomes a metric.
pub(super) struct Column {
    pub(super) column: &'static str,
    pub(super) metric: &'static str,
    pub(super) kind: Kind,
    pub(super) scale: f64,
    pub(super) help: &'static str,
}

const fn counter(
    column: &'static str,
    metric: &'static str,
    scale: f64,
    help: &'static str,
) -> Column {
    Column {
        column,
        metric,
        kind: Kind::Counter,
        scale,
        help,
    }
}

const fn gauge(column: &'static str, metric: &'static str, help: &'static str) -> Column {
    Column {
        column,
        metric,
        kind: Kind::Gauge,
        scale: 1.0,
        help,
    }
}

/// The rows that become metrics with labels.
#[rustfmt::skip]
pub(super) const TABLES: &[Table] = &[
    Table {
        show: "STATS",
        labels: &["database"],
        columns: &[
            counter("total_query_count", "pgbouncer_stats_queries_pooled_total", 1.0, "Queries pooled."),
            counter("total_query_time", "pgbouncer_stats_queries_duration_seconds_total", MICROSECONDS, "Time spent connected to PostgreSQL, running queries."),
            counter("total_received", "pgbouncer_stats_received_bytes_total", 1.0, "Bytes received over the network."),
            counter("total_requests", "pgbouncer_stats_queries_total", 1.0, "Requests pooled, as PgBouncer before 1.8 counted them."),
            counter("total_sent", "pgbouncer_stats_sent_bytes_total", 1.0, "Bytes sent over the network."),
            counter("total_wait_time", "pgbouncer_stats_client_wait_seconds_total", MICROSECONDS, "Time that clients waited for a server connection."),
            counter("total_xact_count", "pgbouncer_stats_sql_transactions_pooled_total", 1.0, "Transactions pooled."),
            counter("total_xact_time", "pgbouncer_stats_server_in_transaction_seconds_total", MICROSECONDS, "Time spent in transactions, idle ones included."),
            counter("total_client_parse_count", "pgbouncer_stats_client_parses_total", 1.0, "Statements that clients prepared."),
            counter("total_server_parse_count", "pgbouncer_stats_server_parses_total", 1.0, "Statements prepared on servers."),
            counter("total_bind_count", "pgbouncer_stats_binds_total", 1.0, "Prepared statements bound."),
        ],
    },
    Table {
        show: "POOLS",
        labels: &["database", "user"],
        columns: &[
            gauge("cl_active", "pgbouncer_pools_client_active_connections", "Clients with a server connection, or idle."),
            gauge("cl_active_cancel_req", "pgbouncer_pools_client_active_cancel_connections", "Clients whose cancel request was forwarded and is not answered."),
            gauge("cl_waiting", "pgbouncer_pools_client_waiting_connections", "Clients waiting for a server connection."),
            gauge("cl_waiting_cancel_req", "pgbouncer_pools_client_waiting_cancel_connections", "Clients whose cancel request waits to be forwarded."),
            gauge("sv_active", "pgbouncer_pools_server_active_connections", "Server connections in use by a client."),
            gauge("sv_active_cancel", "pgbouncer_pools_server_active_cancel_connections", "Server connections that forward a cancel request."),
            gauge("sv_being_canceled", "pgbouncer_pools_server_being_canceled_connections", "Server connections held until cancel requests for them are done."),
            gauge("sv_idle", "pgbouncer_pools_server_idle_connections", "Server connections ready for a client."),
            gauge("sv_used", "pgbouncer_pools_server_used_connections", "Server connections idle for so long that they need a check."),
            gauge("sv_tested", "pgbouncer_pools_server_testing_connections", "Server connections being reset or checked."),
            gauge("sv_login", "pgbouncer_pools_server_login_connections", "Server connections logging in."),
        ],
    },
    Table {
        show: "DATABASES",
        labels: &["name", "host", "port", "database", "force_user", "pool_mode"],
        columns: &[
            gauge("pool_size", "pgbouncer_databases_pool_size", "Most server connections of a pool."),
            gauge("reserve_pool", "pgbouncer_databases_reserve_pool", "Most server connections of a pool beyond its size."),
            // 1.24 renamed the column.
            gauge("reserve_pool_size", "pgbouncer_databases_reserve_pool", "Most server connections of a pool beyond its size."),
            gauge("max_connections", "pgbouncer_databases_max_connections", "Most server connections to the database; 0 is no limit."),
            gauge("current_connections", "pgbouncer_databases_current_connections", "Server connections to the database."),
            gauge("paused", "pgbouncer_databases_paused", "Whether the database is paused."),
            gauge("disabled", "pgbouncer_databases_disabled", "Whether the database is disabled."),
        ],
    },
];

/// The rows of `SHOW LISTS` that become a metric each: list, metric, help.
#[rustfmt::skip]
pub(super) const LISTS: &[(&str, &str, &str)] = &[
    ("databases", "pgbouncer_databases", "Databases."),
    ("users", "pgbouncer_users", "Users."),
    ("pools", "pgbouncer_pools", "Pools."),
    ("free_clients", "pgbouncer_free_clients", "Client slots allocated and free."),
    ("used_clients", "pgbouncer_used_clients", "Clients."),
    ("login_clients", "pgbouncer_login_clients", "Clients logging in."),
    ("free_servers", "pgbouncer_free_servers", "Server slots allocated and free."),
    ("used_servers", "pgbouncer_used_servers", "Server connections."),
    ("dns_names", "pgbouncer_cached_dns_names", "Host names in the cache."),
    ("dns_zones", "pgbouncer_cached_dns_zones", "DNS zones in the cache."),
    ("dns_queries", "pgbouncer_in_flight_dns_queries", "DNS queries under way."),
];

/// The rows of `SHOW CONFIG` that become a metric each: setting, metric, help.
#[rustfmt::skip]
pub(super) const CONFIG: &[(&str, &str, &str)] = &[
    ("max_client_conn", "pgbouncer_config_max_client_connections", "Most clients allowed."),
    ("max_user_connections", "pgbouncer_config_max_user_connections", "Most server connections of a user allowed; 0 is no limit."),
];
