//! Our clock may have been ahead, and be right now. Nothing that is kept can have happened later than now.

use std::time::Duration;

use crate::domain::{Meeting, PostRow, Timestamp};

/// The longest pause that a post's row may ask for: the upper end of `mattermost.tidy_after` and
/// `mattermost.notice_again_after`.
const ROW_PAUSE_MAX: Duration = Duration::from_secs(3600);

impl Meeting {
    /// Times on our clock that lie ahead of `now` were written by a clock that was set back since. They count as now,
    /// so that whatever is due some time after them does not wait until the clock shows that time again.
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
    /// What a clock that was ahead put off is due now. `first_tried_at` stays: that it lies ahead tells whoever looks
    /// for the post that the time of the first try is not known. It does not count here, because what is put off later
    /// by the right clock must wait.
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
