//! The way to receivers.

use async_trait::async_trait;
use notify::config::IntegrationId;
use notify::deliver::{Courier, Verdict};
use notify::notification::Notification;

/// Takes notifications to receivers: over the network, or in tests into a list.
#[async_trait]
pub(crate) trait Carrier: Send + Sync {
    /// Tries once. `key` is the same at each try of the same notification. After `Delivered` the
    /// receiver has it; after any other verdict, or if this never ends, it may have it.
    async fn deliver(
        &self,
        integration: &IntegrationId,
        notification: &Notification,
        key: &str,
    ) -> Verdict;
}

#[async_trait]
impl Carrier for Courier {
    async fn deliver(
        &self,
        integration: &IntegrationId,
        notification: &Notification,
        key: &str,
    ) -> Verdict {
        Self::deliver(self, integration, notification, key).await
    }
}
