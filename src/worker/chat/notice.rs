//! PostNotice: the start or the end of a meeting, told once.

use tracing::info;

use crate::domain::card::{self, CardFrame, Late, WhyLate};
use crate::domain::owed::is_owed;
use crate::domain::retry::Outcome;
use crate::domain::{Job, Meeting, MeetingId, Notice, Showing, WayOutKind};

use super::announcing::{Announced, Exit, announce};
use super::card::{open_link, starter_name};
use super::{Step, Turn, load};

/// Posts the notice unless it is there or no longer true.
pub(super) async fn post(shop: &Turn<'_>, id: MeetingId, notice: Notice) -> Step<Outcome> {
    let meeting = load(shop, id).await?;
    let job = Job::PostNotice { notice };
    let Some(owed) = is_owed(&meeting, &shop.settings.policy.schedule, &job) else {
        return Ok(Outcome::Obsolete);
    };
    let exit = match meeting.showing(shop.way_out()) {
        Showing::Notices => Exit::WayOut,
        Showing::ThroughHook(hook) => Exit::Hook(hook),
        Showing::Card | Showing::LinkOnly => return Ok(Outcome::Obsolete),
    };
    let starter_name = match shop.way_out() {
        WayOutKind::Posts => starter_name(shop, &meeting).await,
        WayOutKind::Notices => None,
    };
    let now = shop.deps.clock.now();
    let late_by = now.since(owed.since);
    let frame = CardFrame {
        join_link: open_link(shop, &meeting),
        starter_name,
        time_zone: shop.settings.face.time_zone.clone(),
        late: (late_by >= shop.settings.face.late_after).then(|| Late {
            by: now.since(meeting.requested_at),
            why: WhyLate::Unknown,
        }),
    };
    let content = card::notice(&meeting.card_view(), &frame);
    let key = notice.post_key();
    let mut row = meeting.post(&key).cloned().unwrap_or_default();
    if announce(shop, &meeting, &key, &mut row, exit, content).await? == Announced::Now {
        tell(shop, &meeting, notice);
    }
    Ok(Outcome::Done)
}

fn tell(shop: &Turn<'_>, meeting: &Meeting, notice: Notice) {
    let now = shop.deps.clock.now();
    match notice {
        Notice::Start => {
            let after = now.since(meeting.requested_at);
            if let Some(request) = meeting.first_request() {
                shop.deps.observer.card_posted(&request.via, after);
            }
            let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            info!(after_ms, state = meeting.state().as_str(), "start told");
        }
        Notice::End => {
            let after = now.since(meeting.changed_at);
            shop.deps.observer.card_updated(true, after);
            info!(state = meeting.state().as_str(), "end told");
        }
    }
}
