//! The upkeep of the store while it serves, and what is told of its state: what was read back at the
//! start, and what was found damaged.

use std::sync::Arc;
use std::time::Duration;

use store::embedded::{Embedded, Found};
use store::journal::Recovery;
use tokio_util::sync::CancellationToken;
use wire::causes::with_causes;

use crate::clock::Clock;

/// How often it is looked whether something is to go from memory to a block: a small part of the time
/// in which memory can fill up.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(15);

/// Moves what is old from memory to blocks, and looks after these.
pub(crate) async fn maintain(store: Arc<Embedded>, clock: Clock, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
    let mut is_failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
            // What just failed is not worth trying again at once.
            () = store.overfull(), if !is_failing => {}
        }
        let done = store.maintain(clock.steady_ms()).await;
        if let Err(error) = &done
            && !is_failing
        {
            let error = with_causes(error);
            let hint = "memory and journal hold what could not be written; it is tried again";
            tracing::error!(error, hint, "the upkeep of blocks failed");
        } else if is_failing && done.is_ok() {
            tracing::info!("the upkeep of blocks works again");
        }
        is_failing = done.is_err();
        for damage in done.iter().flat_map(|upkeep| &upkeep.blocks.damages) {
            report_block(damage);
        }
    }
}

/// Tells what was found when the store was opened.
pub(crate) fn report(found: &Found) {
    let Recovery {
        segments,
        deliveries,
        duplicates,
        samples,
        lost_samples,
        ..
    } = &found.journal;
    tracing::info!(
        segments,
        deliveries,
        duplicates,
        samples,
        lost_samples,
        "journal read back"
    );
    if let Some(torn) = &found.journal.torn {
        let (file, offset, bytes) = (torn.path.display(), torn.offset, torn.bytes);
        tracing::info!(%file, offset, bytes, "an unfinished write was cut off; it was never acknowledged");
    }
    for damage in &found.journal.damages {
        let (file, offset, bytes) = (damage.path.display(), damage.offset, damage.bytes);
        let hint = "telemetry of that time is missing; check the disk";
        tracing::error!(%file, offset, bytes, hint, "the journal is damaged; read past it");
    }
    for damage in &found.blocks {
        report_block(damage);
    }
}

fn report_block(damage: &store::blocks::Damage) {
    let (file, offset, what) = (&damage.file, damage.offset, &damage.what);
    let hint = "its samples are missing until it is repaired; check the disk";
    tracing::error!(file, offset, what, hint, "a block is damaged; moved aside");
}
