//! `/api/v1/query` and `/api/v1/query_range`.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::response::Response;
use query::promql::{Detail, Interrupt, Limit, Options, Query, Value, When};
use store::labels::Labels;
use tokio::runtime::Handle;

use crate::collector::Store;

use super::Api;
use super::answer::{ApiError, TRUNCATED, written};
use super::json::Json;
use super::params::Params;
use super::stats::{self, Timings};

/// More points than a graph has pixels, as Prometheus has it: a minute's resolution for a week.
const MAX_POINTS: u128 = 11_000;

/// What is asked, with everything about the answer that the request says.
struct Question {
    text: String,
    when: When,
    options: Options,
    /// How many series the answer may have.
    limit: Option<usize>,
    asked: Instant,
}

pub(super) async fn instant(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let at_ms = params.time_or("time", api.clock.wall_ms())?;
    answer(&api, &params, When::At(at_ms)).await
}

pub(super) async fn range(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let (start_ms, end_ms) = (params.time("start")?, params.time("end")?);
    if end_ms < start_ms {
        let message = "end timestamp must not be before start time";
        return Err(ApiError::parameter("end", message));
    }
    let step = params.step()?;
    let span_ms = u128::from(start_ms.abs_diff(end_ms));
    if span_ms / step.as_millis().max(1) > MAX_POINTS {
        let message = "exceeded maximum resolution of 11,000 points per timeseries. \
                       Try decreasing the query resolution (?step=XX)";
        return Err(ApiError::bad_data(message));
    }
    let when = When::Range {
        start_ms,
        end_ms,
        step,
    };
    answer(&api, &params, when).await
}

async fn answer(api: &Api, params: &Params, when: When) -> Result<Response, ApiError> {
    let timeout = params.timeout()?;
    let mut options = api.queries.options();
    options.detail = stats::detail(params);
    if let Some(lookback) = params.duration("lookback_delta")? {
        options.lookback = lookback;
    }
    let question = Question {
        text: params.query().to_owned(),
        when,
        options,
        limit: params.limit()?,
        asked: Instant::now(),
    };
    let store = api.store()?;
    let work = move |interrupt: &Interrupt| question.answer(&store, interrupt);
    api.queries.run(timeout, work).await.map(written)
}

impl Question {
    fn answer(&self, store: &Store, interrupt: &Interrupt) -> Result<Json, ApiError> {
        let queued = self.asked.elapsed();
        let began = Instant::now();
        let prepared = Query::parse(&self.text)?.prepare(self.when, &self.options)?;
        let loaded = Handle::current().block_on(prepared.load(store))?;
        let prepared = began.elapsed();
        interrupt.check()?;
        let unsorted = loaded.evaluate(interrupt)?;
        let evaluated = began.elapsed();
        let mut answer = unsorted.sort();
        let timings = Timings {
            queued,
            prepared,
            evaluated,
            sorted: began.elapsed(),
        };
        if self.truncate(&mut answer.value) {
            answer.warnings.push(TRUNCATED.to_owned());
        }
        let mut text = Json::success();
        self.write_value(&mut text, &answer.value, interrupt)?;
        if self.options.detail != Detail::None {
            stats::write(&mut text, &answer.cost, timings, self.when);
        }
        text.end_object();
        text.notes("warnings", &answer.warnings);
        text.notes("infos", &answer.infos);
        text.end_object();
        Ok(text)
    }

    /// Keeps to the number of series asked for; says whether that cut any off.
    fn truncate(&self, value: &mut Value) -> bool {
        let limit = self.limit.unwrap_or(usize::MAX);
        let count = match value {
            Value::Vector { samples, .. } => {
                let count = samples.len();
                samples.truncate(limit);
                count
            }
            Value::Matrix(series) => {
                let count = series.len();
                series.truncate(limit);
                count
            }
            Value::Scalar { .. } | Value::Text { .. } => 0,
        };
        count > limit
    }

    fn write_value(
        &self,
        text: &mut Json,
        value: &Value,
        interrupt: &Interrupt,
    ) -> Result<(), ApiError> {
        text.raw(r#"{"resultType":"#);
        text.string(match value {
            Value::Scalar { .. } => "scalar",
            Value::Vector { .. } => "vector",
            Value::Matrix(_) => "matrix",
            Value::Text { .. } => "string",
        });
        text.raw(r#","result":"#);
        match value {
            Value::Scalar { at_ms, value } => text.point(*at_ms, *value),
            Value::Text { at_ms, text: said } => {
                text.raw("[");
                text.time(*at_ms);
                text.raw(",");
                text.string(said);
                text.raw("]");
            }
            Value::Vector { at_ms, samples } => text.list(samples, |text, sample| {
                begin_series(text, &sample.labels);
                text.raw(r#""value":"#);
                text.point(*at_ms, sample.value);
                text.end_object();
            }),
            Value::Matrix(series) => {
                text.raw("[");
                for (place, series) in series.iter().enumerate() {
                    interrupt.check()?;
                    if text.len() > self.options.max_memory {
                        return Err(ApiError::limit(Limit::Memory(self.options.max_memory)));
                    }
                    text.raw(if place == 0 { "" } else { "," });
                    begin_series(text, &series.labels);
                    text.raw(r#""values":"#);
                    text.list(&series.samples, |text, sample| {
                        text.point(sample.at_ms, sample.value);
                    });
                    text.end_object();
                }
                text.raw("]");
            }
        }
        Ok(())
    }
}

fn begin_series(text: &mut Json, labels: &Labels) {
    text.raw(r#"{"metric":"#);
    text.labels(labels);
    text.raw(",");
}
