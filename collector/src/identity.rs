//! Who the collector is, and which agents it has let in.
//!
//! On its first start the collector makes a certificate authority of its own. An agent joins with a
//! one-time token that also pins that authority, and from then on both sides prove themselves by
//! certificates. Nothing here opens a socket: [`handshake`] takes an accepted connection over.

pub mod authority;
pub mod handshake;
pub mod token;

use std::path::PathBuf;

/// Why the collector's identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file of the identity could not be read or written.
    #[error("cannot {operation} {}: {source}", path.display())]
    File {
        /// `read`, `create`, `write`.
        operation: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate or key is not what it should be.
    #[error("{what} cannot be used: {detail}")]
    Certificate {
        /// Which one.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The token is unknown, was used before, or is too old.
    #[error(
        "the join token is not valid: it was used before, has expired, or is from another collector"
    )]
    Token,
}

impl IdentityError {
    pub(crate) fn certificate(what: &'static str, detail: impl ToString) -> Self {
        Self::Certificate {
            what,
            detail: detail.to_string(),
        }
    }
}
