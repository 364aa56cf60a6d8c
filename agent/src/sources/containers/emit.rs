//! The names: what is known of a container, as series.
//!
//! Names, labels and units are cAdvisor's (`id`, `name`, `image`, and `cpu`, `device` or `interface`
//! where it has them). What cAdvisor does not tell has a name in the same style:
//!
//! | name | labels beside the three | meaning |
//! |---|---|---|
//! | `container_state` | `state` | 1 for the state that the container is in, 0 for the others |
//! | `container_health_status` | `status` | the same for its health check, where it has one |
//! | `container_restarts_total` | | restarts by its restart policy |
//! | `container_exit_code` | | how its last life ended; only while it does not run |
//! | `container_last_oom_killed` | | whether memory ran out in its last life |
//!
//! Differences from cAdvisor that are meant: CPU is told as a whole (`cpu="total"`), as cAdvisor
//! does under control groups version 2; a container that shares another's network, or the host's,
//! has no network series, for its traffic would count twice; stopped containers keep the series
//! above; `container_memory_failcnt` exists under version 2 too.

mod resources;

use std::time::Duration;

use wire::metric::Label;

use super::engine::{CgroupDriver, Facts, Flavour, Health, Listed, State};
use super::roster::Known;
use super::sizes::Disk;
use super::usage::Usage;
use crate::collect::Gather;

/// One container at one moment.
pub(super) struct Sight<'a> {
    pub(super) listed: &'a Listed,
    pub(super) known: &'a Known,
    pub(super) facts: Option<&'a Facts>,
    pub(super) usage: Option<&'a Usage>,
    pub(super) ooms: u64,
    pub(super) disk: Option<(u64, &'a Disk)>,
    /// The time of the look, since 1970.
    pub(super) seen: Duration,
}

/// Puts a container into `out`; `carried` are the container labels to carry.
pub(super) fn container(out: &mut Gather, sight: &Sight<'_>, carried: &[String]) {
    let mut series = Series {
        labels: labels(sight, carried),
        out,
    };
    life(&mut series, sight);
    if let Some((bytes, disk)) = sight.disk {
        let label = ("device", disk.device.as_str());
        series.gauge_of(
            "container_fs_usage_bytes",
            "Bytes of the container's own files.",
            label,
            bytes as f64,
        );
        series.gauge_of(
            "container_fs_limit_bytes",
            "Size of the file system that holds them.",
            label,
            disk.bytes as f64,
        );
    }
    if let Some(usage) = sight.usage {
        let seen = sight.seen.as_secs() as f64;
        series.gauge(
            "container_last_seen",
            "When the container was last seen running.",
            seen,
        );
        resources::tell(&mut series, usage);
    }
}

/// Adds points that carry a container's labels.
struct Series<'a> {
    out: &'a mut Gather,
    labels: Vec<Label>,
}

impl Series<'_> {
    fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.out.gauge(name, help).point(self.labels.clone(), value);
    }

    fn counter(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.out
            .counter(name, help)
            .point(self.labels.clone(), value);
    }

    fn gauge_of(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: (&'static str, &str),
        value: f64,
    ) {
        let labels = self.labels_with(label);
        self.out.gauge(name, help).point(labels, value);
    }

    fn counter_of(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: (&'static str, &str),
        value: f64,
    ) {
        let labels = self.labels_with(label);
        self.out.counter(name, help).point(labels, value);
    }

    fn labels_with(&self, (name, value): (&'static str, &str)) -> Vec<Label> {
        let mut labels = Vec::with_capacity(self.labels.len() + 1);
        labels.extend_from_slice(&self.labels);
        labels.push(Label::new(name, value.to_owned()));
        labels
    }
}

fn labels(sight: &Sight<'_>, carried: &[String]) -> Vec<Label> {
    let Sight {
        listed,
        known,
        facts,
        ..
    } = sight;
    let id = match &known.place {
        Some(place) => place.clone(),
        None => usual_place(*facts, &known.inspected.cgroup_parent, &listed.id),
    };
    let image = known.inspected.image.as_ref().unwrap_or(&listed.image);
    let mut labels = vec![
        Label::new("id", id),
        Label::new("image", image.clone()),
        Label::new("name", listed.name.clone()),
    ];
    for name in carried {
        if let Some((_, value)) = listed.labels.iter().find(|(known, _)| known == name) {
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            let name: String = name.chars().map(plain).collect();
            labels.push(Label::new(format!("container_label_{name}"), value.clone()));
        }
    }
    labels
}

/// Where the engine puts a container's control group, for one that has not been seen in it.
fn usual_place(facts: Option<&Facts>, parent: &str, id: &str) -> String {
    let (flavour, driver) = facts
        .map(|facts| (facts.flavour, facts.driver))
        .unwrap_or_default();
    let parent = parent.trim_matches('/');
    match (driver, flavour) {
        (CgroupDriver::Cgroupfs, Flavour::Docker) => {
            let parent = if parent.is_empty() { "docker" } else { parent };
            format!("/{parent}/{id}")
        }
        (CgroupDriver::Cgroupfs, Flavour::Podman) => {
            let parent = if parent.is_empty() {
                "libpod_parent"
            } else {
                parent
            };
            format!("/{parent}/libpod-{id}")
        }
        (CgroupDriver::Systemd, Flavour::Docker) => {
            let slice = if parent.is_empty() {
                "system.slice"
            } else {
                parent
            };
            format!("{}/docker-{id}.scope", slice_path(slice))
        }
        (CgroupDriver::Systemd, Flavour::Podman) => {
            let slice = if parent.is_empty() {
                "machine.slice"
            } else {
                parent
            };
            format!("{}/libpod-{id}.scope", slice_path(slice))
        }
    }
}

/// systemd nests slices by the dashes in their names: `a-b.slice` lies in `a.slice`.
fn slice_path(slice: &str) -> String {
    let Some(stem) = slice
        .strip_suffix(".slice")
        .filter(|stem| !stem.contains('/'))
    else {
        return format!("/{slice}");
    };
    let dashes = stem.match_indices('-').map(|(at, _)| at);
    let ends = dashes.chain([stem.len()]);
    ends.map(|end| format!("/{}.slice", &stem[..end])).collect()
}

/// How the container fares, as the engine tells it.
fn life(series: &mut Series<'_>, sight: &Sight<'_>) {
    let Sight { listed, known, .. } = sight;
    let inspected = &known.inspected;
    for state in State::ALL {
        let label = ("state", state.as_str());
        let is = f64::from(u8::from(state == listed.state));
        series.gauge_of(
            "container_state",
            "1 for the state that the container is in.",
            label,
            is,
        );
    }
    health(series, inspected.health, listed.state);
    if let Some(restarts) = inspected.restarts {
        series.counter(
            "container_restarts_total",
            "Restarts by the container's restart policy.",
            restarts as f64,
        );
    }
    if let Some(started) = inspected.started {
        let seconds = started.seconds() as f64;
        series.gauge(
            "container_start_time_seconds",
            "When the container was last started.",
            seconds,
        );
        if let Some(killed) = inspected.oom_killed {
            let killed = f64::from(u8::from(killed));
            series.gauge(
                "container_last_oom_killed",
                "Whether memory ran out in the container's last life.",
                killed,
            );
        }
    }
    if let (Some(code), Some(_)) = (inspected.exit_code, inspected.started)
        && !matches!(
            listed.state,
            State::Running | State::Paused | State::Stopping
        )
    {
        series.gauge(
            "container_exit_code",
            "Exit code of the container's last life.",
            code as f64,
        );
    }
    series.counter(
        "container_oom_events_total",
        "Processes of the container that the kernel killed for lack of memory.",
        sight.ooms as f64,
    );
}

/// cAdvisor's number (1 healthy, 0 not or not yet, -1 without a check), and a series a status.
fn health(series: &mut Series<'_>, health: Option<Health>, state: State) {
    // A stopped container keeps the result of a check that nobody makes any more.
    if !state.has_processes() {
        return;
    }
    let number = match health {
        Some(Health::Healthy) => 1.0,
        Some(Health::Starting | Health::Unhealthy) => 0.0,
        None => -1.0,
    };
    series.gauge(
        "container_health_state",
        "Health check: 1 healthy, 0 not, -1 none.",
        number,
    );
    let Some(health) = health else {
        return;
    };
    for status in Health::ALL {
        let label = ("status", status.as_str());
        let is = f64::from(u8::from(status == health));
        series.gauge_of(
            "container_health_status",
            "1 for what the health check says.",
            label,
            is,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_a_container_where_its_engine_does() {
        use CgroupDriver::{Cgroupfs, Systemd};
        use Flavour::{Docker, Podman};
        for (driver, flavour, parent, expected) in [
            (Cgroupfs, Docker, "", "/docker/c1"),
            (Cgroupfs, Docker, "/mine", "/mine/c1"),
            (Cgroupfs, Podman, "", "/libpod_parent/libpod-c1"),
            (Systemd, Docker, "", "/system.slice/docker-c1.scope"),
            (Systemd, Docker, "db.slice", "/db.slice/docker-c1.scope"),
            (
                Systemd,
                Docker,
                "db-main.slice",
                "/db.slice/db-main.slice/docker-c1.scope",
            ),
            (Systemd, Docker, "x/y.slice", "/x/y.slice/docker-c1.scope"),
            (Systemd, Podman, "", "/machine.slice/libpod-c1.scope"),
        ] {
            let facts = Facts {
                flavour,
                driver,
                ..Facts::default()
            };
            assert_eq!(usual_place(Some(&facts), parent, "c1"), expected);
        }
        assert_eq!(usual_place(None, "", "c1"), "/docker/c1");
    }
}
