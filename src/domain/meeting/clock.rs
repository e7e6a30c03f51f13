//! Corrects times that were stored while our clock was ahead. Nothing that is stored can have happened later than now.

use std::time::Duration;

use crate::domain::{Meeting, PostRow, Timestamp};

/// The longest pause that a post's row may contain: the maximum of `mattermost.tidy_after` and
/// `mattermost.notice_again_after`.
const ROW_PAUSE_MAX: Duration = Duration::from_secs(3600);

impl Meeting {
    /// Sets times on our clock that are later than `now` to `now`. They were written before the clock was set back.
    /// Without this, what is due after them would wait until the clock shows that time again.
    pub fn no_later_than(&mut self, now: Timestamp) {
        let clamp = |at: &mut Timestamp| *at = now.min(*at);
        clamp(&mut self.requested_at);
        clamp(&mut self.changed_at);
        for request in &mut self.requests {
            clamp(&mut request.received_at);
        }
        for session in &mut self.sessions {
            clamp(&mut session.known_at);
            session.poll_ended_at.iter_mut().for_each(clamp);
            session.end_heard_at.iter_mut().for_each(clamp);
        }
        for artifact in self.artifacts.values_mut() {
            clamp(&mut artifact.known_at);
        }
        if let Some(end) = &mut self.end {
            clamp(&mut end.wanted_at);
            end.tried_at.iter_mut().for_each(clamp);
        }
        self.polled_at.iter_mut().for_each(clamp);
        self.end_known_at.iter_mut().for_each(clamp);
        self.posts
            .values_mut()
            .for_each(|row| row.due_no_later_than(now));
    }
}

impl PostRow {
    /// Makes due what was delayed while the clock was ahead. `first_tried_at` is not changed: if it is later than now,
    /// the search for the post knows that the time of the first try is unknown. It does not count here, because a
    /// delay that is set later by the correct clock must be kept.
    fn due_no_later_than(&mut self, now: Timestamp) {
        let happened = [self.posted_at, self.outside_since];
        let is_ahead = happened.into_iter().flatten().any(|at| at > now);
        for due in [&mut self.tidy_at, &mut self.again_at]
            .into_iter()
            .flatten()
        {
            if is_ahead || *due > now.plus(ROW_PAUSE_MAX) {
                *due = now.min(*due);
            }
        }
    }
}
