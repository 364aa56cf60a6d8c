//! One rule at one time: its expressions asked, its templates written.
//!
//! Who answers the expressions is the caller's ([`Ask`]); in the collector that blocks, so rules are
//! evaluated on threads of their own. What is found goes to [`crate::state`]; what a recording rule
//! gives is for the caller to store. An error here means that nothing is known, and is never a result.

use std::collections::BTreeSet;
use std::time::Duration;

use query::promql::{LabelledValue, Query, Value};
use store::labels::{Labels, METRIC_NAME};

use crate::file::{AlertRule, OnMissing, RecordingRule, Text, VARIABLES};
use crate::state::{Alert, Found, Judgement, State};
use crate::template;
use crate::template::prometheus::Environment;

/// The label that has the name of the alert.
pub const ALERT_NAME: &str = "alertname";

/// Answers an expression at a time, in milliseconds since 1970.
pub type Ask<'a> = dyn Fn(&Query, i64) -> Result<Value, String> + 'a;

/// What a rule is evaluated within.
#[derive(Clone, Copy)]
pub struct Evaluation<'a> {
    /// Answers expressions.
    pub ask: &'a Ask<'a>,
    /// The time of evaluation, in milliseconds since 1970.
    pub at_ms: i64,
    /// How far back expressions look.
    pub query_offset: Duration,
    /// How many series or alerts the rule may give.
    pub limit: Option<usize>,
    /// The collector's own labels.
    pub external_labels: &'a Labels,
    /// Under which URL the collector is reached.
    pub external_url: &'a str,
}

/// A rule could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// An expression has no answer.
    #[error("{0}")]
    Query(String),
    /// An expression is neither a number nor a vector.
    #[error("rule result is not a vector or scalar")]
    NotVector,
    /// Two results have the same labels once the rule's own are put on.
    #[error("vector contains metrics with the same labelset after applying {0}")]
    SameLabels(&'static str),
    /// There are more results than the group allows.
    #[error("exceeded limit of {limit} with {got} {what}")]
    Limit {
        /// The limit.
        limit: usize,
        /// How many there are.
        got: usize,
        /// Of what.
        what: &'static str,
    },
}

/// What an alerting rule found, and the templates that could not be written.
#[derive(Debug)]
pub struct Judged {
    /// What was found.
    pub judgement: Judgement,
    /// What is wrong with templates. The text in question says so too.
    pub template_errors: Vec<String>,
}

impl Evaluation<'_> {
    /// The series that a recording rule gives.
    pub fn record(&self, rule: &RecordingRule) -> Result<Vec<LabelledValue>, EvaluationError> {
        let mut series = self.vector(&rule.expr)?;
        let own = rule.labels.iter();
        let own: Vec<(&str, &str)> = own.map(|(name, value)| (&**name, &**value)).collect();
        let mut known = BTreeSet::new();
        for sample in &mut series {
            let named = sample.labels.iter().chain([(METRIC_NAME, &*rule.name)]);
            sample.labels = Labels::from_pairs(named.chain(own.iter().copied()));
            if !known.insert(sample.labels.clone()) {
                return Err(EvaluationError::SameLabels("rule labels"));
            }
        }
        self.check_limit(series.len(), "series")?;
        Ok(series)
    }

    /// What an alerting rule finds. Presence and `clear` are asked for only where the alerts that
    /// there are need it.
    pub fn judge(&self, rule: &AlertRule, state: &State) -> Result<Judged, EvaluationError> {
        let mut texts = Texts {
            evaluation: self,
            rule,
            errors: Vec::new(),
        };
        let mut judgement = Judgement::default();
        for sample in self.vector(&rule.expr)? {
            judgement.found.push(texts.found(&sample));
        }
        if let OnMissing::Fire(query) = &rule.on_missing {
            let present = self.labels(query)?;
            let found: BTreeSet<&Labels> = judgement.found.iter().map(|one| &one.series).collect();
            let missing = state.seen.difference(&present);
            let missing: Vec<Labels> = missing
                .filter(|series| !found.contains(series))
                .cloned()
                .collect();
            for labels in missing {
                let value = f64::NAN;
                judgement
                    .found
                    .push(texts.found(&LabelledValue { labels, value }));
            }
            judgement.seen = state.seen.union(&present).cloned().collect();
        }
        let found: BTreeSet<&Labels> = judgement.found.iter().map(|one| &one.labels).collect();
        if found.len() < judgement.found.len() {
            return Err(EvaluationError::SameLabels("alert labels"));
        }
        self.check_limit(found.len(), "alerts")?;
        let mut gone = state
            .active()
            .filter(|alert| !found.contains(&alert.labels));
        let (any_gone, any_ends) = (gone.clone().next().is_some(), gone.any(Alert::is_firing));
        if let OnMissing::Keep(query) = &rule.on_missing
            && any_gone
        {
            judgement.present = Some(self.labels(query)?);
        }
        if let Some(clear) = &rule.clear
            && any_ends
        {
            judgement.clear = Some(self.labels(clear)?.into_iter().collect());
        }
        Ok(Judged {
            template_errors: texts.errors,
            judgement,
        })
    }

    fn check_limit(&self, got: usize, what: &'static str) -> Result<(), EvaluationError> {
        match self.limit {
            Some(limit) if got > limit => Err(EvaluationError::Limit { limit, got, what }),
            _ => Ok(()),
        }
    }

    fn vector(&self, query: &Query) -> Result<Vec<LabelledValue>, EvaluationError> {
        let offset = i64::try_from(self.query_offset.as_millis()).unwrap_or(i64::MAX);
        let at_ms = self.at_ms.saturating_sub(offset);
        let value = (self.ask)(query, at_ms).map_err(EvaluationError::Query)?;
        vector(value).ok_or(EvaluationError::NotVector)
    }

    /// The labels of a result, without the metrics' names.
    fn labels(&self, query: &Query) -> Result<BTreeSet<Labels>, EvaluationError> {
        let found = self.vector(query)?;
        Ok(found
            .iter()
            .map(|sample| nameless(&sample.labels))
            .collect())
    }
}

/// The samples of a vector, or of a number, which has no labels.
fn vector(value: Value) -> Option<Vec<LabelledValue>> {
    match value {
        Value::Vector { samples, .. } => Some(samples),
        Value::Scalar { value, .. } => {
            let labels = Labels::from_pairs([]);
            Some(vec![LabelledValue { labels, value }])
        }
        Value::Matrix(_) | Value::Text { .. } => None,
    }
}

fn nameless(labels: &Labels) -> Labels {
    labels.filtered(|name| name != METRIC_NAME)
}

/// Writes the labels and annotations of a rule.
struct Texts<'a> {
    evaluation: &'a Evaluation<'a>,
    rule: &'a AlertRule,
    errors: Vec<String>,
}

impl Texts<'_> {
    fn found(&mut self, sample: &LabelledValue) -> Found {
        let rule = self.rule;
        let given = Given::new(self.evaluation, sample);
        let mut own = Vec::with_capacity(rule.labels.len() + 1);
        for (name, text) in &rule.labels {
            own.push((&**name, self.written(text, &given)));
        }
        own.push((ALERT_NAME, rule.name.clone()));
        let annotations = rule.annotations.iter();
        let annotations =
            annotations.map(|(name, text)| (name.clone(), self.written(text, &given)));
        let annotations = annotations.collect();
        let series = nameless(&sample.labels);
        let own = own.iter().map(|(name, value)| (*name, &**value));
        Found {
            labels: Labels::from_pairs(series.iter().chain(own)),
            series,
            annotations,
            value: sample.value,
        }
    }

    /// A template that cannot be written says so in its place: an alert without its text is better
    /// than none.
    fn written(&mut self, text: &Text, given: &Given) -> String {
        let Some(template) = text.template() else {
            return text.source().to_owned();
        };
        let evaluation = self.evaluation;
        let ask = |text: &str| {
            let query = Query::parse(text).map_err(|wrong| wrong.to_string())?;
            let value = (evaluation.ask)(&query, evaluation.at_ms)?;
            vector(value).ok_or_else(|| "query result is not a vector or scalar".to_owned())
        };
        let environment = Environment {
            ask: &ask,
            at_ms: evaluation.at_ms,
            external_url: evaluation.external_url,
        };
        let surroundings = template::Surroundings {
            functions: Environment::FUNCTIONS,
            environment: &environment,
        };
        match template.render(&given.data, &given.variables, surroundings) {
            Ok(written) => written,
            Err(wrong) => {
                self.errors.push(wrong.to_string());
                format!("<error expanding template: {wrong}>")
            }
        }
    }
}

/// What the templates of a rule are given for one sample.
struct Given {
    data: template::Value,
    variables: [(&'static str, template::Value); 4],
}

impl Given {
    fn new(evaluation: &Evaluation<'_>, sample: &LabelledValue) -> Self {
        let values = [
            template::Value::texts(sample.labels.iter()),
            template::Value::texts(evaluation.external_labels.iter()),
            template::Value::text(evaluation.external_url),
            template::Value::Float(sample.value),
        ];
        let variables = std::array::from_fn(|place| (VARIABLES[place], values[place].clone()));
        let data = template::Value::Object(std::sync::Arc::new(Data(values)));
        Self { data, variables }
    }
}

/// What the dot is in templates of alerts.
#[derive(Debug)]
struct Data([template::Value; 4]);

impl template::Object for Data {
    fn type_name(&self) -> &str {
        "template.AlertData"
    }

    fn content(&self) -> template::Content {
        let names = ["Labels", "ExternalLabels", "ExternalURL", "Value"];
        template::Content::Fields(names.into_iter().zip(self.0.iter().cloned()).collect())
    }
}
