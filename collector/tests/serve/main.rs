//! The collector as its users meet it: the real program, on free ports, in a folder of its own.

// Everything here is test code; the lint sees only functions marked as tests.
#![allow(clippy::unwrap_used)]

mod alertmanager;
mod alerts;
mod api;
mod asking;
mod beside;
mod bounded;
mod client;
mod clients;
mod crash;
mod grpc;
mod hostile;
mod http;
mod incidents;
mod life;
mod limits;
mod notify;
mod peer;
mod prometheus;
mod query;
mod remote;
mod server;
mod starting;
mod status;
mod traces;
