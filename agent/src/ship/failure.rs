//! What kept a request from being acknowledged, sorted by what it calls for.

use std::error::Error;
use std::time::Duration;

use tonic::{Code, Status};
use wire::causes::with_causes;

/// A request that was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    /// For the metric: `unavailable`, `connect`.
    pub(super) code: &'static str,
    /// For people: what the other side or the system said.
    pub(super) message: String,
}

/// What a failure calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nobody is there, or not now: try another address, then wait.
    Away,
    /// No answer in time: as above, and with less at a time.
    Slow,
    /// We are not welcome, or it is no collector: as above, and a person must look.
    Denied,
    /// It has too much to do: wait, as long as it says.
    Busy(Option<Duration>),
    /// It cannot take this, now or ever: find the batch that is the cause, and drop it.
    Refused,
    /// It failed over this, perhaps: find the batch, give it some more chances, and drop it.
    Failed,
}

impl Failure {
    pub(super) fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
        }
    }

    /// An error from below gRPC, with all it has to say.
    pub(super) fn transport(code: &'static str, error: &(dyn Error + 'static)) -> Self {
        if is_timeout(error) {
            return Self::new(Kind::Slow, "timeout", with_causes(error));
        }
        Self::new(Kind::Away, code, with_causes(error))
    }

    /// Sorts what a gRPC server answered. The OTLP specification says which codes may be tried
    /// again; the codes it would have us drop telemetry for are looked at more closely, since a
    /// wrong certificate or address must not cost a single batch.
    pub(super) fn from_status(status: &Status) -> Self {
        if let Some(source) = status.source() {
            return Self::transport("transport", source);
        }
        let code = status.code();
        let kind = match (code, retry_delay(status)) {
            (_, Some(delay)) => Kind::Busy(Some(delay)),
            (Code::ResourceExhausted, None) => Kind::Busy(None),
            (Code::InvalidArgument | Code::OutOfRange | Code::AlreadyExists, None) => Kind::Refused,
            // A server that keeps to the time-out it was told may end with either.
            (Code::DeadlineExceeded | Code::Cancelled, None) => Kind::Slow,
            (Code::Unavailable | Code::Aborted, None) => Kind::Away,
            (
                Code::Unauthenticated
                | Code::PermissionDenied
                | Code::Unimplemented
                | Code::NotFound,
                None,
            ) => Kind::Denied,
            _ => Kind::Failed,
        };
        Self::new(kind, name_of(code), status.message())
    }

    /// Sorts an answer that is not gRPC: a proxy's, or of something else that listens there.
    pub(super) fn from_http(status: http::StatusCode) -> Self {
        let kind = match status.as_u16() {
            429 | 500..=599 => Kind::Away,
            _ => Kind::Denied,
        };
        Self::new(
            kind,
            "http",
            format!("the answer is HTTP {status}, not gRPC"),
        )
    }

    /// Whether a collector that works gave it as its answer.
    pub(super) fn is_answer(&self) -> bool {
        matches!(self.kind, Kind::Busy(_) | Kind::Refused | Kind::Failed)
    }

    /// What an operator can do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self.kind {
            Kind::Away => "check that the collector runs and that its address and CA are right",
            Kind::Slow => "look at the collector's load and at the network between",
            Kind::Denied => "check the address, and the agent's certificate with the collector",
            Kind::Busy(_) => "nothing is lost; look at the collector's load if this goes on",
            Kind::Refused | Kind::Failed => "look in the collector's log for the reason",
        }
    }
}

fn retry_delay(status: &Status) -> Option<Duration> {
    let header = || {
        let text = status.metadata().get("retry-after")?.to_str().ok()?;
        text.trim().parse().ok().map(Duration::from_secs)
    };
    wire::answer::retry_delay(status.details()).or_else(header)
}

/// Whether the request's own time-out is at the root: tonic keeps to the one it sends along.
fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.any(|cause| cause.is::<tonic::TimeoutExpired>())
}

fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: &Status, expected: Kind) {
        assert_eq!(Failure::from_status(status).kind, expected, "{status:?}");
    }

    #[test]
    fn answers_are_sorted_by_what_they_call_for() {
        check(&Status::unavailable("away"), Kind::Away);
        check(&Status::aborted("again"), Kind::Away);
        check(&Status::deadline_exceeded("slow"), Kind::Slow);
        check(&Status::unauthenticated("who"), Kind::Denied);
        check(&Status::unimplemented("what"), Kind::Denied);
        check(&Status::invalid_argument("bad"), Kind::Refused);
        check(&Status::out_of_range("too large"), Kind::Refused);
        check(&Status::internal("oops"), Kind::Failed);
        check(&Status::unknown("oops"), Kind::Failed);
        check(&Status::resource_exhausted("full"), Kind::Busy(None));
    }

    #[test]
    fn a_delay_is_honoured_wherever_it_stands() {
        let delay = Duration::from_secs(7);
        let details = wire::answer::retry_details(14, "busy", delay);
        let status = Status::with_details(Code::Unavailable, "busy", details.into());
        check(&status, Kind::Busy(Some(delay)));
        let mut status = Status::resource_exhausted("busy");
        status.metadata_mut().insert(
            "retry-after",
            tonic::metadata::MetadataValue::from_static("7"),
        );
        check(&status, Kind::Busy(Some(delay)));
    }
}
