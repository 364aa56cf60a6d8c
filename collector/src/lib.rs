//! The server of Nightshift.
//!
//! Telemetry comes in as OTLP ([`ingest`]), is kept behind the store's traits, and is read over HTTP
//! ([`api`]). Rules are evaluated by [`judge`], and what must outlive it lies in [`state`]. [`app`] builds everything once; [`serve`] runs the listeners. ARCHITECTURE.md at the top
//! of the repository draws the whole.

pub mod alertmanager;
pub mod api;
pub mod app;
pub mod bucket;
pub mod cli;
pub mod clock;
pub mod collector;
pub mod config;
pub mod folder;
mod glob;
pub mod identity;
pub mod incidents;
pub mod ingest;
pub mod judge;
pub mod metrics;
pub mod notify;
pub mod process;
pub mod reload;
pub mod remote;
pub mod serve;
pub mod state;
pub mod store_command;
pub mod systemd;
pub mod telemetry;
mod upkeep;
