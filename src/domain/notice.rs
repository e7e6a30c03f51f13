//! Posting once what can be neither looked up nor edited. A post is counted before it is made; when nobody knows what
//! became of it, it is made once more, and may stand there twice.

use std::time::Duration;

use super::{PostRow, Timestamp};

/// Most posts of one notice of which nobody knows what became: after the last it counts as posted.
pub(crate) const SENT_MAX: u32 = 2;

/// What is to be done about a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeStep {
    /// Nothing: it stands there, or never will.
    Nothing,
    /// Nothing before this time: a post is under way, or nobody knows what became of it.
    Wait(Timestamp),
    /// It is not known either whether the repeated one stands there.
    CountAsPosted,
    /// To post it.
    Post,
}

impl PostRow {
    /// What is to be done about this notice.
    pub fn notice_step(&self, now: Timestamp) -> NoticeStep {
        match self.again_at {
            _ if self.is_settled() => NoticeStep::Nothing,
            Some(at) if at > now => NoticeStep::Wait(at),
            _ if self.sent >= SENT_MAX => NoticeStep::CountAsPosted,
            _ => NoticeStep::Post,
        }
    }

    /// A post is about to be made. Kept before it is: after a crash its outcome is as unknown as after silence.
    pub fn begin_notice(&mut self, now: Timestamp, again_after: Duration) {
        self.first_tried_at.get_or_insert(now);
        self.sent += 1;
        self.again_at = Some(now.plus(again_after));
    }

    /// It stands there, or counts as standing there.
    pub fn notice_made(&mut self, now: Timestamp) {
        self.posted_at = Some(now);
        self.again_at = None;
    }

    /// What was begun was certainly not carried out.
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
