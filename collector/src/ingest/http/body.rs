//! Bodies of HTTP requests: read to a bound, decompressed to a bound.

use std::io::{self, Read};

use axum::body::Body;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::HeaderValue;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::super::{BODY_TIMEOUT, Refusal};

/// zstd needs a window of the size that the sender chose; 8 MiB is the most that the content coding
/// allows, and what every level but the experimental ones keeps to.
const ZSTD_WINDOW_LOG: u32 = 23;

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
pub(super) async fn read(body: Body, most: usize) -> Result<Bytes, Refusal> {
    let collected = Limited::new(body, most).collect();
    match tokio::time::timeout(BODY_TIMEOUT, collected).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(most, "")),
        Ok(Err(error)) => Err(Refusal::Malformed(error.to_string())),
        Err(_elapsed) => Err(Refusal::Slow),
    }
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
