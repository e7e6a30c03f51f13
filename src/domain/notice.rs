//! Posts a notice once, although notices can be neither found again nor edited. A POST is counted before it is sent.
//! If its outcome is unknown, it is sent once more, and the notice may be there twice.

use std::time::Duration;

use super::{PostRow, Timestamp};

/// Most POSTs of one notice with an unknown outcome. After the last one the notice counts as posted.
pub(crate) const SENT_MAX: u32 = 2;

/// The next step for a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeStep {
    /// Nothing: it was posted, or never can be.
    Nothing,
    /// Nothing before this time: a POST is in flight, or its outcome is unknown.
    Wait(Timestamp),
    /// Count it as posted: the outcome of the repeated POST is unknown too.
    CountAsPosted,
    /// Post it.
    Post,
}

impl PostRow {
    /// The next step for this notice.
    pub fn notice_step(&self, now: Timestamp) -> NoticeStep {
        match self.again_at {
            _ if self.is_settled() => NoticeStep::Nothing,
            Some(at) if at > now => NoticeStep::Wait(at),
            _ if self.sent >= SENT_MAX => NoticeStep::CountAsPosted,
            _ => NoticeStep::Post,
        }
    }

    /// Records that a POST is about to be sent. It is stored before the POST, so that the outcome counts as unknown
    /// after a crash too.
    pub fn begin_notice(&mut self, now: Timestamp, again_after: Duration) {
        self.first_tried_at.get_or_insert(now);
        self.sent += 1;
        self.again_at = Some(now.plus(again_after));
    }

    /// Records that the notice was posted, or counts as posted.
    pub fn notice_made(&mut self, now: Timestamp) {
        self.posted_at = Some(now);
        self.again_at = None;
    }

    /// Records that the POST was certainly not carried out.
    pub fn notice_not_made(&mut self) {
        self.sent = self.sent.saturating_sub(1);
        self.again_at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGAIN: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_795_269_720 + seconds)
    }

    #[test]
    fn unknown_outcome_is_repeated_once_and_then_counts_as_posted() {
        let mut row = PostRow::default();
        assert_eq!(row.notice_step(at(0)), NoticeStep::Post);
        row.begin_notice(at(0), AGAIN);
        assert_eq!(row.notice_step(at(59)), NoticeStep::Wait(at(60)));
        assert_eq!(row.notice_step(at(60)), NoticeStep::Post);
        row.begin_notice(at(60), AGAIN);
        assert_eq!(row.notice_step(at(61)), NoticeStep::Wait(at(120)));
        assert_eq!(row.notice_step(at(120)), NoticeStep::CountAsPosted);
        row.notice_made(at(120));
        assert_eq!(row.notice_step(at(999)), NoticeStep::Nothing);
        assert_eq!((row.first_tried_at, row.sent), (Some(at(0)), 2));
    }

    #[test]
    fn known_failure_uses_up_nothing() {
        let mut row = PostRow::default();
        for second in 0..10 {
            row.begin_notice(at(second), AGAIN);
            row.notice_not_made();
            assert_eq!(row.notice_step(at(second)), NoticeStep::Post);
        }
        // Nor does one between two unknown outcomes.
        row.begin_notice(at(10), AGAIN);
        row.begin_notice(at(70), AGAIN);
        row.notice_not_made();
        assert_eq!(row.notice_step(at(70)), NoticeStep::Post);
        row.begin_notice(at(80), AGAIN);
        assert_eq!(row.notice_step(at(140)), NoticeStep::CountAsPosted);
    }
}
