//! The requests that a meeting keeps: for each person the newest start and the newest request to end.

use crate::domain::meeting::{ENDS_MAX, POSTS_MAX, Request, RequestPurpose, STARTS_MAX};
use crate::domain::{Meeting, Person};

impl Meeting {
    /// Whether the meeting can keep another start that is offered it.
    pub fn has_room_for_starts(&self) -> bool {
        let starts = self.requests.iter().filter(|kept| !kept.purpose.is_end());
        starts.count() < STARTS_MAX && self.posts.len() < POSTS_MAX
    }
}

/// Whether the meeting cannot keep this person's request to end it, which the answer then says. The request of the
/// starter can always be kept, and so can one that replaces an earlier one.
pub(super) fn is_dropped(meeting: &Meeting, by: &Person) -> bool {
    let ends = || meeting.requests.iter().filter(|kept| kept.purpose.is_end());
    if is_starter(meeting, by) || ends().any(|kept| kept.by.user_id == by.user_id) {
        return false;
    }
    let waiting = ends().filter(|kept| kept.purpose == RequestPurpose::EndAsked);
    waiting.count() >= ENDS_MAX || meeting.posts.len() >= POSTS_MAX
}

/// Whether this person asked for the meeting.
pub(super) fn is_starter(meeting: &Meeting, by: &Person) -> bool {
    meeting
        .starter()
        .is_some_and(|starter| starter.user_id == by.user_id)
}

/// Keeps a request, which replaces an earlier one of the same person and kind. The request that created the meeting is
/// never replaced. If there are too many requests to end, the new one replaces the oldest one that was refused, or else
/// the oldest one that was allowed.
pub(super) fn keep(meeting: &mut Meeting, request: Request) {
    if request.purpose.is_end() && is_dropped(meeting, &request.by) {
        return;
    }
    let is_end = request.purpose.is_end();
    meeting.requests.retain(|kept| {
        kept.purpose == RequestPurpose::Start
            || kept.purpose.is_end() != is_end
            || kept.by.user_id != request.by.user_id
    });
    let ends = meeting.requests.iter().filter(|kept| kept.purpose.is_end());
    if is_end && ends.count() >= ENDS_MAX {
        let oldest = |purpose| {
            meeting
                .requests
                .iter()
                .position(|kept| kept.purpose == purpose)
        };
        if let Some(oldest) =
            oldest(RequestPurpose::EndRefused).or_else(|| oldest(RequestPurpose::EndAllowed))
        {
            meeting.requests.remove(oldest);
        }
    }
    meeting.requests.push(request);
}
