//! The word from the door to those who catch up: something may have been lost here.

use std::sync::Arc;

use tokio::sync::Notify;

/// Shared by the door, which notices, and by the worker that looks again.
#[derive(Debug, Clone, Default)]
pub struct Gap(Arc<Notify>);

impl Gap {
    /// A trigger was not taken although it was good: Mattermost will not send it again.
    pub fn noticed(&self) {
        self.0.notify_one();
    }

    /// Resolves when one was noticed since the last time.
    pub async fn awaited(&self) {
        self.0.notified().await;
    }
}
