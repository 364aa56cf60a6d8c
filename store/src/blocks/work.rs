//! Decoding, which is work for a processor, away from the threads that serve.

use object_store::path::Path;

use super::damage::{BlockError, Damage};

/// Runs a piece of decoding. A decoder that gives up on what it reads is damage of that file.
pub(super) async fn decode<T: Send + 'static>(
    file: Path,
    work: impl FnOnce() -> Result<T, BlockError> + Send + 'static,
) -> Result<T, BlockError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| {
        let what = "the decoder gave up on it";
        Err(BlockError::Damaged(Damage::new(&file, 0, what)))
    })
}
