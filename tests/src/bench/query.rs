//! How long ten queries take, beside Prometheus and VictoriaMetrics in the same run.
//!
//! Three families of counters, a sample every fifteen seconds: 10,000 series over the last hour, 1,000
//! over a day, 100 over a week; and a histogram over six hours. The same requests, in the order of time,
//! go into one program after the other. What ours would have written to blocks by then is in blocks,
//! because its memory is bounded accordingly. Each query is asked once to warm up and then timed, answer
//! read; what counts is the median. VictoriaMetrics is told not to answer from its cache of results.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hyper::body::Bytes;
use tokio::time::{Instant, sleep};
use wire::remote_write::Sample;

use super::made;
use super::program::{Program, Running};
use super::push::{self, Labels, Line};
use crate::http;

/// Between two samples of a series.
const STEP_MS: i64 = 15_000;
/// What one request holds of a series: five minutes.
const SAMPLES: i64 = 20;
/// Series of one request.
const SERIES: usize = 100;
const HOUR_MS: i64 = 3_600_000;
/// How often each query is timed.
const RUNS: usize = 7;

/// The last hour stays in memory, or about as much.
const SETTINGS: &str = "[store]\nmax_samples = 3000000\n";
/// Within which every program has begun to tidy up what came in: each looks once a minute.
const TIDYING: Duration = Duration::from_secs(75);

/// Series of one name that begin at one time.
struct Group {
    name: &'static str,
    series: usize,
    hours: i64,
}

const GROUPS: [Group; 4] = [
    Group {
        name: "week_seconds_total",
        series: 100,
        hours: 168,
    },
    Group {
        name: "day_seconds_total",
        series: 1_000,
        hours: 24,
    },
    Group {
        name: "wait_seconds_bucket",
        series: 600,
        hours: 6,
    },
    Group {
        name: "hour_seconds_total",
        series: 10_000,
        hours: 2,
    },
];

/// What is asked.
struct Question {
    expression: &'static str,
    /// Over how much time and in which steps; an instant if nothing.
    range: Option<(i64, i64)>,
    /// How many series it reads.
    series: usize,
}

const fn instant(expression: &'static str, series: usize) -> Question {
    Question {
        expression,
        range: None,
        series,
    }
}

/// Over some hours in steps of some seconds.
const fn range(expression: &'static str, series: usize, hours: i64, step: i64) -> Question {
    Question {
        expression,
        range: Some((hours, step)),
        series,
    }
}

const QUESTIONS: [Question; 12] = [
    instant(
        r#"hour_seconds_total{instance="db-0007:9100",cpu="3",mode="user"}"#,
        1,
    ),
    instant("sum by (instance) (rate(hour_seconds_total[5m]))", 10_000),
    instant("topk(10, rate(day_seconds_total[5m]))", 1_000),
    instant(
        "histogram_quantile(0.99, sum by (le) (rate(wait_seconds_bucket[5m])))",
        600,
    ),
    range(
        r#"rate(hour_seconds_total{instance="db-0007:9100"}[5m])"#,
        64,
        1,
        15,
    ),
    range(
        "sum by (mode) (rate(hour_seconds_total[5m]))",
        10_000,
        1,
        60,
    ),
    range(
        "histogram_quantile(0.9, sum by (le, instance) (rate(wait_seconds_bucket[5m])))",
        600,
        6,
        60,
    ),
    range("sum by (mode) (rate(day_seconds_total[5m]))", 1_000, 24, 60),
    range(
        r#"max by (instance) (day_seconds_total{instance=~"db-000[0-7].*",mode!="idle"})"#,
        384,
        24,
        60,
    ),
    range(
        r#"{__name__=~"week_.+_total",cpu=~"1|2",mode="user"}"#,
        4,
        168,
        600,
    ),
    range("rate(week_seconds_total[1h])", 100, 168, 3_600),
    range(
        "quantile_over_time(0.95, week_seconds_total[30m])",
        100,
        168,
        1_800,
    ),
];

/// Runs all programs and returns the table as Markdown.
pub async fn run() -> Result<String> {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed()?;
    // On a slot's end, and long enough ago that no program holds the newest back.
    let slot_ms = STEP_MS * SAMPLES;
    let end_ms = (i64::try_from(now.as_millis())? - slot_ms) / slot_ms * slot_ms;
    let bodies = bodies(end_ms)?;
    let mut all = Vec::new();
    for program in Program::ALL {
        all.push(measure(program, &bodies, end_ms).await?);
    }
    Ok(table(&all))
}

/// All requests in the order of time.
fn bodies(end_ms: i64) -> Result<Vec<Bytes>> {
    let slot_ms = STEP_MS * SAMPLES;
    let hours = GROUPS.iter().map(|group| group.hours).max();
    let first = end_ms - hours.context("there are groups")? * HOUR_MS;
    let mut bodies = Vec::new();
    let mut from_ms = first;
    while from_ms < end_ms {
        for group in &GROUPS {
            if from_ms < end_ms - group.hours * HOUR_MS {
                continue;
            }
            for start in (0..group.series).step_by(SERIES) {
                let places = start..group.series.min(start + SERIES);
                let named: Vec<_> = places.clone().map(|place| labels(group, place)).collect();
                let lines = places.zip(&named).map(|(place, labels)| Line {
                    labels,
                    samples: samples(place, from_ms, first),
                });
                bodies.push(push::body(lines)?);
            }
        }
        from_ms += slot_ms;
    }
    Ok(bodies)
}

fn samples(place: usize, from_ms: i64, first: i64) -> Vec<Sample> {
    let samples = (0..SAMPLES).map(|step| {
        let at_ms = from_ms + step * STEP_MS;
        let round = usize::try_from((at_ms - first) / STEP_MS).unwrap_or_default();
        // Counters all of them, for they are asked for rates.
        let value = made::value(place * 4, round);
        Sample { at_ms, value }
    });
    samples.collect()
}

/// Sixty-four series a host; of the histogram, twelve.
fn labels(group: &Group, place: usize) -> Labels {
    let own = |name: &str, value: String| (name.to_owned(), value);
    let host = |host: usize| own("instance", format!("db-{host:04}:9100"));
    let name = own("__name__", group.name.to_owned());
    if group.name.ends_with("_bucket") {
        let bound = match place % 12 {
            11 => "+Inf".to_owned(),
            power => format!("{}", 0.001 * f64::from(1 << power)),
        };
        return vec![name, host(place / 12), own("le", bound)];
    }
    let mode = ["idle", "user", "system", "iowait"][place / 16 % 4];
    vec![
        name,
        own("cpu", (place % 16).to_string()),
        host(place / 64),
        own("job", "node".to_owned()),
        own("mode", mode.to_owned()),
    ]
}

/// How long each question took one program.
async fn measure(program: Program, bodies: &[Bytes], end_ms: i64) -> Result<Vec<Duration>> {
    let running = Running::start(program, SETTINGS).await?;
    push::send(&running.address(), bodies.iter()).await?;
    sleep(TIDYING).await;
    running.rest().await?;
    let mut took = Vec::new();
    for question in &QUESTIONS {
        let asking = ask(&running, program, question, end_ms).await;
        let what = || format!("ask {} {}", program.name(), question.expression);
        took.push(asking.with_context(what)?);
    }
    running.kill().await?;
    Ok(took)
}

async fn ask(
    running: &Running,
    program: Program,
    question: &Question,
    end_ms: i64,
) -> Result<Duration> {
    let (expression, end) = (http::escape(question.expression), end_ms / 1_000);
    let mut path = match question.range {
        None => format!("/api/v1/query?query={expression}&time={end}"),
        Some((hours, step)) => {
            let start = end - hours * 3_600;
            format!("/api/v1/query_range?query={expression}&start={start}&end={end}&step={step}")
        }
    };
    if program == Program::VictoriaMetrics {
        path.push_str("&nocache=1");
    }
    let address = running.address();
    let warm = http::get(&address, &path).await?.ok()?;
    ensure!(warm.contains(r#""metric":"#), "the answer is empty: {warm}");
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let began = Instant::now();
        http::get(&address, &path).await?.ok()?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times[RUNS / 2])
}

fn table(all: &[Vec<Duration>]) -> String {
    let mut text = String::from(
        "Median of seven, in milliseconds, over HTTP; 10,000 series over two hours, 1,000 over a day and 100 over a \
         week, a sample every 15 s. A ratio above 1 says that ours is faster.\n\n\
         | query | series | over | nightshift | Prometheus 2.42 | VictoriaMetrics 1.79 | ratios |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let millis = |took: Option<&Duration>| took.map_or(f64::NAN, |took| took.as_secs_f64() * 1e3);
    let mut faster = [0; 2];
    for (place, question) in QUESTIONS.iter().enumerate() {
        let took: Vec<f64> = all.iter().map(|took| millis(took.get(place))).collect();
        let [ours, prometheus, victoria] = took[..] else {
            continue;
        };
        let over = match question.range {
            None => "instant".to_owned(),
            Some((hours, step)) => format!("{hours} h / {step} s"),
        };
        let (expression, series) = (question.expression.replace('|', "\\|"), question.series);
        let ratios = [prometheus / ours, victoria / ours];
        for (faster, ratio) in faster.iter_mut().zip(ratios) {
            *faster += i32::from(ratio > 1.0);
        }
        let [first, second] = ratios;
        // Writing to a String cannot fail.
        writeln!(
            text,
            "| `{expression}` | {series} | {over} | {ours:.1} | {prometheus:.1} | {victoria:.1} | {first:.1}, {second:.1} |"
        )
        .ok();
    }
    let [first, second] = faster;
    let count = QUESTIONS.len();
    writeln!(
        text,
        "\nFaster than Prometheus in {first} of {count} (goal: all), than VictoriaMetrics in {second} (goal: most)."
    )
    .ok();
    text
}
