//! Prometheus remote write, both ways: [`receive`] takes it in, [`forward`] sends what was stored on to
//! others. The bytes are `wire`'s; what is stored and how is `store`'s.

pub mod forward;
pub mod metrics;
pub mod receive;
