//! The files that say who is on call and by which receivers people are reached.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use incidents::oncall::OnCall;
use notify::config::{Config, IntegrationId};

use crate::config::incidents::{IncidentsConfig, USUAL_FILE};
use crate::config::notify::{self as notify_config, NotifyConfig};

/// Who is on call, and how receivers are reached.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Who is on call.
    pub on_call: OnCall,
    /// The integrations of each receiver.
    pub receivers: BTreeMap<String, Vec<Channel>>,
}

/// One way to reach a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Which.
    pub integration: IntegrationId,
    /// Whether it wants to know that something is over.
    pub sends_resolved: bool,
}

/// Reads both files. What is wrong with the one of notifications is told by those who send them; here
/// its receivers are those of the plan before it. Where there are none, their names are not checked.
pub fn read(
    incidents: &IncidentsConfig,
    notify: &NotifyConfig,
    before: &Plan,
) -> Result<Plan, Vec<String>> {
    let receivers = receivers(notify).unwrap_or_else(|| before.receivers.clone());
    let names: BTreeSet<String> = receivers.keys().cloned().collect();
    let names = (!names.is_empty()).then_some(&names);
    let on_call = match bytes(incidents.oncall.as_deref(), USUAL_FILE) {
        Ok(None) => OnCall::default(),
        Ok(Some((path, bytes))) => {
            let path = path.display().to_string();
            OnCall::parse(&bytes, names).map_err(|problems| {
                let problems = problems.iter();
                let told = problems.map(|problem| problem.in_file(&path));
                told.collect::<Vec<_>>()
            })?
        }
        Err(problem) => return Err(vec![problem]),
    };
    Ok(Plan { on_call, receivers })
}

fn receivers(notify: &NotifyConfig) -> Option<BTreeMap<String, Vec<Channel>>> {
    let (_, bytes) = bytes(notify.config.as_deref(), notify_config::USUAL_FILE).ok()??;
    let (config, _) = Config::parse(&bytes).ok()?;
    let receivers = config.receivers.into_iter().map(|receiver| {
        let channels = receiver.integrations.iter().map(|integration| Channel {
            integration: integration.id.clone(),
            sends_resolved: integration.send_resolved,
        });
        (receiver.name, channels.collect())
    });
    Some(receivers.collect())
}

/// The bytes of a file; nothing where none was named and the usual one is not there.
fn bytes(named: Option<&Path>, usual: &str) -> Result<Option<(PathBuf, Vec<u8>)>, String> {
    let path = named.unwrap_or(Path::new(usual));
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some((path.to_owned(), bytes))),
        Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: cannot be read: {error}", path.display())),
    }
}
