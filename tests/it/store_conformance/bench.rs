//! What the claims need of a back end beside the store itself.

use std::sync::Arc;

use async_trait::async_trait;
use meetrelay::domain::MeetingId;
use meetrelay::ports::Store;

/// One empty place for a store, gone with the bench.
#[async_trait]
pub(crate) trait Bench: Send + Sync {
    /// Opens the store; what was written through an earlier one is there.
    async fn open(&self) -> Arc<dyn Store>;

    /// Spoils the body of a meeting's row behind the store's back.
    async fn damage(&self, meeting: MeetingId);
}

/// Closes the store and opens it again.
pub(crate) async fn reopen(bench: &impl Bench, store: Arc<dyn Store>) -> Arc<dyn Store> {
    store.close().await;
    drop(store);
    bench.open().await
}
