//! Where calls arrive: a webhook that remembers them by receiver.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use serde_json::Value;
use tokio::task::JoinHandle;

type Got = Arc<Mutex<Vec<Value>>>;

/// The webhook.
pub(crate) struct Pager {
    address: SocketAddr,
    got: Got,
    serving: JoinHandle<()>,
}

impl Pager {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let got = Got::default();
        let routes = Router::new().fallback(take).with_state(Arc::clone(&got));
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            address,
            got,
            serving,
        }
    }

    /// What a receiver was sent.
    pub(super) fn calls(&self, receiver: &str) -> Vec<Value> {
        let got = self.got.lock().unwrap();
        let of_receiver = got.iter().filter(|call| call["receiver"] == receiver);
        of_receiver.cloned().collect()
    }

    /// An Alertmanager file in which alerts themselves are told to nobody who is called.
    pub(super) fn file(&self) -> String {
        let hook = |name: &str| {
            let url = format!("http://{}/", self.address);
            format!("- name: {name}\n  webhook_configs: [{{url: '{url}'}}]\n")
        };
        let (ann, boss) = (hook("ann"), hook("boss"));
        format!("route: {{receiver: nobody}}\nreceivers:\n- name: nobody\n{ann}{boss}")
    }
}

impl Drop for Pager {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(got): State<Got>, body: axum::body::Bytes) {
    let call = serde_json::from_slice(&body).unwrap();
    got.lock().unwrap().push(call);
}
