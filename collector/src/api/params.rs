//! Parameters, from the query string and from a form, each as often as it is given. Errors are worded
//! as Prometheus words them.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Query, Request};
use axum::{Form, RequestExt};
use http::Method;
use http::header::CONTENT_TYPE;
use query::promql;
use query::selector;
use store::read::{Selector, TimeRange};

use super::answer::ApiError;
use super::body::{self, BodyError};
use super::time;

/// Largest form: a thousand selectors of a kilobyte each.
const MAX_FORM: usize = 1 << 20;

/// The parameters of a request, in the order given.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

type Pairs = Vec<(String, String)>;

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = ApiError;

    /// What a form says counts more than what the address says.
    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let Query(in_address) = Query::<Pairs>::try_from_uri(request.uri())
            .map_err(|error| ApiError::bad_data(error.to_string()))?;
        let mut pairs = Pairs::new();
        if request.method() == Method::POST {
            pairs = form(request).await?;
        }
        pairs.extend(in_address);
        Ok(Self(pairs))
    }
}

/// What a form says; nothing where the body is something else, as `curl -X POST` sends it.
async fn form(request: Request) -> Result<Pairs, ApiError> {
    let given = request.headers().get(CONTENT_TYPE);
    let kind = given
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_form = kind.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let (head, body) = request.into_parts();
    let body = read(body).await?;
    if !is_form {
        return Ok(Pairs::new());
    }
    let form = Request::from_parts(head, Body::from(body));
    let form = form.extract::<Form<Pairs>, _>().await;
    let Form(pairs) = form.map_err(|error| ApiError::bad_data(error.to_string()))?;
    Ok(pairs)
}

async fn read(body: Body) -> Result<Vec<u8>, ApiError> {
    body::read(body, MAX_FORM)
        .await
        .map_err(|error| match error {
            BodyError::Torn(why) => ApiError::bad_data(why),
            BodyError::TooLarge => {
                let limit = MAX_FORM >> 20;
                let error = ApiError::bad_data(format!("the form is larger than {limit} MiB"));
                error.with_hint("ask in several requests, or by patterns instead of lists")
            }
        })
}

impl Params {
    /// The expression; empty where there is none.
    pub(super) fn query(&self) -> &str {
        self.first("query").unwrap_or_default()
    }

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
        let range = TimeRange {
            from_ms: self.time_or("start", TimeRange::ALL.from_ms)?,
            to_ms: self.time_or("end", TimeRange::ALL.to_ms)?,
        };
        Ok(range)
    }

    /// A moment that must be given, in milliseconds since 1970.
    pub(super) fn time(&self, name: &str) -> Result<i64, ApiError> {
        let text = self.first(name).unwrap_or_default();
        parse_time(name, text)
    }

    /// A moment that need not be given.
    pub(super) fn time_or(&self, name: &str, default: i64) -> Result<i64, ApiError> {
        self.first(name)
            .map_or(Ok(default), |text| parse_time(name, text))
    }

    /// `step`, which must be given and lead forward.
    pub(super) fn step(&self) -> Result<Duration, ApiError> {
        let text = self.first("step").unwrap_or_default();
        let step = parse_duration("step", text)?;
        let step = u64::try_from(step).ok().filter(|step| *step > 0);
        step.map(Duration::from_millis).ok_or_else(|| {
            let message = "zero or negative query resolution step widths are not accepted. \
                           Try a positive integer";
            ApiError::parameter("step", message)
        })
    }

    /// A duration that need not be given; one of nothing or less counts as not given.
    pub(super) fn duration(&self, name: &str) -> Result<Option<Duration>, ApiError> {
        let Some(text) = self.first(name) else {
            return Ok(None);
        };
        let duration = u64::try_from(parse_duration(name, text)?).ok();
        let duration = duration.filter(|duration| *duration > 0);
        Ok(duration.map(Duration::from_millis))
    }

    /// One selector that need not be given.
    pub(super) fn selector(&self, name: &str) -> Result<Option<Selector>, ApiError> {
        let given = self.first(name);
        given
            .map(|text| selector::parse(text).map_err(|error| ApiError::parameter(name, error)))
            .transpose()
    }

    /// `timeout`; one that is over before it begins is nothing, and not the same as none.
    pub(super) fn timeout(&self) -> Result<Option<Duration>, ApiError> {
        let given = self.first("timeout").map(|_| self.duration("timeout"));
        Ok(given.transpose()?.map(Option::unwrap_or_default))
    }

    /// `limit`; 0 is none.
    pub(super) fn limit(&self) -> Result<Option<usize>, ApiError> {
        let name = "limit";
        let Some(text) = self.first(name) else {
            return Ok(None);
        };
        let count: i64 = text
            .parse()
            .map_err(|_| ApiError::parameter(name, format!("cannot parse {text:?} to a number")))?;
        let count = usize::try_from(count)
            .map_err(|_| ApiError::parameter(name, format!("{name} must be non-negative")))?;
        Ok(Some(count).filter(|count| *count > 0))
    }

    /// A limit as it is understood where the API is older: 0 is 0, less is none.
    pub(super) fn old_limit(&self, name: &str) -> Result<Option<usize>, ApiError> {
        let count = self.count(name)?;
        Ok(count.and_then(|count| usize::try_from(count).ok()))
    }

    /// A whole number.
    pub(super) fn count(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let count = self.first(name).map(str::parse);
        let count = count.transpose();
        count.map_err(|_| ApiError::bad_data(format!("{name} must be a number")))
    }

    /// All values, in the order given.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let given = self.0.iter().filter(|(candidate, _)| candidate == name);
        given.map(|(_, value)| value.as_str()).collect()
    }

    /// The first value that is not empty.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(candidate, value)| candidate == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}

fn parse_time(name: &str, text: &str) -> Result<i64, ApiError> {
    time::parse(text).ok_or_else(|| {
        ApiError::parameter(name, format!("cannot parse {text:?} to a valid timestamp"))
    })
}

/// Milliseconds, from seconds as a number or from a duration as PromQL has it.
fn parse_duration(name: &str, text: &str) -> Result<i64, ApiError> {
    let wrong = |why: &str| {
        ApiError::parameter(
            name,
            format!("cannot parse {text:?} to a valid duration{why}"),
        )
    };
    match text.parse::<f64>() {
        _ if text.is_empty() => Err(wrong("")),
        Ok(seconds) => {
            let milliseconds = seconds * 1_000.0;
            // Prometheus counts in nanoseconds, which fit for 292 years.
            let fits = milliseconds.abs() < i64::MAX as f64 / 1e6;
            #[allow(clippy::cast_possible_truncation)]
            if fits {
                // A step of less than a millisecond is not nothing.
                let up = if milliseconds > 0.0 {
                    milliseconds.max(1.0)
                } else {
                    milliseconds
                };
                Ok(up as i64)
            } else {
                Err(wrong(". It overflows int64"))
            }
        }
        Err(_) => promql::duration_ms(text).ok_or_else(|| wrong("")),
    }
}
