//! Waiting for a store or queue that is away.

use std::time::Duration;

use tracing::error;

use crate::ports::StoreError;

use super::WorkerContext;

/// Pause before a store or queue that is away is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Waits a moment; `false` when the workers are stopped meanwhile.
pub(super) async fn pause(ctx: &WorkerContext) -> bool {
    tokio::select! {
        () = ctx.stop.cancelled() => false,
        () = tokio::time::sleep(AGAIN_AFTER) => true,
    }
}

/// Asks the store until it is there: its answer, or why it refuses. `None`: the workers were stopped first.
pub(super) async fn ask_store<T, F>(
    ctx: &WorkerContext,
    ask: impl Fn() -> F,
) -> Option<Result<T, String>>
where
    F: Future<Output = Result<T, StoreError>>,
{
    loop {
        match ask().await {
            Ok(answer) => return Some(Ok(answer)),
            Err(StoreError::Refused(why)) => return Some(Err(why)),
            Err(StoreError::Unavailable(why)) => {
                if ctx.store_failures.should_log() {
                    error!(why, "the store is away: messages wait, nothing is lost");
                }
                if !pause(ctx).await {
                    return None;
                }
            }
        }
    }
}
