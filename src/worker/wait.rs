//! Waits for a store or queue that is unavailable.

use std::time::Duration;

use tracing::error;

use crate::ports::StoreError;

use super::WorkerContext;

/// Pause before an unavailable store or queue is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Waits for [`AGAIN_AFTER`]. `false`: the workers were stopped meanwhile.
pub(super) async fn pause(ctx: &WorkerContext) -> bool {
    tokio::select! {
        () = ctx.stop.cancelled() => false,
        () = tokio::time::sleep(AGAIN_AFTER) => true,
    }
}

/// Repeats a call of the store until it is available. Returns its answer, or why it refuses the call. `None`: the
/// workers were stopped first.
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
                    error!(
                        why,
                        "the store is unavailable: messages wait, nothing is lost"
                    );
                }
                if !pause(ctx).await {
                    return None;
                }
            }
        }
    }
}
