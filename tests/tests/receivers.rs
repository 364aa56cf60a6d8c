//! Whether the courier is understood by receivers as their makers publish them, and what it makes of
//! all that they may answer. The receivers, which hold every byte against what is published, are in
//! `tests/src/receivers`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "receivers/answers.rs"]
mod answers;
#[path = "receivers/login.rs"]
mod login;
#[path = "receivers/made.rs"]
mod made;
#[path = "receivers/mail.rs"]
mod mail;
#[path = "receivers/messages.rs"]
mod messages;
#[path = "receivers/settings.rs"]
mod settings;
