//! Snappy's block format, the one compression of remote write.

use snap::raw::{Decoder, Encoder, decompress_len};

/// Why a body could not be decompressed.
#[derive(Debug, thiserror::Error)]
pub enum SnappyError {
    /// Larger than allowed, by its own word.
    #[error(
        "the request says that it is {claimed} bytes long once decompressed; the limit is {limit}"
    )]
    TooLarge {
        /// What it says.
        claimed: usize,
        /// The bound.
        limit: usize,
    },
    /// Not of this format, or damaged.
    #[error("the body is not snappy's block format: {0}")]
    Malformed(#[from] snap::Error),
}

/// No element of the format makes more of itself than this: a copy of 64 bytes takes three.
const MOST_EXPANSION: usize = 64;

/// Decompresses a body to up to `limit` bytes. What it claims to be is not believed beyond what a
/// body of its length can become, so a small one costs little however much it promises.
pub fn decompress(body: &[u8], limit: usize) -> Result<Vec<u8>, SnappyError> {
    let claimed = decompress_len(body)?;
    if claimed > limit {
        return Err(SnappyError::TooLarge { claimed, limit });
    }
    let most = body.len().saturating_mul(MOST_EXPANSION);
    if claimed > most {
        return Err(SnappyError::Malformed(snap::Error::Literal {
            len: claimed as u64,
            src_len: body.len() as u64,
            dst_len: most as u64,
        }));
    }
    Ok(Decoder::new().decompress_vec(body)?)
}

/// Compresses a body.
pub fn compress(body: &[u8]) -> Result<Vec<u8>, SnappyError> {
    Ok(Encoder::new().compress_vec(body)?)
}
