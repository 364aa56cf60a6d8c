//! The containers source: every container of one Docker or Podman engine, under cAdvisor's names.
//!
//! The engine says which containers there are and how they fare; what they use is read from their
//! cgroup files, because the engine's own statistics cost it a second and a goroutine a container.
//! Only where those files cannot be reached (the agent in a namespace of its own, a virtual machine
//! behind the engine) are the statistics asked for.
//!
//! What lives where: [`settings`] (configuration), [`engine`] (the API and its errors), [`roster`]
//! (what is known of each container from one look to the next), [`cgroup`] and [`network`] (the
//! kernel's files), [`stats`] (the engine's statistics), [`oom`] (kills for lack of memory),
//! [`sizes`] (disk use, measured rarely), [`emit`] (names and labels), [`discover`] (which engines
//! this host has).
//!
//! Invariants: a look costs one list call, and one inspect call for each container that changed or
//! was last inspected a while ago; at most [`engine::AT_ONCE`] calls run side by side; a container
//! that dies during a look is left out without a gap, for nothing of it could have been read.

mod cgroup;
mod discover;
mod emit;
mod engine;
mod moment;
mod network;
mod oom;
mod roster;
mod settings;
mod sizes;
mod stats;
mod usage;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::collect::{Gather, Source, SourceError};

pub use discover::{Access, Found, discover, discover_at};
pub use engine::Flavour;
pub use settings::{RawSettings, Settings};

use cgroup::{Files, Reading};
use emit::Sight;
use engine::{Engine, Listed, Listing};
use oom::OomWatch;
use roster::{Known, Roster};
use sizes::Sizes;
use usage::Usage;

/// The `job` label that users of cAdvisor set.
pub const JOB: &str = "cadvisor";

/// Looks at every container of one engine.
#[derive(Debug)]
pub struct Containers {
    settings: Settings,
    engine: Option<Arc<Engine>>,
    roster: Roster,
    ooms: OomWatch,
    sizes: Sizes,
}

/// What was read of each container that has processes, by its id.
type Readings = HashMap<String, Reading>;

impl Source for Containers {
    async fn collect(&mut self, out: &mut Gather) -> Result<(), SourceError> {
        let began = Instant::now();
        let engine = self.connected().await?;
        self.ooms.keep_watching(&engine);
        let listed = match engine.list().await {
            Ok(listing) => self.capped(listing, out),
            Err(error) => {
                // A restarted engine may be another version: ask again next time.
                self.engine = None;
                return Err(error);
            }
        };
        self.learn(&engine, &listed, began, out).await;
        let mut readings = self.read(&listed, out).await?;
        // The last quarter is for what follows; an engine before 20.10 takes a second or two a
        // container, and what has not come by then is a gap.
        let until = began + self.settings.timeout * 3 / 4;
        let answers = engine.stats(unread(&listed, &readings), until).await;
        take_answers(&listed, answers, &mut readings, out);
        self.sizes.advance(&engine, began, out).await;
        self.tell(&listed, &readings, out);
        Ok(())
    }
}

impl Containers {
    /// A source that has not looked yet; the first collection connects.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            sizes: Sizes::new(settings.sizes),
            settings,
            engine: None,
            roster: Roster::default(),
            ooms: OomWatch::default(),
        }
    }

    async fn connected(&mut self) -> Result<Arc<Engine>, SourceError> {
        if let Some(engine) = &self.engine {
            return Ok(Arc::clone(engine));
        }
        // Half of the collection's time: a silent engine is then reported in its own words, rather
        // than by the scheduler as a source that did not finish.
        let wait = self.settings.timeout / 2;
        let engine = Arc::new(Engine::connect(&self.settings.socket, wait).await?);
        self.engine = Some(Arc::clone(&engine));
        Ok(engine)
    }

    /// The containers to look at: all, or the running ones first where there are too many.
    fn capped(&self, listing: Listing, out: &mut Gather) -> Vec<Listed> {
        let mut listed = match listing {
            Listing::All(listed) => listed,
            Listing::Running(listed) => {
                let why = "one of them is in a state that this agent does not know";
                out.gap("stopped containers", why, "");
                listed
            }
        };
        let most = self.settings.max_containers;
        if listed.len() > most {
            listed.sort_by_key(|container| !container.state.has_processes());
            listed.truncate(most);
            out.gap(
                "containers",
                format!("more than {most} containers, stopped ones left out first"),
                "remove stopped containers with `docker container prune`, or raise max_containers",
            );
        }
        listed
    }

    /// Inspects what changed and brings the roster up to date.
    async fn learn(&mut self, engine: &Engine, listed: &[Listed], now: Instant, out: &mut Gather) {
        let due = self.roster.due(listed, now);
        // Half of the collection's time; what an engine under load has not said by then is a gap.
        let until = now + self.settings.timeout / 2;
        for (id, inspected) in engine.inspect(due, until).await {
            let Some(container) = listed.iter().find(|container| container.id == id) else {
                continue;
            };
            match inspected {
                Ok(Some(inspected)) => self.roster.learn(container, inspected, now),
                // Removed since it was listed.
                Ok(None) => self.roster.forget(&id),
                Err(error) => out.gap(
                    format!("container {}", container.name),
                    format!("it cannot be inspected: {}", error.message),
                    error.hint,
                ),
            }
        }
        self.roster.keep_only(listed);
    }

    /// Reads the kernel's files of every container that has processes.
    async fn read(&self, listed: &[Listed], out: &mut Gather) -> Result<Readings, SourceError> {
        let running: Vec<(String, u32, bool)> = listed
            .iter()
            .filter_map(|container| {
                let pid = self.roster.get(&container.id)?.inspected.pid?;
                Some((container.id.clone(), pid, container.own_network))
            })
            .collect();
        let mut files = Files::new(&self.settings.proc_root, &self.settings.cgroup_root);
        // Hundreds of small reads: quick, but the kernel may have to sum counters over all CPUs.
        let read = tokio::task::spawn_blocking(move || {
            files.read_devices();
            let readings: Readings = running
                .into_iter()
                .map(|(id, pid, own_network)| {
                    let reading = files.read(&id, pid, own_network);
                    (id, reading)
                })
                .collect();
            (readings, files.into_gaps())
        });
        let (readings, gaps) = read
            .await
            .map_err(|error| SourceError::new("reading cgroup files failed").detail(error))?;
        for (what, why) in gaps {
            out.gap(what, why, "");
        }
        Ok(readings)
    }

    /// Puts what is known of each container into `out`.
    fn tell(&mut self, listed: &[Listed], readings: &Readings, out: &mut Gather) {
        let seen = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let facts = self.engine.as_ref().map(|engine| engine.facts.clone());
        let mut events = self.ooms.take();
        for container in listed {
            let reading = readings.get(&container.id);
            let events = events.remove(&container.id).unwrap_or_default();
            let Some(known) = self.roster.get_mut(&container.id) else {
                continue;
            };
            note_place(known, reading);
            let usage = reading.and_then(Reading::usage);
            let kills = usage
                .and_then(|usage| usage.memory.as_ref())
                .and_then(|memory| memory.oom_kills);
            let ooms = known.ooms.count(&known.inspected, kills, &events);
            let sight = Sight {
                listed: container,
                known,
                facts: facts.as_ref(),
                usage,
                ooms,
                disk: self.sizes.of(&container.id),
                seen,
            };
            emit::container(out, &sight, &self.settings.labels);
        }
    }
}

/// The containers whose files could not be reached, each with whether its network is its own.
fn unread(listed: &[Listed], readings: &Readings) -> Vec<(String, bool)> {
    listed
        .iter()
        .filter(|container| matches!(readings.get(&container.id), Some(Reading::Unreachable)))
        .map(|container| (container.id.clone(), container.own_network))
        .collect()
}

/// Puts the engine's statistics where files could not be reached.
fn take_answers(
    listed: &[Listed],
    answers: Vec<(String, Result<Option<Usage>, SourceError>)>,
    readings: &mut Readings,
    out: &mut Gather,
) {
    for (id, answer) in answers {
        match answer {
            Ok(Some(usage)) => {
                readings.insert(id, Reading::Asked(usage));
            }
            // Stopped since it was listed.
            Ok(None) => {}
            Err(error) => out.gap(
                format!("container {}", name_of(listed, &id)),
                format!("its statistics cannot be read: {}", error.message),
                "let the agent see the host's /proc and /sys/fs/cgroup (proc_root, cgroup_root)",
            ),
        }
    }
}

fn name_of<'a>(listed: &'a [Listed], id: &'a str) -> &'a str {
    let container = listed.iter().find(|container| container.id == id);
    container.map_or(id, |container| &container.name)
}

/// Remembers the cgroup path, which is the container's `id` also once it has stopped.
fn note_place(known: &mut Known, reading: Option<&Reading>) {
    if let Some(Reading::Read { place, .. }) = reading
        && known.place.as_ref() != Some(place)
    {
        known.place = Some(place.clone());
    }
}

#[cfg(test)]
mod tests;
