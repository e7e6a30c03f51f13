//! Handles a clock that was ahead and has been set back: jobs that were delayed by it are due too late by that
//! difference. Meetings that were written under such a clock are woken, and apply then counts their times from now.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, warn};

use crate::clock::SetBack;
use crate::domain::{CLOCKS_DIFFER_BY, MeetingId, Timestamp};
use crate::ports::StoreError;
use crate::worker::WorkerContext;

/// The setting of the store that holds the last time on the clock of the replica that sweeps.
const CLOCK_SEEN: &str = "clock_seen";
/// The interval at which the setting is read and written.
const KEPT_EVERY: Duration = Duration::from_secs(10);
/// Most meetings that are examined after the clock was set back; the ones that are due first come first.
const MEETINGS_MAX: usize = 10_000;

/// Watches whether the clock is set back.
#[derive(Default)]
pub(super) struct ClockWatch {
    set_back: SetBack,
    kept_at: Option<Instant>,
    /// The clock was set back, and the affected meetings have not been woken yet.
    is_pending: bool,
}

impl ClockWatch {
    /// Whether the clock was set back since the last check.
    pub(super) fn was_set_back(&mut self, now: Timestamp) -> bool {
        if let Some(back) = self.set_back.notice(now) {
            warn!(
                back_s = back.as_secs(),
                "the clock was set back; delays that were set before count from now"
            );
            self.is_pending = true;
        }
        self.is_pending
    }

    /// The meetings that were written while the clock was ahead, if it was set back: in this process, or between this
    /// process and the one that swept before it.
    pub(super) async fn meetings_ahead(
        &mut self,
        ctx: &WorkerContext,
        now: Timestamp,
    ) -> Result<Vec<(MeetingId, u32)>, StoreError> {
        let store = &ctx.deps.store;
        let is_kept_lately = self.kept_at.is_some_and(|at| at.elapsed() < KEPT_EVERY);
        if !self.was_set_back(now) && is_kept_lately {
            return Ok(Vec::new());
        }
        let kept = store.setting(CLOCK_SEEN).await?;
        let seen = kept.and_then(|kept| kept.parse().ok());
        let seen = seen.map_or(now, Timestamp::from_millis);
        let mut found = Vec::new();
        if self.is_pending || seen.since(now) > CLOCKS_DIFFER_BY {
            debug!("searching for meetings that were written while the clock was ahead");
            found = written_ahead(ctx, now).await?;
        }
        store
            .put_setting(CLOCK_SEEN, &now.millis().to_string())
            .await?;
        self.kept_at = Some(Instant::now());
        self.is_pending = false;
        Ok(found)
    }
}

/// The time at which a meeting was written. Each write stores until when the jobs of the meeting are published, which
/// is a known time after the write.
async fn written_ahead(
    ctx: &WorkerContext,
    now: Timestamp,
) -> Result<Vec<(MeetingId, u32)>, StoreError> {
    let store = &ctx.deps.store;
    let latest = now
        .plus(ctx.settings.policy.publish_ahead)
        .plus(CLOCKS_DIFFER_BY);
    let end_of_time = Timestamp::from_millis(i64::MAX);
    let mut found = Vec::new();
    for (id, round) in store.due_meetings(end_of_time, MEETINGS_MAX).await? {
        let meeting = store.meeting(id).await?;
        if meeting.is_some_and(|meeting| meeting.published_until > latest) {
            found.push((id, round));
        }
    }
    Ok(found)
}
