//! `/federate`: the newest sample of each selected series, for a Prometheus to scrape.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use query::instant;
use query::promql::Interrupt;
use store::labels::{Labels, METRIC_NAME};
use store::read::Sample;
use tokio::runtime::Handle;
use wire::text::{self, Exposition};

use crate::config::query::QueryConfig;

use super::Api;
use super::answer::ApiError;
use super::params::Params;

pub(super) async fn federate(State(api): State<Arc<Api>>, params: Params) -> Response {
    match select(&api, &params).await {
        Ok(body) => ([(CONTENT_TYPE, text::CONTENT_TYPE)], body).into_response(),
        // Prometheus answers errors of this one as plain text.
        Err(error) => (error.status(), format!("{}\n", error.message())).into_response(),
    }
}

async fn select(api: &Api, params: &Params) -> Result<String, ApiError> {
    let selectors = params.selectors()?;
    let store = api.store()?;
    let now_ms = api.clock.wall_ms();
    let QueryConfig {
        lookback,
        max_samples,
        ..
    } = *api.queries.config();
    let work = move |interrupt: &Interrupt| {
        // By name first: what a series has before its name in the order of labels must not tear a
        // family apart.
        let mut found: BTreeMap<(String, Labels), Sample> = BTreeMap::new();
        for selector in &selectors {
            interrupt.check()?;
            let selected = instant::select(&*store, selector, now_ms, lookback, max_samples);
            for (labels, sample) in Handle::current().block_on(selected)? {
                let name = clean_name(labels.metric_name()).into_owned();
                found.insert((name, labels), sample);
            }
        }
        Ok(render(&found))
    };
    api.queries.run(None, work).await
}

fn render(found: &BTreeMap<(String, Labels), Sample>) -> String {
    let mut out = Exposition::default();
    let mut family = "";
    for ((name, labels), sample) in found.iter().filter(|((name, _), _)| !name.is_empty()) {
        if name != family {
            // A federated sample says nothing of the kind of its metric; Prometheus does the same.
            out.family(name, "untyped", "");
            family = name;
        }
        let mut pairs: Vec<(Cow<'_, str>, &str)> = labels
            .iter()
            .filter(|(label, _)| *label != METRIC_NAME)
            .map(|(label, value)| (clean_label(label), value))
            .collect();
        if labels.get("instance").is_none() {
            // Empty rather than absent, or the scraper would put its own address there.
            pairs.push((Cow::Borrowed("instance"), ""));
        }
        let pairs = pairs.iter().map(|(label, value)| (&**label, *value));
        out.sample(name, pairs, sample.value, Some(sample.at_ms));
    }
    out.finish()
}

/// This text format knows only the names of old; OTLP has others.
fn clean_name(name: &str) -> Cow<'_, str> {
    clean(name, |c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

fn clean_label(name: &str) -> Cow<'_, str> {
    clean(name, |c| c.is_ascii_alphanumeric() || c == '_')
}

fn clean(name: &str, is_allowed: impl Fn(char) -> bool) -> Cow<'_, str> {
    if name.chars().all(&is_allowed) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        return Cow::Borrowed(name);
    }
    let replaced: String = name
        .chars()
        .map(|c| if is_allowed(c) { c } else { '_' })
        .collect();
    if replaced.starts_with(|c: char| c.is_ascii_digit()) {
        return Cow::Owned(format!("_{replaced}"));
    }
    Cow::Owned(replaced)
}
