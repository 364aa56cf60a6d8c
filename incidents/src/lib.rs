//! Incidents: what belongs together, who has it, what came to pass, and what is told of it afterwards.
//!
//! [`scope`] says which cluster and which hosts an alert is about, [`book`] makes incidents of alerts
//! and carries out what people do with them, [`oncall`] reads who is on call when and who is told next
//! while nobody answers, [`facts`] finds what else changed in what was measured, and [`report`] writes
//! the post-mortem.
//!
//! Deciding is pure: events and the time go in, changes of incidents and what somebody is to be told
//! come out. What is kept over a crash, and when anything runs, is the collector's.

pub mod book;
pub mod facts;
pub mod incident;
mod labels;
pub mod measure;
pub mod oncall;
pub mod report;
pub mod scope;
pub mod timeline;
