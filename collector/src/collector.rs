//! What the collector's parts share: the way to the store, which is open once the journal is read.

use std::sync::{Arc, OnceLock};

use store::embedded::Embedded;

/// What telemetry is kept in and read from.
pub type Store = Embedded;

/// Closed while the collector starts, then open for good.
#[derive(Debug, Default)]
pub struct Gate {
    store: OnceLock<Arc<Store>>,
}

impl Gate {
    /// The store, once it can be used.
    #[must_use]
    pub fn store(&self) -> Option<Arc<Store>> {
        self.store.get().cloned()
    }

    /// Opens the gate; a second time changes nothing.
    pub fn open(&self, store: Arc<Store>) {
        if self.store.set(store).is_err() {
            tracing::debug!("the store was open already");
        }
    }
}
