//! Listening and serving: gRPC (HTTP/2) and HTTP/1 on one port, every connection tracked and bounded.
//! Each is greeted first, which settles plain text or TLS; handlers find its `Peer` as an extension.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::identity::handshake::Greeter;

/// Connections at once to one port: a thousand agents, and as many people and scrapers. Further ones
/// wait in the system's queue.
const MAX_CONNECTIONS: usize = 2_048;

/// How long a client may take for its request line and headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// A peer that vanished is noticed within the sum of these two.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// After a failed accept, so that a process out of file descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A port that is open but not served yet.
#[derive(Debug)]
pub struct Port {
    name: &'static str,
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    /// Opens a port; 0 takes a free one.
    pub async fn open(name: &'static str, address: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self {
            name,
            listener,
            address,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then lets what is under way end. Connections live in `tasks`.
    pub async fn serve(
        self,
        routes: Router,
        greeter: Greeter,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let server = Server::new(&tasks, greeter, routes);
        loop {
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, self.listener.accept().await)
            };
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = next => accepted,
            };
            match accepted {
                (Ok(place), Ok(accepted)) => {
                    let connection = server.connection(accepted, stop.clone(), place);
                    tasks.spawn(connection);
                }
                (Err(_closed), _) => return,
                (_, Err(error)) => {
                    tracing::warn!(port = self.name, %error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

#[derive(Clone)]
struct Server {
    builder: auto::Builder<Tracked>,
    greeter: Greeter,
    routes: Router,
}

impl Server {
    fn new(tasks: &TaskTracker, greeter: Greeter, routes: Router) -> Self {
        let mut builder = auto::Builder::new(Tracked(tasks.clone()));
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
        Self {
            builder,
            greeter,
            routes,
        }
    }

    fn connection(
        &self,
        (stream, address): (TcpStream, SocketAddr),
        stop: CancellationToken,
        place: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send + 'static {
        let server = self.clone();
        async move {
            let _place = place;
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection keeps Nagle's delay");
            }
            let greeted = tokio::select! {
                greeted = server.greeter.greet(stream, address) => greeted,
                () = stop.cancelled() => return,
            };
            let (stream, peer) = match greeted {
                Ok(greeted) => greeted,
                Err(error) => return tracing::debug!(%error, %address, "a connection was refused"),
            };
            let service = TowerToHyperService::new(server.routes.layer(Extension(peer)));
            let connection = server
                .builder
                .serve_connection(TokioIo::new(stream), service);
            let mut connection = std::pin::pin!(connection);
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                // A client that goes away or speaks something else is its own affair.
                tracing::debug!(error, "a connection ended early");
            }
        }
    }
}

/// Spawns what hyper needs to spawn where the collector can wait for it.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
