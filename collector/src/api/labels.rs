//! `/api/v1/labels`, `/api/v1/label/NAME/values` and `/api/v1/series`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use store::read::Read;
use tokio::runtime::Handle;

use super::Api;
use super::answer::{ApiError, listing, written};
use super::escaped;
use super::json::Json;
use super::params::Params;

pub(super) async fn names(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let (selectors, range, limit) = (params.selectors()?, params.range()?, params.limit()?);
    let store = api.store()?;
    let work = move |_: &_| {
        let found = Handle::current().block_on(store.label_names(&selectors, range, limit))?;
        Ok(listing(&found, |text, name| text.string(name)))
    };
    api.queries.run(None, work).await.map(written)
}

pub(super) async fn values(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    let name = escaped::unescape(&name);
    if name.is_empty() {
        return Err(ApiError::bad_data("invalid label name: \"\""));
    }
    let (selectors, range, limit) = (params.selectors()?, params.range()?, params.limit()?);
    let store = api.store()?;
    let work = move |_: &_| {
        let found = store.label_values(&name, &selectors, range, limit);
        let found = Handle::current().block_on(found)?;
        Ok(listing(&found, |text, value| text.string(value)))
    };
    api.queries.run(None, work).await.map(written)
}

pub(super) async fn series(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let selectors = params.selectors()?;
    if selectors.is_empty() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let (range, limit) = (params.range()?, params.limit()?);
    let store = api.store()?;
    let work = move |_: &_| {
        let found = Handle::current().block_on(store.series(&selectors, range, limit))?;
        Ok(listing(&found, Json::labels))
    };
    api.queries.run(None, work).await.map(written)
}
