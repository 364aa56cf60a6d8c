//! `/api/v1/targets/relabel_steps`: what relabelling makes of the labels of a target. Agents relabel
//! what they gather before they send it, so there is no step here.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use super::Api;
use super::answer::{ApiError, success};
use super::params::Params;
use super::targets;

pub(super) async fn steps(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let Some(pool) = params.first("scrapePool").map(str::to_owned) else {
        return Err(ApiError::bad_data("no scrapePool parameter provided"));
    };
    let Some(labels) = params.first("labels") else {
        return Err(ApiError::bad_data("no labels parameter provided"));
    };
    if let Err(wrong) = serde_json::from_str::<BTreeMap<String, String>>(labels) {
        let message = format!("error parsing labels: {wrong}");
        return Err(ApiError::bad_data(message));
    }
    let moment = targets::moment(&api);
    let store = api.store()?;
    let work = move |_: &_| {
        if !targets::pool_names(&store, moment)?.contains(&pool) {
            let message = format!("error retrieving scrape config: scrape pool {pool:?} not found");
            return Err(ApiError::bad_data(message));
        }
        Ok(json!({"steps": []}))
    };
    api.queries.run(None, work).await.map(success)
}
