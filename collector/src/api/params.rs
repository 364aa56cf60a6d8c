//! Parameters, from the query string and from a form, each as often as it is given.

use axum::extract::{FromRequest, Query, Request};
use axum::{Form, RequestExt};
use http::Method;
use query::selector;
use store::read::{Selector, TimeRange};

use super::answer::ApiError;
use super::time;

/// The parameters of a request, in the order given.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

type Pairs = Vec<(String, String)>;

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let Query(mut pairs) = Query::<Pairs>::try_from_uri(request.uri())
            .map_err(|error| ApiError::BadData(error.to_string()))?;
        if request.method() == Method::POST {
            let Form(form) = request
                .extract::<Form<Pairs>, _>()
                .await
                .map_err(|error| ApiError::BadData(error.to_string()))?;
            pairs.extend(form);
        }
        Ok(Self(pairs))
    }
}

impl Params {
    /// The `match[]` parameters as selectors.
    pub(super) fn selectors(&self) -> Result<Vec<Selector>, ApiError> {
        let given = self.0.iter().filter(|(name, _)| name == "match[]");
        given
            .map(|(name, text)| {
                selector::parse(text).map_err(|error| ApiError::parameter(name, error))
            })
            .collect()
    }

    /// `start` to `end`; what is not given has no bound.
    pub(super) fn range(&self) -> Result<TimeRange, ApiError> {
        let moment = |name, default| match self.first(name) {
            None => Ok(default),
            Some(text) => time::parse(text).ok_or_else(|| {
                ApiError::parameter(name, format!("cannot parse {text:?} to a valid timestamp"))
            }),
        };
        Ok(TimeRange {
            from_ms: moment("start", TimeRange::ALL.from_ms)?,
            to_ms: moment("end", TimeRange::ALL.to_ms)?,
        })
    }

    /// `limit`; 0 is none.
    pub(super) fn limit(&self) -> Result<Option<usize>, ApiError> {
        let Some(text) = self.first("limit") else {
            return Ok(None);
        };
        let limit: i64 = text.parse().map_err(|_| {
            ApiError::parameter("limit", format!("cannot parse {text:?} to a number"))
        })?;
        let limit = usize::try_from(limit)
            .map_err(|_| ApiError::parameter("limit", "limit must be non-negative"))?;
        Ok((limit > 0).then_some(limit))
    }

    fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(candidate, value)| candidate == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}
