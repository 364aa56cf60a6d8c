//! Who is told of an alert, when and how.
//!
//! [`config`] reads Alertmanager's configuration file; [`route`], [`inhibit`], [`silence`] and
//! [`interval`] say for an alert to whom it goes and whether it is muted; [`dispatch`] groups alerts and
//! decides when a group is told. All of that is pure: what is and the time go in, what is to be done
//! comes out. [`receiver`] makes the messages of each kind of receiver, and [`deliver`] is the only
//! module that touches the network. What is kept over a crash, and when anything runs, is the
//! collector's.

pub mod alert;
pub mod config;
pub mod deliver;
pub mod dispatch;
pub mod inhibit;
pub mod interval;
pub mod matcher;
pub mod notification;
pub mod receiver;
pub mod route;
pub mod silence;
pub mod template;
