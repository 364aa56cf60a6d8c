//! `/api/v1/labels`, `/api/v1/label/NAME/values` and `/api/v1/series`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Map, Value};
use store::labels::Labels;
use store::read::Read;

use super::Api;
use super::answer::{ApiError, success_listing};
use super::params::Params;

pub(super) async fn names(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let (selectors, range, limit) = (params.selectors()?, params.range()?, params.limit()?);
    let store = api.gate.store().ok_or(ApiError::Starting)?;
    let found = store.label_names(&selectors, range, limit).await?;
    Ok(success_listing(found, Value::from))
}

pub(super) async fn values(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    let (selectors, range, limit) = (params.selectors()?, params.range()?, params.limit()?);
    let store = api.gate.store().ok_or(ApiError::Starting)?;
    let found = store.label_values(&name, &selectors, range, limit).await?;
    Ok(success_listing(found, Value::from))
}

pub(super) async fn series(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let selectors = params.selectors()?;
    if selectors.is_empty() {
        return Err(ApiError::BadData("no match[] parameter provided".into()));
    }
    let (range, limit) = (params.range()?, params.limit()?);
    let store = api.gate.store().ok_or(ApiError::Starting)?;
    let found = store.series(&selectors, range, limit).await?;
    Ok(success_listing(found, |labels| object_of(&labels)))
}

fn object_of(labels: &Labels) -> Value {
    let pairs = labels
        .iter()
        .map(|(name, value)| (name.to_owned(), value.into()));
    Value::Object(pairs.collect::<Map<_, _>>())
}
