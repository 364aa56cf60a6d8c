//! `/api/agents`: who sends, and how it is doing. Times are seconds since 1970, durations seconds.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use store::ledger::{Agent, Run, SourceId, SourceSeen};
use wire::batch::AgentId;

use super::Api;
use super::answer::ApiError;

/// One agent.
#[derive(Debug, Serialize)]
pub(super) struct AgentView {
    id: String,
    host: String,
    /// When it was last heard of, by the collector's clock.
    last_seen: f64,
    /// How old its newest sample is; null where it sent none. With a skewed clock it is off by the
    /// skew.
    lag_seconds: Option<f64>,
    /// How far its clock is ahead; null where that is not known.
    skew_seconds: Option<f64>,
    /// The run heard of last, and how far it has come.
    run: Option<String>,
    sequence: Option<u64>,
    /// Every run that is remembered, the one heard of last at the end.
    runs: Vec<RunView>,
    /// Batches of the agent that were stored, and that it numbered and never sent.
    stored_batches: u64,
    skipped_batches: u64,
    /// How many series its sources last gave in all.
    series: u64,
    sources: Vec<SourceView>,
}

#[derive(Debug, Serialize)]
struct RunView {
    run: String,
    sequence: u64,
}

#[derive(Debug, Serialize)]
struct SourceView {
    source: String,
    instance: String,
    series: u64,
    last_seen: f64,
}

pub(super) async fn list(State(api): State<Arc<Api>>) -> Result<Json<Vec<AgentView>>, ApiError> {
    let store = api.store()?;
    let now_ms = api.clock.wall_ms();
    let agents = store.agents().into_iter();
    Ok(Json(
        agents.map(|(id, agent)| view(id, &agent, now_ms)).collect(),
    ))
}

fn view(id: AgentId, agent: &Agent, now_ms: i64) -> AgentView {
    let run = agent.runs.last();
    AgentView {
        id: id.to_string(),
        host: agent.host.clone(),
        last_seen: seconds(agent.last_seen_ms),
        lag_seconds: agent
            .newest_sample_ms
            .map(|newest_ms| seconds(now_ms.saturating_sub(newest_ms))),
        skew_seconds: agent.skew_ms.map(seconds),
        run: run.map(|run| run.id.to_string()),
        sequence: run.map(|run| run.mark.0),
        runs: agent.runs.iter().map(run_view).collect(),
        stored_batches: agent.stored,
        skipped_batches: agent.skipped,
        series: agent.sources.values().map(|seen| seen.series).sum(),
        sources: agent.sources.iter().map(source_view).collect(),
    }
}

fn run_view(run: &Run) -> RunView {
    RunView {
        run: run.id.to_string(),
        sequence: run.mark.0,
    }
}

fn source_view((id, seen): (&SourceId, &SourceSeen)) -> SourceView {
    SourceView {
        source: id.source.clone(),
        instance: id.instance.clone(),
        series: seen.series,
        last_seen: seconds(seen.last_seen_ms),
    }
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1_000.0
}
