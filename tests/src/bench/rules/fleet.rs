//! The fleet that the rules watch: two hundred hosts with PostgreSQL, five hundred series each.
//!
//! Names and labels are those of the exporters (`families.txt`). Values move from round to round, and
//! now and then something is in trouble: a fiftieth of all pairs of a host and a metric takes turns of
//! eight rounds of trouble and sixteen of peace, so that alerts pend, fire and resolve all the time.
//! Statements come and go, and series with them. All of it depends on the round alone, so that every
//! program sees the same.

use anyhow::{Context, Result, bail};
use hyper::body::Bytes;
use wire::remote_write::Sample;

use crate::bench::push::{self, Labels, Line};

pub(super) const HOSTS: usize = 200;
pub(super) const CLUSTERS: usize = 20;

/// Between two samples of a series.
pub(super) const STEP_MS: i64 = 15_000;

/// Samples of one request, as senders bound them.
const BATCH: usize = 2_000;
/// Rounds after which a statement gives way to another.
const STATEMENT_ROUNDS: usize = 4;
/// Rounds of a turn, and how many turns there are from one of trouble to the next.
const TURN_ROUNDS: usize = 8;
const TURNS: usize = 3;
/// One in so many pairs of a host and a metric has trouble.
const TROUBLED: usize = 50;

/// All metrics of a name.
struct Family {
    kind: Kind,
    peace: f64,
    trouble: f64,
    /// On every host, without what tells the host.
    series: Vec<Labels>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gauge,
    Counter,
}

/// The series and what they stand at.
pub(super) struct Fleet {
    families: Vec<Family>,
    round: usize,
    /// Of counters, host by host.
    counted: Vec<f64>,
}

impl Fleet {
    pub(super) fn new() -> Result<Self> {
        let lines = include_str!("families.txt").lines();
        let lines = lines.filter(|line| !line.starts_with('#'));
        let families: Result<Vec<Family>> = lines.map(family).collect();
        let mut fleet = Self {
            families: families?,
            round: 0,
            counted: Vec::new(),
        };
        fleet.counted = vec![0.0; fleet.series()];
        Ok(fleet)
    }

    /// How many series there are at any time.
    pub(super) fn series(&self) -> usize {
        let of_host = self.families.iter().map(|family| family.series.len());
        of_host.sum::<usize>() * HOSTS
    }

    /// The requests of the next round.
    pub(super) fn round(&mut self, at_ms: i64) -> Result<Vec<Bytes>> {
        let mut lines = Vec::with_capacity(self.series());
        let mut place = 0;
        for host in 0..HOSTS {
            for (number, family) in self.families.iter().enumerate() {
                let is_troubled = is_troubled(host, number, self.round);
                let level = if is_troubled {
                    family.trouble
                } else {
                    family.peace
                };
                for labels in &family.series {
                    let noise = noise(place, self.round);
                    let value = match family.kind {
                        // What is none or one is so exactly.
                        Kind::Gauge if level <= 1.0 => level,
                        Kind::Gauge => level * (0.95 + 0.1 * noise),
                        Kind::Counter => {
                            let seconds = STEP_MS as f64 / 1_000.0;
                            self.counted[place] += level * seconds * (0.9 + 0.2 * noise);
                            self.counted[place]
                        }
                    };
                    lines.push((told(labels, host, self.round), Sample { at_ms, value }));
                    place += 1;
                }
            }
        }
        self.round += 1;
        lines.chunks(BATCH).map(body).collect()
    }
}

/// The name of a cluster.
pub(super) fn cluster(number: usize) -> String {
    format!("c{number:02}")
}

/// The name of a host, and its cluster.
pub(super) fn host(number: usize) -> (String, String) {
    let of_cluster = HOSTS / CLUSTERS;
    (format!("db-{number:03}"), cluster(number / of_cluster))
}

fn body(lines: &[(Labels, Sample)]) -> Result<Bytes> {
    push::body(lines.iter().map(|(labels, sample)| Line {
        labels,
        samples: vec![*sample],
    }))
}

/// The labels of a series on a host at a round, sorted by name.
fn told(labels: &Labels, number: usize, round: usize) -> Labels {
    let (host, cluster) = host(number);
    let mut told = labels.clone();
    if let Some((_, statement)) = told.iter_mut().find(|(name, _)| name == "queryid") {
        // Not all at once: a quarter of the hosts has new ones each round.
        let generation = (round + number) / STATEMENT_ROUNDS;
        *statement = format!("{}", 7_919 * (generation * 5 + statement.len()) + number);
    }
    told.push(("cluster".to_owned(), cluster));
    told.push(("instance".to_owned(), host));
    told.sort_unstable();
    told
}

fn is_troubled(host: usize, family: usize, round: usize) -> bool {
    let pair = mixed(host * 1_000 + family);
    let turn = round / TURN_ROUNDS + pair / TROUBLED;
    pair.is_multiple_of(TROUBLED) && turn.is_multiple_of(TURNS)
}

/// From 0 to 1, with two decimals: exporters measure coarsely.
fn noise(place: usize, round: usize) -> f64 {
    (mixed(place ^ round << 20) % 100) as f64 / 100.0
}

fn mixed(number: usize) -> usize {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

/// A line of the table.
fn family(line: &str) -> Result<Family> {
    let mut words = line.split_ascii_whitespace();
    let mut next = || {
        words
            .next()
            .with_context(|| format!("{line:?} is cut short"))
    };
    let (job, name, kind) = (next()?, next()?, next()?);
    let (peace, trouble) = (next()?.parse()?, next()?.parse()?);
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut series = vec![vec![own("__name__", name), own("job", job)]];
    for word in words {
        let (label, values) = values(word)?;
        let with = |labels: &Labels, value: &String| {
            let mut labels = labels.clone();
            labels.push(own(label, value));
            labels
        };
        series = series
            .iter()
            .flat_map(|labels| values.iter().map(move |value| with(labels, value)))
            .collect();
    }
    let kind = match kind {
        "gauge" => Kind::Gauge,
        "counter" => Kind::Counter,
        _ => bail!("{kind:?} is no kind"),
    };
    Ok(Family {
        kind,
        peace,
        trouble,
        series,
    })
}

/// The label that a word of the table stands for, and its values.
fn values(word: &str) -> Result<(&'static str, Vec<String>)> {
    const DATABASES: &str = "accounts archive audit billing catalog customers ledger loans orders postgres reports sessions";
    let (label, values) = match word {
        "cpu" => ("cpu", "0 1 2 3 4 5 6 7"),
        "mode" => ("mode", "idle iowait irq nice softirq steal system user"),
        "mountpoint" => ("mountpoint", "/ /boot /home /var /var/lib/postgresql /wal"),
        "nic" => ("device", "bond0 eth0 eth1 lo"),
        "disk" => ("device", "nvme0n1 nvme1n1 sda sdb"),
        "database" => ("datname", DATABASES),
        "lock" => (
            "mode",
            "accessexclusivelock accesssharelock exclusivelock rowexclusivelock rowsharelock \
             sharelock sharerowexclusivelock shareupdateexclusivelock sireadlock",
        ),
        "state" => ("state", "active disabled fastpath idle idle_in_transaction"),
        "pool" => ("database", "accounts billing ledger loans orders"),
        // Told apart by their length, until they get a number.
        "statement" => ("queryid", "a aa aaa aaaa aaaaa"),
        _ => bail!("{word:?} is no label"),
    };
    Ok((
        label,
        values.split_ascii_whitespace().map(str::to_owned).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_a_hundred_thousand_series_and_some_are_new() {
        let mut fleet = Fleet::new().unwrap();
        assert_eq!(fleet.series(), 100_000);
        assert_eq!(fleet.round(0).unwrap().len(), 50);
        let series = |round| -> BTreeSet<Labels> {
            let families = fleet.families.iter();
            let all = families.flat_map(|family| &family.series);
            let of = |labels| (0..HOSTS).map(move |host| told(labels, host, round));
            all.flat_map(of).collect()
        };
        let (first, second) = (series(0), series(1));
        assert_eq!((first.len(), second.len()), (100_000, 100_000));
        assert_eq!(
            second.difference(&first).count(),
            HOSTS / STATEMENT_ROUNDS * 5
        );
    }

    #[test]
    fn some_have_trouble_at_times() {
        let fleet = Fleet::new().unwrap();
        let troubled = |round| {
            let families = 0..fleet.families.len();
            let of = |family| (0..HOSTS).filter(move |host| is_troubled(*host, family, round));
            families.flat_map(of).count()
        };
        let pairs = fleet.families.len() * HOSTS;
        for round in [0, 8, 16, 100] {
            assert!((pairs / 300..pairs / 75).contains(&troubled(round)));
        }
    }
}
