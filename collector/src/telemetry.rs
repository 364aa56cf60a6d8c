//! The collector's own logs and traces.
//!
//! Logs go to standard error. Traces are sent as OTLP where an endpoint is set; a receiver that is
//! away costs spans, never a request.

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::{Config, LogFormat};

/// What was set up; needed to change the level and to send the last spans.
#[derive(Debug)]
pub struct Telemetry {
    level: reload::Handle<EnvFilter, Registry>,
    traces: Option<SdkTracerProvider>,
}

/// Sets logs and traces up for the whole process. Must run within the runtime that exports use.
pub fn start(config: &Config) -> anyhow::Result<Telemetry> {
    let (filter, level) = reload::Layer::new(filter(&config.log.level)?);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match config.log.format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let traces = config
        .otlp_endpoint
        .as_deref()
        .map(exporting_to)
        .transpose()?;
    let spans = traces
        .as_ref()
        .map(|traces| tracing_opentelemetry::layer().with_tracer(traces.tracer("nightshift")));
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(spans)
        .try_init()?;
    Ok(Telemetry { level, traces })
}

impl Telemetry {
    /// Changes what is logged from here on.
    pub fn set_level(&self, level: &str) {
        let changed = filter(level)
            .map_err(|error| error.to_string())
            .and_then(|filter| self.level.reload(filter).map_err(|error| error.to_string()));
        if let Err(error) = changed {
            tracing::warn!(error, level, "cannot change the log level");
        }
    }

    /// Sends the last spans.
    pub async fn stop(self) {
        let Some(traces) = self.traces else {
            return;
        };
        // It waits for the exporter's thread.
        let stopped = tokio::task::spawn_blocking(move || traces.shutdown()).await;
        if !matches!(stopped, Ok(Ok(()))) {
            tracing::debug!("the last spans could not be sent");
        }
    }
}

/// What is logged. The client of a bucket tells of every request that it sends again; what comes of
/// it in the end is told by whoever asked. Directives that name it bring it back.
fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(format!("object_store=warn,{level}"))
}

fn exporting_to(endpoint: &str) -> anyhow::Result<SdkTracerProvider> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()?;
    let resource = Resource::builder().with_service_name("nightshift").build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}
