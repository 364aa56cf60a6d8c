//! `receivers`: who can be told, and in which ways.

use std::collections::HashSet;

use rules::Problems;
use rules::yaml::Cursor;

use super::{Global, IntegrationId, Kind};
use crate::receiver::Settings;

/// Who can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Receiver {
    /// Its name, which routes refer to.
    pub name: String,
    /// The ways in which it is told, all of them each time. None for nobody.
    pub integrations: Vec<Integration>,
}

/// One way to tell a receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Integration {
    /// What it is known by.
    pub id: IntegrationId,
    /// Whether it is told that alerts are over.
    pub send_resolved: bool,
    /// What its kind needs.
    pub settings: Settings,
}

/// Kinds of receivers that Alertmanager has and we do not, with what to do instead.
const OTHERS: [(&str, &str); 13] = [
    ("discord_configs", WEBHOOK),
    ("incidentio_configs", WEBHOOK),
    ("jira_configs", WEBHOOK),
    ("jsm_configs", "use opsgenie_configs, or webhook_configs"),
    (
        "mattermost_configs",
        "Mattermost takes slack_configs as well",
    ),
    (
        "msteams_configs",
        "use msteamsv2_configs: Microsoft has retired those connectors",
    ),
    ("pushover_configs", WEBHOOK),
    (
        "rocketchat_configs",
        "Rocket.Chat takes slack_configs as well",
    ),
    ("sns_configs", WEBHOOK),
    ("victorops_configs", WEBHOOK),
    ("webex_configs", WEBHOOK),
    ("wechat_configs", WEBHOOK),
    ("signl4_configs", WEBHOOK),
];
const WEBHOOK: &str = "send it through webhook_configs";

pub(super) fn read(
    root: &Cursor<'_>,
    global: &Global,
    problems: &mut Problems,
    notes: &mut Problems,
) -> Vec<Receiver> {
    let mut receivers: Vec<Receiver> = Vec::new();
    let mut names = HashSet::new();
    for at in root.list("receivers", problems) {
        let receiver = receiver(&at, global, problems, notes);
        if receiver.name.is_empty() {
            at.problem(problems, "a receiver without a name", "add `name:`");
        } else if !names.insert(receiver.name.clone()) {
            let message = format!("the receiver {:?} stands there twice", receiver.name);
            let at = at.get("name").unwrap_or(at);
            at.problem(problems, message, "give each a name of its own");
        }
        receivers.push(receiver);
    }
    receivers
}

fn receiver(
    at: &Cursor<'_>,
    global: &Global,
    problems: &mut Problems,
    notes: &mut Problems,
) -> Receiver {
    let name = at.text("name", problems).unwrap_or_default();
    let known = ["name"].into_iter();
    let known = known.chain(Kind::ALL.into_iter().map(Kind::key));
    let known: Vec<_> = known.collect();
    for (key, value) in at.entries(problems) {
        match OTHERS.iter().find(|(other, _)| *other == key) {
            Some((_, hint)) if !value.items(problems).is_empty() => {
                let message = format!("{key}: this kind of receiver is not supported");
                value.key_problem(problems, message, hint);
            }
            Some(_) => {}
            None if known.contains(&key) => {}
            None => {
                let hint = format!("known keys are: {}", known.join(", "));
                value.key_problem(problems, format!("unknown key {key:?}"), &hint);
            }
        }
    }
    let mut integrations = Vec::new();
    for kind in Kind::ALL {
        for (index, at) in at.list(kind.key(), problems).iter().enumerate() {
            let send_resolved = at.flag("send_resolved", problems);
            let settings = Settings::read(kind, at, global, problems);
            for warning in settings.iter().flat_map(Settings::warnings) {
                at.problem(notes, warning, "");
            }
            let id = IntegrationId {
                receiver: name.to_owned(),
                kind,
                index,
            };
            integrations.extend(settings.map(|settings| Integration {
                id,
                send_resolved: send_resolved.unwrap_or(kind.sends_resolved()),
                settings,
            }));
        }
    }
    Receiver {
        name: name.to_owned(),
        integrations,
    }
}
