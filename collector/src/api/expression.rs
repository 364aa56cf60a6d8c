//! `/api/v1/format_query` and `/api/v1/parse_query`: about an expression, without data.

use axum::response::Response;
use query::promql::{self, Expr};

use super::answer::{ApiError, success, written};
use super::json::Json;
use super::params::Params;
use super::tree;

pub(super) async fn format(params: Params) -> Result<Response, ApiError> {
    let expr = parsed(&params)?;
    Ok(success(promql::pretty(&expr).into()))
}

pub(super) async fn parse(params: Params) -> Result<Response, ApiError> {
    let expr = parsed(&params)?;
    let mut text = Json::success();
    tree::write(&mut text, &expr);
    text.end_object();
    Ok(written(text))
}

fn parsed(params: &Params) -> Result<Expr, ApiError> {
    let text = params.query();
    promql::parse(text).map_err(|wrong| ApiError::parameter("query", wrong.describe(text)))
}
