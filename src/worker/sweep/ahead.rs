//! A clock that was ahead and has been set back: what it put off is due too late by as much. Meetings that such a clock
//! wrote are woken, whereupon apply counts their times from now.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, warn};

use crate::clock::SetBack;
use crate::domain::{CLOCKS_DIFFER_BY, MeetingId, Timestamp};
use crate::ports::StoreError;
use crate::worker::WorkerContext;

/// The setting of the store that says what the clock of whoever sweeps showed last.
const CLOCK_SEEN: &str = "clock_seen";
/// How often it is read and written.
const KEPT_EVERY: Duration = Duration::from_secs(10);
/// Most meetings that are looked at after a set-back, those first that are due first.
const MEETINGS_MAX: usize = 10_000;

/// What is known of the clock.
#[derive(Default)]
pub(super) struct ClockWatch {
    set_back: SetBack,
    kept_at: Option<Instant>,
    /// It was set back, and what follows from it is not yet done.
    is_pending: bool,
}

impl ClockWatch {
    /// Whether the clock was set back since it was looked at last.
    pub(super) fn was_set_back(&mut self, now: Timestamp) -> bool {
        if let Some(back) = self.set_back.notice(now) {
            warn!(
                back_s = back.as_secs(),
                "the clock was set back: what was put off until a time of the old clock counts from now"
            );
            self.is_pending = true;
        }
        self.is_pending
    }

    /// The meetings that were written by a clock which was ahead, if the clock was set back: in this process, or between
    /// this one and whoever swept before.
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
            debug!("looking for meetings that were written by a clock that was ahead");
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

/// Whoever writes a meeting notes up to when its jobs are published: a known time after the writing.
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
