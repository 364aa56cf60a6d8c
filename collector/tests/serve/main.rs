//! The collector as its users meet it: the real program, on free ports, in a folder of its own.

// Everything here is test code; the lint sees only functions marked as tests.
#![allow(clippy::unwrap_used)]

mod api;
mod client;
mod crash;
mod grpc;
mod http;
mod life;
mod limits;
mod prometheus;
mod server;
mod starting;
mod traces;
