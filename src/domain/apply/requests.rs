//! Which requests a meeting keeps: for each person the newest start and the newest end.

use crate::domain::meeting::{ENDS_MAX, POSTS_MAX, Request, RequestPurpose, STARTS_MAX};
use crate::domain::{Meeting, Person};

impl Meeting {
    /// Whether a start that is offered this meeting can be kept.
    pub fn has_room_for_starts(&self) -> bool {
        let starts = self.requests.iter().filter(|kept| !kept.purpose.is_end());
        starts.count() < STARTS_MAX && self.posts.len() < POSTS_MAX
    }
}

/// Whether the meeting has no room for the end that this person wants: whoever asks is told so. The starter's always has
/// room, and so has one that takes the place of an earlier one.
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

/// Keeps a request in place of an earlier one of the same person and kind. The request that founded the meeting stays.
/// An end for which there is no room takes the place of the oldest one that was refused, or else allowed.
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
