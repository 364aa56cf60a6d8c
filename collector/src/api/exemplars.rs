//! `/api/v1/query_exemplars`: the exemplars of the series that an expression reads.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use query::promql::{self, Expr};
use store::read::{Read, Selector};
use tokio::runtime::Handle;

use super::Api;
use super::answer::{ApiError, written};
use super::json::Json;
use super::params::Params;

pub(super) async fn query(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let range = params.range()?;
    if range.to_ms < range.from_ms {
        let message = "end timestamp must not be before start timestamp";
        return Err(ApiError::bad_data(message));
    }
    let text = params.query().to_owned();
    let store = api.store()?;
    let work = move |_: &_| {
        let expr = promql::parse(&text);
        let expr = expr.map_err(|wrong| ApiError::parameter("query", wrong.describe(&text)))?;
        let selectors = selectors(&expr);
        let found = if selectors.is_empty() {
            Vec::new()
        } else {
            Handle::current().block_on(store.exemplars(&selectors, range))?
        };
        let mut text = Json::success();
        text.list(&found, |text, series| {
            text.raw(r#"{"seriesLabels":"#);
            text.labels(&series.series);
            text.raw(r#","exemplars":"#);
            text.list(&series.exemplars, |text, exemplar| {
                text.raw(r#"{"labels":"#);
                text.labels(&exemplar.labels);
                text.raw(r#","value":"#);
                text.value(exemplar.sample.value);
                text.raw(r#","timestamp":"#);
                text.time(exemplar.sample.at_ms);
                text.end_object();
            });
            text.end_object();
        });
        text.end_object();
        Ok(text)
    };
    api.queries.run(None, work).await.map(written)
}

/// Every selector in an expression.
fn selectors(expr: &Expr) -> Vec<Selector> {
    let mut found = Vec::new();
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        let selector = match expr {
            Expr::Selector(selector) => Some(&**selector),
            Expr::Matrix(matrix) => Some(&matrix.selector),
            _ => None,
        };
        let matches = selector.into_iter().map(|selector| selector.matches.iter());
        found.extend(matches.map(|all| all.map(|one| one.matcher.clone()).collect::<Selector>()));
        open.extend(expr.children());
    }
    found
}
