//! Bodies of HTTP requests: read to a bound, decompressed to a bound.

use std::io::{self, Read};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http::HeaderValue;
use http_body_util::BodyExt;
use hyper::body::Body as _;

use super::super::{BODY_TIMEOUT, Refusal};

/// zstd needs a window of the size that the sender chose; 8 MiB is the most that the content coding
/// allows, and what every level but the experimental ones keeps to.
const ZSTD_WINDOW_LOG: u32 = 23;

/// How many times the bound is read of a body that is too large, to be thrown away. A connection that
/// is closed on a sender who is still writing may take the answer with it, and who sees no answer
/// sends again for ever.
const DISCARDED: usize = 16;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    pub(super) fn of(header: Option<&HeaderValue>) -> Result<Self, Refusal> {
        let Some(header) = header else {
            return Ok(Self::Identity);
        };
        let name = header.to_str().unwrap_or_default().trim();
        match name.to_ascii_lowercase().as_str() {
            "identity" | "" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(Refusal::Unsupported(
                "the content encoding must be gzip, zstd or identity".into(),
            )),
        }
    }
}

/// Reads a body of up to `most` bytes, within the time that one may take.
pub(crate) async fn read(body: Body, most: usize) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(BODY_TIMEOUT, gather(body, most)).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(Refusal::Slow),
    }
}

async fn gather(mut body: Body, most: usize) -> Result<Bytes, Refusal> {
    // What a sender announces is believed as far as it may send.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(most);
    let mut gathered = BytesMut::with_capacity(announced.min(most));
    let mut length = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::Malformed(error.to_string()))?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        length = length.saturating_add(piece.len());
        if length <= most {
            gathered.extend_from_slice(&piece);
        } else if length > most.saturating_mul(DISCARDED) {
            break;
        }
    }
    if length > most {
        return Err(too_large(most, ""));
    }
    Ok(gathered.freeze())
}

/// Decompresses a body to up to `most` bytes.
pub(super) async fn decompress(
    compressed: Bytes,
    encoding: Encoding,
    most: usize,
) -> Result<Bytes, Refusal> {
    if encoding == Encoding::Identity {
        return Ok(compressed);
    }
    let decompressed = tokio::task::spawn_blocking(move || match encoding {
        Encoding::Identity => Ok(compressed),
        Encoding::Gzip => read_capped(MultiGzDecoder::new(&compressed[..]), most),
        Encoding::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(&compressed[..]);
            let decoder = decoder.and_then(|mut decoder| {
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Ok(decoder)
            });
            read_capped(decoder.map_err(|error| malformed(&error))?, most)
        }
    });
    decompressed.await.map_err(|panic| {
        tracing::error!(%panic, "decompressing a request panicked");
        Refusal::Internal
    })?
}

fn read_capped(decoder: impl Read, most: usize) -> Result<Bytes, Refusal> {
    let mut out = Vec::new();
    decoder
        .take(most as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|error| malformed(&error))?;
    if out.len() > most {
        return Err(too_large(most, " once decompressed"));
    }
    Ok(out.into())
}

fn malformed(error: &io::Error) -> Refusal {
    Refusal::Malformed(error.to_string())
}

fn too_large(most: usize, when: &str) -> Refusal {
    Refusal::TooLarge(format!("the request is larger than {most} bytes{when}"))
}
