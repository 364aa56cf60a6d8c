//! A webhook receiver that is away at times, and remembers whatever it took.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::switches::COUNT;

/// The header with the key that every attempt at a message has in common.
const KEY: &str = "idempotency-key";

/// What it does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// Takes it.
    Takes,
    /// Answers that it cannot now.
    Fails,
    /// Answers that it is too much, and to come back in a second.
    IsBusy,
    /// Takes it and breaks the connection before it says so.
    LosesAnswer,
    /// Closes the connection at once.
    Closes,
}

impl Mood {
    pub(super) const AWAY: [Self; 4] = [Self::Fails, Self::IsBusy, Self::LosesAnswer, Self::Closes];
}

/// The receiver.
pub(super) struct Receiver {
    address: String,
    state: Arc<Mutex<State>>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct State {
    mood: Mood,
    taken: Vec<Message>,
    /// Attempts that it did not answer well.
    missed: usize,
}

/// What a message says of one switch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    key: String,
    n: usize,
    is_firing: bool,
}

/// The part of a webhook's body that counts here.
#[derive(Debug, Deserialize)]
struct Body {
    status: String,
    #[serde(rename = "groupLabels")]
    group_labels: GroupLabels,
    alerts: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct GroupLabels {
    alertname: String,
    n: String,
}

impl Receiver {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let state = Arc::new(Mutex::new(State {
            mood: Mood::Takes,
            taken: Vec::new(),
            missed: 0,
        }));
        let task = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self {
            address,
            state,
            _task: AbortOnDropHandle::new(task),
        })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn set(&self, mood: Mood) {
        locked(&self.state).mood = mood;
    }

    /// How many messages it took, repeats among them.
    pub(super) fn heard(&self) -> usize {
        locked(&self.state).taken.len()
    }

    pub(super) fn missed(&self) -> usize {
        locked(&self.state).missed
    }

    /// How many of the messages it had taken before.
    pub(super) fn repeated(&self) -> usize {
        let state = locked(&self.state);
        let keys: HashSet<&str> = state.taken.iter().map(|one| &*one.key).collect();
        state.taken.len() - keys.len()
    }

    /// The switches of whose flips it has not heard yet; an error if it heard of what was not, or in a
    /// wrong order.
    pub(super) fn account(&self, flips: &[usize; COUNT]) -> Result<Vec<usize>> {
        let state = locked(&self.state);
        let mut missing = Vec::new();
        for (n, &flips) in flips.iter().enumerate() {
            let mut known = HashSet::new();
            let of_it = state.taken.iter().filter(|message| message.n == n);
            let new = of_it.filter(|message| known.insert(&message.key));
            let heard: Vec<bool> = new.map(|message| message.is_firing).collect();
            let wanted: Vec<bool> = (0..flips).map(|flip| flip % 2 == 0).collect();
            ensure!(
                wanted.starts_with(&heard),
                "of switch {n}, flipped {flips} times, it was told {heard:?}: {:?}",
                state
                    .taken
                    .iter()
                    .filter(|message| message.n == n)
                    .collect::<Vec<_>>()
            );
            if heard.len() < flips {
                missing.push(n);
            }
        }
        Ok(missing)
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(stream, Arc::clone(&state)));
    }
}

async fn converse(stream: TcpStream, state: Arc<Mutex<State>>) {
    if locked(&state).mood == Mood::Closes {
        locked(&state).missed += 1;
        return;
    }
    let service = service_fn(|request| answer(request, &state));
    // A connection that breaks is one of the moods.
    drop(
        http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

/// An error breaks the connection.
async fn answer(request: Request<Incoming>, state: &Mutex<State>) -> Result<Response<Full<Bytes>>> {
    let read = read(request).await;
    let mut state = locked(state);
    let status = match (state.mood, read) {
        (_, Err(wrong)) => {
            // What cannot be read is told by what is missing then; this says why.
            return Ok(said(StatusCode::BAD_REQUEST, &format!("{wrong:#}")));
        }
        (Mood::Takes, Ok(message)) => {
            state.taken.push(message);
            return Ok(said(StatusCode::OK, ""));
        }
        (Mood::LosesAnswer, Ok(message)) => {
            state.taken.push(message);
            state.missed += 1;
            anyhow::bail!("the connection breaks")
        }
        (Mood::Closes, Ok(_)) => {
            state.missed += 1;
            anyhow::bail!("the connection breaks")
        }
        (Mood::Fails, Ok(_)) => StatusCode::INTERNAL_SERVER_ERROR,
        (Mood::IsBusy, Ok(_)) => StatusCode::TOO_MANY_REQUESTS,
    };
    state.missed += 1;
    let mut answer = said(status, "not now");
    if status == StatusCode::TOO_MANY_REQUESTS {
        let second = hyper::header::HeaderValue::from_static("1");
        answer.headers_mut().insert("retry-after", second);
    }
    Ok(answer)
}

fn said(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(text.to_owned()));
    *answer.status_mut() = status;
    answer
}

async fn read(request: Request<Incoming>) -> Result<Message> {
    let key = request.headers().get(KEY).context("no key")?;
    let key = key.to_str()?.to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let body: Body = serde_json::from_slice(&body)?;
    ensure!(body.alerts.len() == 1, "{} alerts", body.alerts.len());
    let GroupLabels { alertname, n } = body.group_labels;
    ensure!(
        matches!(&*alertname, "Quick" | "Patient"),
        "{alertname} never happens"
    );
    Ok(Message {
        key,
        n: n.parse().context("a switch has a number")?,
        is_firing: body.status == "firing",
    })
}
