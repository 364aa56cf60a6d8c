//! Series that are made up for a load, as an exporter has them.

use super::push::Labels;

/// The labels of the series at a place, sorted by name, as senders send them.
pub fn labels(name: &str, place: usize) -> Labels {
    // An exporter has some hundred families, many of them with a few series.
    const FAMILIES: usize = 250;
    const OF_HOST: usize = 1_000;
    let (host, within) = (place / OF_HOST, place % OF_HOST);
    let mode = ["idle", "user", "system", "iowait"][within % 4];
    let family = format!("{name}_family_{}_seconds_total", within % FAMILIES);
    let labels = [
        ("__name__", family),
        ("cpu", (within / FAMILIES).to_string()),
        ("env", "production".to_owned()),
        ("instance", format!("db-{host:04}.example.net:9100")),
        ("job", name.to_owned()),
        ("mode", mode.to_owned()),
    ];
    labels.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Half are counters with steps that vary, a quarter gauges with two decimals, a quarter stand still.
pub fn value(place: usize, round: usize) -> f64 {
    let noise = (place.wrapping_mul(2_654_435_761) ^ round.wrapping_mul(40_503)) % 1_000;
    match place % 4 {
        0 | 1 => (place * 1_000 + round * 1_500 + noise) as f64,
        2 => (place % 97) as f64 + noise as f64 / 100.0,
        _ => (place % 7) as f64,
    }
}
