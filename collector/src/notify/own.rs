//! Alerts of our own rules: from transitions to what is told, with what only the rules know.

use std::collections::HashMap;
use std::sync::Arc;

use notify::alert::Alert;
use notify::dispatch::{Known, Source};
use rules::evaluate::ALERT_NAME;
use rules::file::Rule;
use rules::state::State;
use store::labels::Labels;

use crate::judge::{Board, GroupStatus};
use crate::state::Told;

/// The rules as they are now, by the names of their alerts.
pub(super) struct OwnRules {
    rules: HashMap<String, Vec<OwnRule>>,
}

struct OwnRule {
    group: Arc<GroupStatus>,
    rule: Arc<Rule>,
    state: Arc<State>,
}

impl OwnRules {
    pub(super) fn of(board: &Board) -> Self {
        let mut rules: HashMap<String, Vec<OwnRule>> = HashMap::new();
        for group in board.groups() {
            for status in &group.rules {
                let Rule::Alert(alert) = &*status.rule else {
                    continue;
                };
                rules.entry(alert.name.clone()).or_default().push(OwnRule {
                    group: Arc::clone(&group),
                    rule: Arc::clone(&status.rule),
                    state: Arc::clone(&status.state),
                });
            }
        }
        Self { rules }
    }

    /// What a transition means for those who are told; nothing where it means nothing to them.
    ///
    /// The end of an alert whose rule has `flap` counts once that has passed, for until then the episode
    /// may go on, and then nobody was told that it was over.
    pub(super) fn heard(&self, told: &Told, known: Option<&Known>, url: &str) -> Option<Known> {
        let rule = self.rule(told);
        let began_ms = known.filter(|known| matches!(known.source, Source::Own { .. }));
        let began_ms = began_ms.map(|known| known.alert.starts_at_ms);
        let (starts_at_ms, ends_at_ms) = match told.transition.as_str() {
            "firing" => (told.at_ms, None),
            "returned" => (began_ms.unwrap_or(told.at_ms), None),
            "resolved" => {
                let flap = match rule.map(|rule| &*rule.rule) {
                    Some(Rule::Alert(alert)) => alert.flap.unwrap_or_default(),
                    _ => std::time::Duration::ZERO,
                };
                let flap_ms = i64::try_from(flap.as_millis()).unwrap_or(i64::MAX);
                (began_ms?, Some(told.at_ms.saturating_add(flap_ms)))
            }
            _ => return None,
        };
        let expr = rule.map(|rule| rule.rule.expr().expr().to_string());
        Some(Known {
            alert: Alert {
                labels: told.labels.clone(),
                annotations: told.annotations.clone(),
                starts_at_ms,
                ends_at_ms,
                updated_at_ms: told.at_ms,
                generator_url: expr.map(|expr| link(url, &expr)).unwrap_or_default(),
            },
            source: Source::Own { event: told.id },
        })
    }

    /// What an alert that fires tells people now.
    pub(super) fn annotations(&self, labels: &Labels) -> Option<&[(String, String)]> {
        let rules = self.rules.get(labels.get(ALERT_NAME)?)?;
        let alert = rules
            .iter()
            .find_map(|rule| rule.state.alerts.get(labels))?;
        alert.is_firing().then_some(alert.annotations.as_slice())
    }

    fn rule(&self, told: &Told) -> Option<&OwnRule> {
        let rules = self.rules.get(&told.rule)?.iter();
        let rules = rules.filter(|rule| rule.group.name == told.group);
        let mut rules = rules.filter(|rule| rule.group.file == told.file);
        let of_alert = |rule: &&OwnRule| rule.state.alerts.contains_key(&told.labels);
        let first = rules.clone().next();
        rules.find(of_alert).or(first)
    }
}

/// Where people see what a rule's expression gives.
fn link(url: &str, expr: &str) -> String {
    let mut link = format!("{url}/graph?g0.expr=");
    for byte in expr.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                link.push(char::from(byte));
            }
            b' ' => link.push('+'),
            other => link += &format!("%{other:02X}"),
        }
    }
    link + "&g0.tab=1"
}

#[cfg(test)]
mod tests;
