//! The engine's answers in this source's own words. What an answer lacks stays unknown.

use std::path::PathBuf;

use bollard::models::{
    ContainerInspectResponse, ContainerSummary, SystemInfo, SystemInfoCgroupDriverEnum,
    SystemVersion,
};

use super::super::moment::Moment;

/// What does not change while an engine runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Facts {
    pub(in super::super) flavour: Flavour,
    pub(in super::super) driver: CgroupDriver,
    /// Where the engine keeps the containers' files.
    pub(in super::super) root: Option<PathBuf>,
    pub(in super::super) version: String,
}

/// Whose engine it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// Docker, or anything that says nothing else.
    #[default]
    Docker,
    /// Podman, behind its Docker-compatible API.
    Podman,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) enum CgroupDriver {
    #[default]
    Cgroupfs,
    Systemd,
}

/// The life of a container, in the engine's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum State {
    Created,
    Running,
    Paused,
    Restarting,
    Stopping,
    Removing,
    Exited,
    Dead,
}

/// A container as the list has it.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Listed {
    pub(in super::super) id: String,
    pub(in super::super) name: String,
    pub(in super::super) image: String,
    pub(in super::super) state: State,
    /// The state for a person, with the time since it began and the health: `Up 2 hours (healthy)`.
    pub(in super::super) status: String,
    /// Whether its interfaces are its own: not with `--network host` or `container:NAME`.
    pub(in super::super) own_network: bool,
    pub(in super::super) labels: Vec<(String, String)>,
    /// Bytes of its writable layer; only where they were asked for.
    pub(in super::super) size: Option<u64>,
}

/// A container looked at closely.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in super::super) struct Inspected {
    /// Its first process, while it has one.
    pub(in super::super) pid: Option<u32>,
    /// The image as it was named when the container was made.
    pub(in super::super) image: Option<String>,
    /// Restarts by the container's restart policy since a person last started it.
    pub(in super::super) restarts: Option<i64>,
    /// Whether the kernel killed a process of it for lack of memory since its last start.
    pub(in super::super) oom_killed: Option<bool>,
    pub(in super::super) exit_code: Option<i64>,
    pub(in super::super) started: Option<Moment>,
    pub(in super::super) health: Option<Health>,
    pub(in super::super) cgroup_parent: String,
}

/// What the container's own check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Health {
    Starting,
    Healthy,
    Unhealthy,
}

/// A kill for lack of memory, as the engine tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct OomEvent {
    pub(in super::super) container: String,
    pub(in super::super) at: Moment,
}

impl State {
    pub(in super::super) const ALL: [Self; 8] = [
        Self::Created,
        Self::Running,
        Self::Paused,
        Self::Restarting,
        Self::Stopping,
        Self::Removing,
        Self::Exited,
        Self::Dead,
    ];

    pub(in super::super) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether the container's first process runs, or waits to.
    pub(in super::super) fn has_processes(self) -> bool {
        matches!(
            self,
            Self::Running | Self::Paused | Self::Restarting | Self::Stopping
        )
    }
}

impl Health {
    pub(in super::super) const ALL: [Self; 3] = [Self::Starting, Self::Healthy, Self::Unhealthy];

    pub(in super::super) fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// Nothing for a container without a check, which engines call "none" or nothing.
    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|health| health.as_str() == word)
    }
}

pub(super) fn facts(version: &SystemVersion, info: SystemInfo) -> Facts {
    let podman = version
        .components
        .iter()
        .flatten()
        .any(|part| part.name.contains("Podman"));
    let driver = match info.cgroup_driver {
        Some(SystemInfoCgroupDriverEnum::SYSTEMD) => CgroupDriver::Systemd,
        _ => CgroupDriver::Cgroupfs,
    };
    Facts {
        flavour: if podman {
            Flavour::Podman
        } else {
            Flavour::Docker
        },
        driver,
        root: info
            .docker_root_dir
            .filter(|root| !root.is_empty())
            .map(PathBuf::from),
        version: version.version.clone().unwrap_or_default(),
    }
}

pub(super) fn listed(summary: ContainerSummary) -> Option<Listed> {
    let id = summary.id.filter(|id| !id.is_empty())?;
    // A link makes further names, below the name of the container that has the link.
    let names = summary.names.unwrap_or_default();
    let name = names
        .iter()
        .find(|name| name.trim_start_matches('/').find('/').is_none());
    let name = name.or(names.first()).map_or(id.as_str(), String::as_str);
    let network = summary
        .host_config
        .and_then(|config| config.network_mode)
        .unwrap_or_default();
    let mut labels: Vec<_> = summary.labels.unwrap_or_default().into_iter().collect();
    labels.sort();
    // An engine that was asked leaves a size of nothing out, and says -1 where it cannot tell.
    let size = summary.size_rw.or(summary.size_root_fs.map(|_| 0));
    Some(Listed {
        name: name.trim_start_matches('/').to_owned(),
        image: summary.image.unwrap_or_default(),
        state: State::parse(summary.state?.as_ref())?,
        status: summary.status.unwrap_or_default(),
        own_network: network != "host" && !network.starts_with("container:"),
        labels,
        size: size.and_then(|bytes| u64::try_from(bytes).ok()),
        id,
    })
}

pub(super) fn inspected(answer: ContainerInspectResponse) -> Inspected {
    let state = answer.state.unwrap_or_default();
    let pid = state.pid.and_then(|pid| u32::try_from(pid).ok());
    let health = state.health.and_then(|health| health.status);
    let parent = answer.host_config.and_then(|config| config.cgroup_parent);
    Inspected {
        pid: pid.filter(|pid| *pid > 0),
        image: answer
            .config
            .and_then(|config| config.image)
            .filter(|image| !image.is_empty()),
        restarts: answer.restart_count,
        oom_killed: state.oom_killed,
        exit_code: state.exit_code,
        started: state.started_at.as_deref().and_then(Moment::parse),
        health: health.and_then(|health| Health::parse(health.as_ref())),
        cgroup_parent: parent.unwrap_or_default(),
    }
}
