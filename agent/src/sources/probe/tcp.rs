//! The TCP check: something takes the connection and, where asked for, speaks TLS.

use std::time::Duration;

use serde::Deserialize;
use wire::quantity::Period;

use crate::collect::Gather;
use crate::config::Problems;

use super::super::http::{Endpoint, RawTls, Tls, Trace, connect};
use super::{Failure, late, seen_on_the_way};

/// A TCP probe as the configuration file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTcp {
    /// Where to connect: `host:port`. No default.
    pub address: String,
    /// The `instance` label of its series. Default: the address.
    pub instance: Option<String>,
    /// From one probe to the next. Default: `15s`.
    pub interval: Option<Period>,
    /// How long a probe may take. Default: `8s`, or four fifths of a shorter interval.
    pub timeout: Option<Period>,
    /// Speak TLS, in this way. Default: no TLS.
    pub tls: Option<RawTls>,
}

/// A TCP probe that can be made.
#[derive(Clone, Debug)]
pub(super) struct Tcp {
    host: String,
    port: u16,
    address: String,
    tls: Option<Tls>,
}

impl RawTcp {
    pub(super) fn validate(self, problems: &mut Problems) -> Option<Tcp> {
        // An address is read as a URL's, whose rules for IPv6 it shares.
        let has_port = self.address.rsplit_once(':').is_some_and(|(host, port)| {
            port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
        });
        let endpoint = Endpoint::parse(&format!("http://{}", self.address));
        let (true, Ok(endpoint)) = (has_port, endpoint) else {
            let message = "not an address with a port";
            problems.add("address", message, "write host:port, or [::1]:port");
            return None;
        };
        let tls = match self.tls {
            None => None,
            Some(raw) => Some(problems.under("tls", |problems| raw.validate(problems))?),
        };
        Some(Tcp {
            host: endpoint.host,
            port: endpoint.port,
            address: self.address,
            tls,
        })
    }
}

impl Tcp {
    pub(super) fn target(&self) -> String {
        self.address.clone()
    }

    pub(super) async fn run(&self, bound: Duration, out: &mut Gather) -> Result<(), Failure> {
        let mut trace = Trace::default();
        let outcome = tokio::time::timeout(bound, self.look(&mut trace)).await;
        seen_on_the_way(&trace, out);
        outcome.unwrap_or_else(|_| Err(late(bound)))
    }

    async fn look(&self, trace: &mut Trace) -> Result<(), Failure> {
        let stream = connect(&self.host, self.port, trace)
            .await
            .map_err(|error| {
                Failure::new(error.to_string()).fix("check that the server runs and listens there")
            })?;
        if let Some(tls) = &self.tls {
            let (_stream, seen) = tls.connect(&self.host, stream).await.map_err(|error| {
                let why = format!("no TLS with {}: {error}", self.host);
                Failure::new(why).fix("check the certificate, or name its authority in tls.ca_file")
            })?;
            trace.tls = Some(seen);
        }
        Ok(())
    }
}
