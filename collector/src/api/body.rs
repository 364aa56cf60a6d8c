//! Bodies of requests, read up to a bound.

use axum::body::Body;
use http_body_util::BodyExt;

/// How much of a body that is too large is read and thrown away.
const MAX_PASSED_OVER: usize = 32 << 20;

/// Why there is no body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is larger than it may be.
    TooLarge,
    /// It ended before it was whole.
    Torn(String),
}

/// The whole body. One that is too large is read on for a while before it is refused: a client that
/// is cut off while it writes would see a broken connection and never the reason.
pub(super) async fn read(mut body: Body, most: usize) -> Result<Vec<u8>, BodyError> {
    let mut kept = Vec::new();
    let mut passed_over = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::Torn(error.to_string()))?;
        let Ok(bytes) = frame.into_data() else {
            continue;
        };
        if passed_over == 0 && kept.len() + bytes.len() <= most {
            kept.extend_from_slice(&bytes);
        } else {
            passed_over += bytes.len();
        }
        if passed_over > MAX_PASSED_OVER {
            break;
        }
    }
    if passed_over == 0 {
        Ok(kept)
    } else {
        Err(BodyError::TooLarge)
    }
}
