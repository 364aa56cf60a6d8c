//! The tables of views, one module a family.
//!
//! Names and labels are those of `postgres_exporter` 0.20 where it has them; what it has not is
//! named in its style. Expressions are written so that a value which does not apply is NULL.

pub(crate) mod activity;
pub(crate) mod archiver;
pub(crate) mod blocking;
pub(crate) mod database;
pub(crate) mod io;
pub(crate) mod locks;
pub(crate) mod progress;
pub(crate) mod relations;
pub(crate) mod replication;
pub(crate) mod settings;
pub(crate) mod slots;
pub(crate) mod subscription;
pub(crate) mod transactions;
pub(crate) mod wal;

use super::view::View;

/// What is asked of the instance as a whole, in the order in which it is asked: what an operator
/// needs first comes first, for a collection may run out of time.
pub(crate) const INSTANCE: &[&[View]] = &[
    replication::VIEWS,
    activity::VIEWS,
    blocking::VIEWS,
    locks::VIEWS,
    slots::VIEWS,
    database::VIEWS,
    archiver::VIEWS,
    wal::VIEWS,
    io::VIEWS,
    transactions::VIEWS,
    progress::VIEWS,
    subscription::VIEWS,
    settings::VIEWS,
];

/// What is asked in each database.
pub(crate) const DATABASE: &[&[View]] = &[relations::VIEWS];
