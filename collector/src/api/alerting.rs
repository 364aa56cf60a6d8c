//! `/api/v1/rules` and `/api/v1/alerts` in Prometheus' shapes, from what is known of the rules; and
//! `/api/v1/alertmanagers` and `/api/v1/notifications`, of which there are none.

mod page;
mod shape;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use rules::evaluate::ALERT_NAME;
use rules::file::Rule;
use serde_json::{Value, json};
use store::labels::{Labels, METRIC_NAME};
use store::read::Selector;

use crate::judge::{GroupStatus, RuleStatus};

use super::Api;
use super::answer::{ApiError, success};
use super::params::Params;

use page::Page;

/// Which rules are asked for.
struct Wanted<'a> {
    kind: Option<Kind>,
    rules: Vec<&'a str>,
    groups: Vec<&'a str>,
    files: Vec<&'a str>,
    selectors: Vec<Selector>,
    alerts: Alerts,
}

/// Whether a rule is told with its alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alerts {
    Told,
    LeftOut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Alert,
    Record,
}

pub(super) async fn rules(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let wanted = Wanted::read(&params)?;
    let page = Page::read(&params)?;
    let groups = api.judge.board().groups();
    let groups = groups.iter().filter(|group| wanted.has_group(group));
    let shown = groups.filter_map(|group| Some((&**group, wanted.group(group)?)));
    let (groups, next) = page.cut(shown)?;
    let mut data = json!({"groups": groups});
    if let Some(next) = next {
        data["groupNextToken"] = next.into();
    }
    Ok(success(data))
}

pub(super) async fn alerts(State(api): State<Arc<Api>>) -> Response {
    let mut alerts = Vec::new();
    for group in api.judge.board().groups() {
        for rule in &group.rules {
            alerts.extend(shape::alerts(&rule.state, &rule.rule));
        }
        alerts.extend(
            group
                .failing
                .active()
                .map(|alert| shape::alert(alert, None)),
        );
    }
    success(json!({"alerts": alerts}))
}

pub(super) async fn alertmanagers() -> Response {
    success(json!({"activeAlertmanagers": [], "droppedAlertmanagers": []}))
}

pub(super) async fn notifications() -> Response {
    success(json!([]))
}

impl<'a> Wanted<'a> {
    fn read(params: &'a Params) -> Result<Self, ApiError> {
        let kind = match params.first("type").map(str::to_lowercase).as_deref() {
            None => None,
            Some("alert") => Some(Kind::Alert),
            Some("record") => Some(Kind::Record),
            Some(other) => {
                let why = format!("not supported value {other:?}");
                return Err(ApiError::parameter("type", why));
            }
        };
        let alerts = match params.first("exclude_alerts") {
            None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Alerts::Told,
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Alerts::LeftOut,
            Some(other) => {
                let why = format!("cannot parse {other:?} to a truth value");
                return Err(ApiError::parameter("exclude_alerts", why));
            }
        };
        Ok(Self {
            kind,
            rules: params.all("rule_name[]"),
            groups: params.all("rule_group[]"),
            files: params.all("file[]"),
            selectors: params.selectors()?,
            alerts,
        })
    }

    fn has_group(&self, group: &GroupStatus) -> bool {
        is_among(&self.groups, &group.name) && is_among(&self.files, &group.file)
    }

    /// The group with the rules that are asked for; nothing where that is none of them.
    fn group(&self, group: &GroupStatus) -> Option<Value> {
        let rules = group.rules.iter().filter(|rule| self.has_rule(rule));
        let rules: Vec<Value> = rules.map(|rule| shape::rule(rule, self.alerts)).collect();
        (!rules.is_empty()).then(|| shape::group(group, rules))
    }

    fn has_rule(&self, status: &RuleStatus) -> bool {
        let kind = match &*status.rule {
            Rule::Alert(_) => Kind::Alert,
            Rule::Record(_) => Kind::Record,
        };
        self.kind.is_none_or(|wanted| wanted == kind)
            && is_among(&self.rules, status.rule.name())
            && self.selects(&shape::labels(&status.rule))
    }

    /// Whether some selector finds the rule's own labels, as they are written.
    fn selects(&self, labels: &Labels) -> bool {
        self.selectors.is_empty() || self.selectors.iter().any(|one| accepts(one, labels))
    }
}

/// Whether a selector finds labels.
pub(super) fn accepts(selector: &Selector, labels: &Labels) -> bool {
    let value = |name: &str| labels.get(name).unwrap_or_default();
    selector.iter().all(|matcher| {
        let name = match matcher.label() {
            // People name an alert as they name a metric.
            METRIC_NAME => ALERT_NAME,
            name => name,
        };
        matcher.accepts(value(name))
    })
}

/// No names mean all.
fn is_among(names: &[&str], name: &str) -> bool {
    names.is_empty() || names.contains(&name)
}
