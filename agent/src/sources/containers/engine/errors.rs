//! The engine's errors as an operator reads them.

use std::io::ErrorKind;
use std::path::Path;

use bollard::errors::Error;
use wire::causes::with_causes;

use crate::collect::SourceError;

/// An engine that took a request, or a connection, and then said nothing.
pub(super) fn silent(socket: &Path, what: &str) -> SourceError {
    let message = format!("the engine at {} does not answer", socket.display());
    SourceError::new(message)
        .detail(format!("waiting for: {what}"))
        .hint("see whether `docker ps` answers; if not, look at the engine's log and restart it")
}

/// An error of the client, by what is the matter with the engine.
pub(super) fn explain(socket: &Path, what: &str, error: &Error) -> SourceError {
    let place = socket.display();
    if matches!(error, Error::RequestTimeoutError) {
        return silent(socket, what);
    }
    let missing = matches!(error, Error::SocketNotFoundError(_));
    let kind = if missing {
        Some(ErrorKind::NotFound)
    } else {
        io_kind(error)
    };
    let (message, hint) = match kind {
        Some(ErrorKind::NotFound) => (
            format!("there is no engine's socket at {place}"),
            "start the engine, or set `socket` in [containers]".to_owned(),
        ),
        Some(ErrorKind::PermissionDenied) => (
            format!("no permission to use the engine's socket {place}"),
            super::super::discover::fix(socket),
        ),
        Some(ErrorKind::ConnectionRefused) => (
            format!("nothing listens on the engine's socket {place}"),
            "start the engine".to_owned(),
        ),
        _ => (
            format!("the engine at {place} failed to {what}"),
            String::new(),
        ),
    };
    SourceError::new(message)
        .detail(with_causes(error))
        .hint(hint)
}

/// The kind of the I/O error at the bottom of an error, where one is.
fn io_kind(error: &Error) -> Option<ErrorKind> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}
