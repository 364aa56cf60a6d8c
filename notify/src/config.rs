//! Alertmanager's configuration file.
//!
//! What it says is read strictly: an unknown key is a mistake, and all mistakes are told at once, each
//! with its place. What each kind of receiver may say is [`crate::receiver`]'s. Files that it names
//! (`*_file`, templates) are not looked for here; where their paths are relative, they start at the
//! folder of the configuration file.

mod global;
pub mod http;
mod inhibit;
mod intervals;
mod kind;
mod matchers;
mod receiver;
mod route;
mod shown;
pub mod tls;
pub mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use rules::yaml::{self, Cursor};
use rules::{Problem, Problems};

use crate::inhibit::InhibitRule;
use crate::interval::TimeInterval;
use crate::route::Route;

pub use global::{Global, Opsgenie, Slack, Smtp, Telegram};
pub use http::HttpConfig;
pub use kind::{IntegrationId, Kind, NotAnIntegration};
pub use receiver::{Integration, Receiver};
pub use tls::TlsConfig;
pub use value::{HostPort, SecretSource, Url};

/// More than this is no configuration that a person wrote.
const MAX_BYTES: usize = 16 << 20;

/// What a file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What holds for all receivers.
    pub global: Global,
    /// Files of templates; the last part of a path may be a pattern.
    pub templates: Vec<String>,
    /// To whom an alert goes.
    pub route: Route,
    /// Which alerts keep others quiet.
    pub inhibit: Vec<InhibitRule>,
    /// Intervals by name, which routes refer to.
    pub intervals: Vec<TimeInterval>,
    /// Who can be told.
    pub receivers: Vec<Receiver>,
    /// The file as anybody may see it: without secrets.
    pub shown: String,
}

const KEYS: [&str; 8] = [
    "global",
    "templates",
    "route",
    "inhibit_rules",
    "receivers",
    "mute_time_intervals",
    "time_intervals",
    "tracing",
];

impl Config {
    /// Reads a file. Either all of it is right, and there may be things to know of it, or everything
    /// that is wrong is said.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let text = text(bytes)?;
        let document = yaml::document(text)?;
        let root = Cursor::root(&document.root);
        let mut problems = Problems::default();
        let mut notes = Problems::default();
        if document.is_followed {
            let message = "a second document follows, which is not read";
            root.problem(&mut notes, message, "");
        }
        let config = read(&root, &mut problems, &mut notes);
        problems.find_quotes(text);
        let config = config.filter(|_| problems.is_empty());
        let Some(config) = config else {
            return Err(problems.locate(text));
        };
        let shown = shown::show(&document.root);
        Ok((Self { shown, ..config }, notes.locate(text)))
    }

    /// The receiver of a name.
    #[must_use]
    pub fn receiver(&self, name: &str) -> Option<&Receiver> {
        self.receivers.iter().find(|receiver| receiver.name == name)
    }

    /// An integration.
    #[must_use]
    pub fn integration(&self, id: &IntegrationId) -> Option<&Integration> {
        let receiver = self.receiver(&id.receiver)?;
        let mut integrations = receiver.integrations.iter();
        integrations.find(|integration| integration.id == *id)
    }
}

fn text(bytes: &[u8]) -> Result<&str, Vec<Problem>> {
    if bytes.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, more than {MAX_BYTES}", bytes.len());
        return Err(vec![Problem::new(message, "")]);
    }
    std::str::from_utf8(bytes).map_err(|wrong| {
        let message = format!("not UTF-8 at byte {}", wrong.valid_up_to());
        vec![Problem::new(message, "save the file as UTF-8")]
    })
}

fn read(root: &Cursor<'_>, problems: &mut Problems, notes: &mut Problems) -> Option<Config> {
    root.fields(&KEYS, problems);
    if let Some(tracing) = root.get("tracing") {
        let hint = "nightshift.toml says where traces go";
        tracing.key_problem(notes, "tracing is not read here", hint);
    }
    let global = root.get("global");
    let global = global.map_or_else(Global::default, |at| Global::read(&at, problems));
    let receivers = receiver::read(root, &global, problems, notes);
    let intervals = intervals::read(root, problems, notes);
    let inhibit = inhibit::read(root, problems, notes);
    let names = route::Names {
        receivers: receivers.iter().map(|it| it.name.as_str()).collect(),
        intervals: intervals.iter().map(|it| it.name.as_str()).collect(),
    };
    let route = route::read(root, &names, problems, notes)?;
    let used: BTreeSet<_> = route.all().into_iter().map(|it| &it.receiver).collect();
    for (at, receiver) in root.list("receivers", problems).iter().zip(&receivers) {
        if !used.contains(&receiver.name) {
            let message = format!("no route leads to the receiver {:?}", receiver.name);
            at.problem(notes, message, "");
        }
    }
    Some(Config {
        global,
        templates: value::texts(root, "templates", problems),
        route,
        inhibit,
        intervals,
        receivers,
        shown: String::new(),
    })
}
