//! Receivers of notifications, as real as this machine can have them: a mail server with a mailbox, and
//! servers that hold every byte of a request against what the makers of Slack, PagerDuty, Telegram and
//! the others publish.
//!
//! [`Receiver`] is such a server. It answers as its maker does: a message in the published form is taken,
//! any other refused with what is wrong with it. A test may have it answer otherwise, and read what came.
//! [`Mailbox`] is Debian's exim, which delivers into a folder.

mod fields;
mod formats;
mod mailbox;
mod reply;
mod server;

pub use formats::Format;
pub use mailbox::{Mail, Mailbox, Security};
pub use reply::Reply;
pub use server::{Received, Receiver};
