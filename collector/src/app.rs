//! Builds everything once, passes it down, and runs it until it is told to stop.
//!
//! The order of a start: hold the data folder, open the ports, say where they are, read the journal
//! back while health checks are answered, then let telemetry in. The order of a stop: accept nothing
//! more, end what is under way, close the journal, send the last spans.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use axum::response::IntoResponse;
use http::StatusCode;
use store::embedded::Embedded;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::{DefaultMakeSpan, TraceLayer};

use crate::api::{self, Api, Queries, Replay};
use crate::bucket::{self, Outlook, Trouble};
use crate::clock::Clock;
use crate::collector::Gate;
use crate::config::{Config, OtlpPort, Overrides};
use crate::folder::{DataFolder, Endpoints};
use crate::identity::authority::Authority;
use crate::identity::handshake::{Greeter, PlainText};
use crate::identity::token::Tokens;
use crate::incidents::{self, Incidents};
use crate::ingest::{self, Ingest};
use crate::judge::{Judge, Setting};
use crate::metrics::Counters;
use crate::notify::{Notifier, NotifySetting};
use crate::remote::forward::Forwarding;
use crate::serve::Port;
use crate::telemetry::Telemetry;
use crate::{reload, remote, systemd, telemetry, upkeep};

/// How long what is under way may take to end after the signal to stop.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);

/// How long to wait before a bucket that could not be reached is asked again.
const REOPEN_PAUSE: Duration = Duration::from_secs(5);

/// The folder of the journal within the data folder.
const JOURNAL: &str = "journal";

/// The collector's parts.
struct App {
    config: Config,
    clock: Clock,
    gate: Arc<Gate>,
    counters: Arc<Counters>,
    judge: Arc<Judge>,
    incidents: Arc<Incidents>,
    notifier: Arc<Notifier>,
    folder: DataFolder,
    authority: Arc<Authority>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// The signals that mean something.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// A write beyond the limit on file size; unheard it would end the process, heard the write fails
    /// like one on a full disk.
    _file_size: Signal,
}

/// Runs the collector; returns once it has stopped as it was told.
pub async fn run(
    config: Config,
    file: Option<PathBuf>,
    overrides: Overrides,
) -> anyhow::Result<()> {
    let telemetry = telemetry::start(&config).context("cannot set up logging")?;
    let outcome = run_logged(config, file, overrides, &telemetry).await;
    if let Err(error) = &outcome {
        tracing::error!(error = format!("{error:#}"), "the collector failed");
    }
    telemetry.stop().await;
    outcome
}

async fn run_logged(
    config: Config,
    file: Option<PathBuf>,
    overrides: Overrides,
    telemetry: &Telemetry,
) -> anyhow::Result<()> {
    // Before anything else: a signal that comes early must find somebody who listens.
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let folder = DataFolder::hold(&config.data)?;
    let authority = Authority::open(&config.data)?;
    let counters = Arc::<Counters>::default();
    let judge = Judge::new(config.rules.clone(), Arc::clone(&counters.rules));
    let (judge, clock) = (Arc::new(judge), Clock::start());
    let notifier = Arc::new(Notifier::new(&config, Arc::clone(&counters.notify)));
    let (seen, tells) = (Arc::clone(&judge), Arc::clone(&notifier));
    let counted = Arc::clone(&counters.incidents);
    let incidents = Arc::new(Incidents::new(&config, clock, seen, tells, counted));
    notifier.hold_repeats(incidents.acknowledged());
    let mut app = App {
        authority: Arc::new(authority),
        config,
        clock,
        gate: Arc::default(),
        judge,
        incidents,
        notifier,
        counters,
        folder,
        tasks: TaskTracker::new(),
        stop: CancellationToken::new(),
    };
    let own_url = app.listen().await?;
    let opened = tokio::select! {
        opened = app.open_store() => opened.map(Some),
        () = signals.stop() => Ok(None),
    };
    if let Some(store) = opened? {
        app.tasks.spawn(upkeep::maintain(
            Arc::clone(&store),
            app.clock,
            app.stop.clone(),
        ));
        app.forward(&store);
        app.judge(&store, own_url.clone());
        app.follow(&store, &own_url);
        app.notify(own_url);
        app.gate.open(store);
        tracing::info!("ready");
        systemd::notify("READY=1");
        while !signals.next().await {
            if reload::reload(&mut app.config, file.as_deref(), &overrides, telemetry) {
                app.judge.reload(app.config.rules.clone());
                app.incidents.reload(&app.config);
                app.notifier.reload(&app.config);
            }
        }
    }
    app.drain(&mut signals).await
}

impl App {
    /// Opens every port, serves it, and says where they are. Gives the URL of the collector's own.
    async fn listen(&self) -> anyhow::Result<String> {
        let listen = &self.config.listen;
        let own = Port::open("listen", listen)
            .await
            .with_context(|| format!("cannot listen on {listen} (option listen)"))?;
        let grpc = open_otlp("otlp.grpc", &self.config.otlp_grpc).await?;
        let http = open_otlp("otlp.http", &self.config.otlp_http).await?;
        let endpoints = Endpoints {
            pid: std::process::id(),
            listen: own.address(),
            otlp_grpc: grpc.as_ref().map(Port::address),
            otlp_http: http.as_ref().map(Port::address),
        };
        let ingest = Arc::new(Ingest::new(
            Arc::clone(&self.gate),
            self.clock,
            self.config.limits,
            Arc::clone(&self.counters),
        ));
        let grpc_routes = ingest::grpc::routes(Arc::clone(&ingest));
        let http_routes = ingest::http::routes(Arc::clone(&ingest));
        let tls = self.authority.server_config(&self.server_names())?;
        let own_greeter = Greeter::new(tls.clone(), self.config.tls.plain_text);
        // The standard OTLP ports are for applications, which speak plain text unless told otherwise.
        let open_greeter = Greeter::new(tls, PlainText::Everywhere);
        let all = self
            .own_routes(ingest)
            .merge(grpc_routes.clone())
            .merge(http_routes.clone());
        for (port, routes, greeter) in [
            (Some(own), all, own_greeter),
            (grpc, grpc_routes, open_greeter.clone()),
            (http, http_routes, open_greeter),
        ] {
            if let Some(port) = port {
                let (tasks, stop) = (self.tasks.clone(), self.stop.clone());
                self.tasks
                    .spawn(port.serve(finished(routes), greeter, tasks, stop));
            }
        }
        let Endpoints {
            listen,
            otlp_grpc,
            otlp_http,
            ..
        } = &endpoints;
        tracing::info!(
            %listen,
            otlp_grpc = otlp_grpc.map(tracing::field::display),
            otlp_http = otlp_http.map(tracing::field::display),
            data = %self.config.data.display(),
            "listening"
        );
        let own_url = self.own_url(endpoints.listen);
        self.folder.write_endpoints(&endpoints)?;
        Ok(own_url)
    }

    /// What only the collector's own port answers.
    fn own_routes(&self, ingest: Arc<Ingest>) -> Router {
        let receiver = Arc::new(remote::receive::Receiver {
            ingest,
            limits: self.config.remote_write,
            counters: Arc::clone(&self.counters.remote),
        });
        api::routes(self.api()).merge(remote::receive::routes(receiver))
    }

    fn forward(&self, store: &Arc<Embedded>) {
        let forwarding = Forwarding {
            targets: &self.config.forward,
            store: Arc::clone(store),
            data: &self.config.data,
            clock: self.clock,
        };
        let progress = forwarding.start(&self.tasks, &self.stop);
        self.counters.remote.forwarding(progress);
    }

    fn judge(&self, store: &Arc<Embedded>, own_url: String) {
        let setting = Setting {
            store: Arc::clone(store),
            clock: self.clock,
            data: self.config.data.clone(),
            query: self.config.query,
            own_url,
            tasks: self.tasks.clone(),
            stop: self.stop.clone(),
        };
        self.tasks.spawn(Arc::clone(&self.judge).run(setting));
    }

    fn follow(&self, store: &Arc<Embedded>, own_url: &str) {
        let external_url = self.config.rules.external_url.as_deref();
        let setting = incidents::Setting {
            store: Arc::clone(store),
            external_url: external_url.unwrap_or(own_url).to_owned(),
            stop: self.stop.clone(),
        };
        self.tasks.spawn(Arc::clone(&self.incidents).run(setting));
    }

    fn notify(&self, own_url: String) {
        let setting = NotifySetting {
            judge: Arc::clone(&self.judge),
            clock: self.clock,
            own_url,
            tasks: self.tasks.clone(),
            stop: self.stop.clone(),
        };
        self.tasks.spawn(Arc::clone(&self.notifier).run(setting));
    }

    /// Where people are likely to reach it: by this host's name, unless it listens on one address only.
    fn own_url(&self, listen: SocketAddr) -> String {
        let name = nix::unistd::gethostname().ok();
        let name = name.filter(|_| listen.ip().is_unspecified());
        match name {
            Some(name) => format!("http://{}:{}", name.to_string_lossy(), listen.port()),
            None => format!("http://{listen}"),
        }
    }

    fn api(&self) -> Arc<Api> {
        let queries = Queries::new(
            self.config.query,
            Arc::clone(&self.counters),
            self.tasks.clone(),
            self.stop.clone(),
        );
        Arc::new(Api {
            gate: Arc::clone(&self.gate),
            clock: self.clock,
            counters: Arc::clone(&self.counters),
            judge: Arc::clone(&self.judge),
            incidents: Arc::clone(&self.incidents),
            notifier: Arc::clone(&self.notifier),
            authority: Arc::clone(&self.authority),
            tokens: Tokens::of(&self.config.data),
            queries,
            replay: Replay::below(&self.config.data),
            config: self.config.clone(),
        })
    }

    /// Every name under which this host is likely to be reached.
    fn server_names(&self) -> Vec<String> {
        let mut names = vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
        ];
        if let Ok(name) = nix::unistd::gethostname() {
            names.push(name.to_string_lossy().into_owned());
        }
        let host = self.config.listen.rsplit_once(':').map(|(host, _)| host);
        let host = host.unwrap_or_default().trim_matches(['[', ']']);
        if !matches!(host, "0.0.0.0" | "::" | "") {
            names.push(host.to_owned());
        }
        names.extend(self.config.tls.names.iter().cloned());
        names.sort();
        names.dedup();
        names
    }

    /// Opens the store. A bucket that cannot be reached is waited for, with the gate shut: what blocks
    /// say of the journal is needed to read it back, and senders keep what they have until then.
    async fn open_store(&self) -> anyhow::Result<Arc<Embedded>> {
        let Config {
            data,
            blocks: place,
            store,
            ..
        } = &self.config;
        let home = bucket::Home::find(data, place)?;
        let mut is_waiting = false;
        let (store, found) = loop {
            let (journal, objects) = (data.join(JOURNAL), home.objects.clone());
            let now_ms = self.clock.steady_ms();
            let opening = Embedded::open_at(journal, objects, store.options(), now_ms).await;
            let error = match opening {
                Ok(opened) => break opened,
                Err(error) => error,
            };
            let trouble = Trouble::of(place, &error).ok_or(error)?;
            if trouble.outlook == Outlook::Hopeless {
                return Err(trouble.into());
            }
            if !is_waiting {
                let (error, hint) = (trouble.message, trouble.hint);
                tracing::error!(error, hint, "cannot reach the blocks; waiting for them");
            }
            is_waiting = true;
            tokio::time::sleep(REOPEN_PAUSE).await;
        };
        home.settle()?;
        self.counters.recovered(&found);
        upkeep::report(&found);
        Ok(Arc::new(store))
    }

    /// Ends everything within the deadline; a second signal ends the patience.
    async fn drain(self, signals: &mut Signals) -> anyhow::Result<()> {
        tracing::info!("stopping");
        systemd::notify("STOPPING=1");
        self.stop.cancel();
        self.tasks.close();
        let end = async {
            self.tasks.wait().await;
            if let Some(db) = self.judge.db() {
                db.close().await;
            }
            if let Some(store) = self.gate.store() {
                store.close().await;
            }
        };
        tokio::select! {
            () = end => {
                tracing::info!("stopped");
                Ok(())
            }
            () = tokio::time::sleep(DRAIN_DEADLINE) => {
                bail!("requests were still under way {} s after the signal to stop", DRAIN_DEADLINE.as_secs())
            }
            () = signals.stop() => bail!("told to stop a second time while stopping"),
        }
    }
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            _file_size: signal(SignalKind::from_raw(nix::libc::SIGXFSZ))?,
        })
    }

    /// Waits for the next signal; says whether it means to stop.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => true,
            _ = self.interrupt.recv() => true,
            _ = self.hang_up.recv() => false,
        }
    }

    async fn stop(&mut self) {
        while !self.next().await {}
    }
}

/// A port that nobody asked for may be busy; one that somebody did may not.
async fn open_otlp(key: &'static str, port: &OtlpPort) -> anyhow::Result<Option<Port>> {
    let Some(address) = port.address() else {
        return Ok(None);
    };
    match Port::open(key, address).await {
        Ok(port) => Ok(Some(port)),
        Err(error) if matches!(port, OtlpPort::Usual(_)) => {
            let hint = format!(
                "set {key} to another address, or to off if senders use the collector's own port"
            );
            tracing::warn!(address, %error, hint, "cannot open a standard OTLP port; going on without");
            Ok(None)
        }
        Err(error) => {
            let message = format!("cannot listen on {address} (option {key})");
            Err(anyhow::Error::new(error).context(message))
        }
    }
}

/// What all ports have in common: unknown paths, panics, traces.
fn finished(routes: Router) -> Router {
    routes
        .fallback(|request: axum::extract::Request| async move {
            ingest::grpc::unimplemented(&request)
                .unwrap_or_else(|| (StatusCode::NOT_FOUND, "404 page not found\n").into_response())
        })
        .layer(CatchPanicLayer::new())
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(DefaultMakeSpan::new().level(tracing::Level::INFO))
                .on_failure(()),
        )
}
