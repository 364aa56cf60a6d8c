//! What is in force: Alertmanager's file as it was last right, and the way to its receivers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::config::{Config, IntegrationId};
use notify::deliver::Courier;
use notify::dispatch::Ways;

use crate::alertmanager::{self, Loaded};
use crate::config::notify::NotifyConfig;

use super::carrier::Carrier;

/// What is in force.
pub(crate) struct Plan {
    pub(crate) config: Config,
    pub(crate) ways: Ways,
    pub(crate) carrier: Arc<dyn Carrier>,
}

/// What reading the file came to.
pub(crate) enum Read {
    /// There is none, and nobody asked for one.
    Absent,
    /// It is right.
    Right(Box<Plan>),
    /// Everything that is wrong with it.
    Wrong(PathBuf, Vec<String>),
}

impl Plan {
    pub(crate) fn new(config: Config, carrier: Arc<dyn Carrier>) -> Self {
        Self {
            ways: Ways::of(&config),
            config,
            carrier,
        }
    }

    /// Reads the file that the configuration names, or the usual one, with the templates that it names.
    pub(crate) fn read(config: &NotifyConfig) -> Read {
        let Some(path) = alertmanager::file(config) else {
            return Read::Absent;
        };
        let loaded = match Loaded::read(path) {
            Ok(loaded) => loaded,
            Err(problems) => return Read::Wrong(path.to_owned(), problems),
        };
        for note in &loaded.notes {
            tracing::info!(note, "the Alertmanager file is hardly meant so");
        }
        let receivers = loaded.config.receivers.iter();
        let integrations = receivers.flat_map(|receiver| &receiver.integrations);
        let integrations = integrations.map(|one| (one.id.clone(), one.settings.clone()));
        let folder = path.parent().unwrap_or(Path::new(""));
        let courier = Courier::new(integrations, loaded.templates, folder);
        Read::Right(Box::new(Self::new(loaded.config, Arc::new(courier))))
    }

    /// All integrations.
    pub(crate) fn integrations(&self) -> impl Iterator<Item = &IntegrationId> {
        let receivers = self.config.receivers.iter();
        let integrations = receivers.flat_map(|receiver| &receiver.integrations);
        integrations.map(|integration| &integration.id)
    }

    pub(crate) fn has(&self, id: &IntegrationId) -> bool {
        self.config.integration(id).is_some()
    }

    pub(crate) fn sends_resolved(&self, id: &IntegrationId) -> bool {
        let integration = self.config.integration(id);
        integration.is_some_and(|integration| integration.send_resolved)
    }
}
