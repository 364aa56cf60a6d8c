//! Paces the sources: each in its own task, on its own interval, under its own timeout, so that one
//! that hangs, fails or panics delays no other.
//!
//! The scheduler owns the series every collection carries about itself (`up`,
//! `scrape_duration_seconds` and their kin) and the log lines about sources that fail: one when a
//! failure begins or changes, one when it ends, none in between.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use wire::metric::{Family, Label};

use crate::collect::{Gap, Gather, Source, SourceError};

/// What the scheduler knows of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The kind of source, as `nightshift_source_*{source}` names it: `postgres`.
    pub source: &'static str,
    /// The `job` label of its series, as users of the exporter it replaces set it.
    pub job: String,
    /// The `instance` label of its series: `db1:5432`.
    pub instance: String,
    /// Whether this source speaks for the target and so carries its `up`.
    pub speaks_for_target: bool,
    /// From the start of one collection to the start of the next.
    pub interval: Duration,
    /// How long one collection may take before it is given up.
    pub timeout: Duration,
}

impl Plan {
    /// How the source is told from others in a log line or a metric: `postgres db1:5432`.
    #[must_use]
    pub fn full_name(&self) -> String {
        self.identity().full_name()
    }

    /// What tells the series of this source from those of all others.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            source: self.source,
            job: self.job.clone(),
            instance: self.instance.clone(),
        }
    }
}

/// A source and the target of its series, whatever its settings are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    source: &'static str,
    job: String,
    instance: String,
}

impl Identity {
    /// How the source is told from others in a log line or a metric: `postgres db1:5432`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{} {}", self.source, self.instance)
    }
}

/// What the pipeline is told, in the order in which it became true.
#[derive(Debug)]
pub enum News {
    /// A source has collected.
    Collected(Collection),
    /// These are all the sources there are now; any other will not collect again.
    Watching {
        /// The sources.
        sources: BTreeSet<Identity>,
        /// Since when, in milliseconds since 1970.
        at_ms: i64,
    },
}

/// One collection, on its way to the pipeline.
#[derive(Debug)]
pub struct Collection {
    /// Whose.
    pub plan: Arc<Plan>,
    /// When it began, in milliseconds since 1970.
    pub at_ms: i64,
    /// What it saw, its own series among it.
    pub families: Vec<Family>,
    /// What it could not read.
    pub gaps: Vec<Gap>,
}

/// Collects from `source` until `stop`, sending each collection to `out`.
pub async fn run<S: Source>(
    source: S,
    plan: Plan,
    out: mpsc::Sender<News>,
    stop: CancellationToken,
) {
    let mut paced = Paced {
        source,
        plan: Arc::new(plan),
        record: Record::default(),
    };
    let mut ticks = tokio::time::interval(paced.plan.interval);
    // After a suspend or a stall, collecting the missed moments late would only repeat the present.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let collection = tokio::select! {
            () = stop.cancelled() => return,
            collection = paced.collect() => collection,
        };
        if out.send(News::Collected(collection)).await.is_err() {
            return;
        }
    }
}

/// Collects once, for `nightshift-agent once`.
pub async fn once<S: Source>(source: S, plan: Plan) -> Collection {
    Paced {
        source,
        plan: Arc::new(plan),
        record: Record::default(),
    }
    .collect()
    .await
}

struct Paced<S> {
    source: S,
    plan: Arc<Plan>,
    record: Record,
}

/// What a source has done so far.
#[derive(Default)]
struct Record {
    errors: u64,
    timeouts: u64,
    failing_with: Option<String>,
    gaps: Vec<Gap>,
}

impl<S: Source> Paced<S> {
    async fn collect(&mut self) -> Collection {
        let at_ms = now_ms();
        let began = Instant::now();
        let mut out = Gather::new(at_ms);
        let guarded = AssertUnwindSafe(self.source.collect(&mut out)).catch_unwind();
        let outcome = match tokio::time::timeout(self.plan.timeout, guarded).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_panic)) => Err(SourceError::new("the source panicked").hint(
                "this is a bug of Nightshift: please report it with the log around this line",
            )),
            Err(_elapsed) => {
                self.record.timeouts += 1;
                let waited = wire::quantity::Period(self.plan.timeout);
                Err(SourceError::new(format!(
                    "the source did not finish within {waited}"
                )))
            }
        };
        self.describe(&mut out, began.elapsed(), outcome.is_ok());
        self.report(outcome);
        let (mut families, mut gaps) = out.finish();
        gaps.sort();
        gaps.dedup();
        self.report_gaps(&gaps);
        families.extend(gap_family(self.plan.source, &gaps));
        Collection {
            plan: Arc::clone(&self.plan),
            at_ms,
            families,
            gaps,
        }
    }

    /// Adds the series that each collection carries about itself.
    fn describe(&mut self, out: &mut Gather, took: Duration, ok: bool) {
        self.record.errors += u64::from(!ok);
        let series = out.series();
        let up = f64::from(u8::from(ok));
        let source = self.plan.source;
        if self.plan.speaks_for_target {
            out.gauge("up", "Whether the target could be read.")
                .value(up);
            out.gauge(
                "scrape_duration_seconds",
                "How long reading the target took.",
            )
            .value(took.as_secs_f64());
            out.gauge(
                "scrape_samples_scraped",
                "How many samples the target gave.",
            )
            .value(series as f64);
        }
        out.gauge(
            "nightshift_source_up",
            "Whether the source's last collection succeeded.",
        )
        .with([("source", source)], up);
        out.gauge(
            "nightshift_source_duration_seconds",
            "How long the last collection took.",
        )
        .with([("source", source)], took.as_secs_f64());
        out.gauge(
            "nightshift_source_series",
            "How many series the last collection gave.",
        )
        .with([("source", source)], series as f64);
        out.counter(
            "nightshift_source_errors_total",
            "Collections that ended in an error.",
        )
        .with([("source", source)], self.record.errors as f64);
        out.counter(
            "nightshift_source_timeouts_total",
            "Collections given up at their timeout.",
        )
        .with([("source", source)], self.record.timeouts as f64);
    }

    fn report(&mut self, outcome: Result<(), SourceError>) {
        let Plan {
            source, instance, ..
        } = &*self.plan;
        match outcome {
            Ok(()) => {
                if self.record.failing_with.take().is_some() {
                    tracing::info!(source, instance, "source works again");
                }
            }
            Err(error) if self.record.failing_with.as_ref() == Some(&error.message) => {}
            Err(error) => {
                let SourceError {
                    message,
                    detail,
                    hint,
                } = &error;
                tracing::warn!(source, instance, message, detail, hint, "source failed");
                self.record.failing_with = Some(error.message);
            }
        }
    }

    fn report_gaps(&mut self, gaps: &[Gap]) {
        let Plan {
            source, instance, ..
        } = &*self.plan;
        for Gap { what, why, fix } in gaps.iter().filter(|gap| !self.record.gaps.contains(gap)) {
            tracing::warn!(
                source,
                instance,
                what,
                why,
                fix,
                "part of a source left out"
            );
        }
        for Gap { what, .. } in self.record.gaps.iter().filter(|gap| !gaps.contains(gap)) {
            tracing::info!(source, instance, what, "part of a source is back");
        }
        self.record.gaps = gaps.to_vec();
    }
}

/// Gaps as series; a source with very many (one a locked table, say) names the first ones.
fn gap_family(source: &'static str, gaps: &[Gap]) -> Option<Family> {
    const NAMED: usize = 50;
    let mut out = Gather::default();
    for Gap { what, why, .. } in gaps.iter().take(NAMED) {
        let labels = [
            ("source", source.into()),
            ("what", what.clone()),
            ("why", why.clone()),
        ];
        out.gauge("nightshift_source_gap", "A part that could not be read.")
            .with(labels, 1.0);
    }
    out.finish().0.pop()
}

/// The host's clock; the only place where collecting reads it.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The labels that every series of a plan carries.
#[must_use]
pub fn target_labels(plan: &Plan) -> Vec<Label> {
    vec![
        Label::new("job", plan.job.clone()),
        Label::new("instance", plan.instance.clone()),
    ]
}
