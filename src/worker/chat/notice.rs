//! The job `PostNotice`: posts the start or the end of a meeting once.

use tracing::info;

use crate::domain::card::{self, CardFrame, Late, WhyLate};
use crate::domain::owed::is_owed;
use crate::domain::retry::Outcome;
use crate::domain::{DeliveryMethod, Job, Meeting, MeetingId, Notice, Presentation};

use super::announcing::{Announced, Exit, announce};
use super::card::{open_link, starter_name};
use super::{JobContext, StepResult, load};

/// Posts the notice unless it was posted before or is no longer true.
pub(super) async fn post(
    ctx: &JobContext<'_>,
    id: MeetingId,
    notice: Notice,
) -> StepResult<Outcome> {
    let meeting = load(ctx, id).await?;
    let job = Job::PostNotice { notice };
    let Some(owed) = is_owed(&meeting, &ctx.settings.policy.schedule, &job) else {
        return Ok(Outcome::Obsolete);
    };
    let exit = match meeting.presentation(ctx.delivery_method()) {
        Presentation::Notices => Exit::DeliveryMethod,
        Presentation::ThroughHook(hook) => Exit::Hook(hook),
        Presentation::Card | Presentation::LinkOnly => return Ok(Outcome::Obsolete),
    };
    let starter_name = match ctx.delivery_method() {
        DeliveryMethod::Posts => starter_name(ctx, &meeting).await,
        DeliveryMethod::Notices => None,
    };
    let now = ctx.deps.clock.now();
    let late_by = now.since(owed.since);
    let frame = CardFrame {
        join_link: open_link(ctx, &meeting),
        starter_name,
        time_zone: ctx.settings.face.time_zone.clone(),
        late: (late_by >= ctx.settings.face.late_after).then(|| Late {
            by: now.since(meeting.requested_at),
            why: WhyLate::Unknown,
        }),
    };
    let content = card::notice(&meeting.card_view(), &frame);
    let key = notice.post_key();
    let mut row = meeting.post(&key).cloned().unwrap_or_default();
    if announce(ctx, &meeting, &key, &mut row, exit, content).await? == Announced::Now {
        report(ctx, &meeting, notice);
    }
    Ok(Outcome::Done)
}

fn report(ctx: &JobContext<'_>, meeting: &Meeting, notice: Notice) {
    let now = ctx.deps.clock.now();
    match notice {
        Notice::Start => {
            let after = now.since(meeting.requested_at);
            if let Some(request) = meeting.first_request() {
                ctx.deps.observer.card_posted(&request.via, after);
            }
            let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            info!(
                after_ms,
                state = meeting.state().as_str(),
                "start notice posted"
            );
        }
        Notice::End => {
            let after = now.since(meeting.changed_at);
            ctx.deps.observer.card_updated(true, after);
            info!(state = meeting.state().as_str(), "end notice posted");
        }
    }
}
