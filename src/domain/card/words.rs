//! Times and durations in words. Times are absolute and name their zone, because a card is read long after it was
//! written.

use std::time::Duration;

use jiff::Zoned;
use jiff::tz::TimeZone;

use crate::domain::Timestamp;
use crate::domain::meeting::CardView;

use super::{CardFrame, WhyLate};

/// The times of one card, in the card's zone.
pub(crate) struct Times {
    zone: TimeZone,
    began: Option<Timestamp>,
    requested_at: Timestamp,
    /// When the card was posted: times of that day need no date.
    posted_at: Timestamp,
    ended_at: Option<Timestamp>,
}

impl Times {
    pub(crate) fn new(view: &CardView, frame: &CardFrame) -> Self {
        Self {
            zone: frame.time_zone.clone(),
            began: view.started_at,
            requested_at: view.requested_at,
            posted_at: view
                .requested_at
                .plus(frame.late.map(|late| late.by).unwrap_or_default()),
            ended_at: view.ended.map(|ended| ended.at),
        }
    }

    /// "14:02 UTC".
    pub(super) fn began(&self) -> Option<String> {
        self.began.map(|at| self.at(at))
    }

    /// "started 14:02 UTC", or when it was requested if the beginning is unknown.
    pub(super) fn started(&self) -> String {
        match self.began() {
            Some(at) => format!("started {at}"),
            None => self.requested(),
        }
    }

    /// "requested 14:02 UTC".
    pub(super) fn requested(&self) -> String {
        format!("requested {}", self.at(self.requested_at))
    }

    /// "ended 14:32 UTC".
    pub(super) fn ended(&self) -> Option<String> {
        self.ended_at.map(|at| format!("ended {}", self.at(at)))
    }

    fn at(&self, at: Timestamp) -> String {
        let shown = |at| zoned(at, &self.zone);
        let Some(time) = shown(at) else {
            return "at an unknown time".to_owned();
        };
        // If one of the times is on another day, all of them have a date.
        let all = [
            self.began,
            self.ended_at,
            Some(self.requested_at),
            Some(self.posted_at),
        ];
        let is_one_day = all
            .into_iter()
            .flatten()
            .filter_map(shown)
            .all(|other| other.date() == time.date());
        let format = if is_one_day {
            "%H:%M %Z"
        } else {
            "%Y-%m-%d %H:%M %Z"
        };
        time.strftime(format).to_string()
    }
}

/// `None` for times outside the range of the calendar: a peer may send any number.
fn zoned(at: Timestamp, zone: &TimeZone) -> Option<Zoned> {
    jiff::Timestamp::from_millisecond(at.millis())
        .ok()
        .map(|at| at.to_zoned(zone.clone()))
}

/// How long an ended meeting lasted, with "about" if only a poll saw its end.
pub(crate) fn lasting(view: &CardView) -> Option<String> {
    let ended = view.ended?;
    let lasted = duration(ended.lasted?);
    Some(if ended.is_about {
        format!("about {lasted}")
    } else {
        lasted
    })
}

/// The second half of "This card came late: ...".
pub(super) const fn why_late(why: WhyLate) -> &'static str {
    match why {
        WhyLate::FoundLate => {
            "Mattermost did not tell me of the post in time, and I found it later"
        }
        WhyLate::BotOutside => "I could not post in this channel before",
        WhyLate::NotTaken => "Mattermost did not take it earlier",
        WhyLate::Unknown => "it could not be posted here earlier",
    }
}

/// "less than a minute", "24 min", "1 h 05 min".
pub(crate) fn duration(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match (minutes / 60, minutes % 60) {
        (0, 0) => "less than a minute".to_owned(),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    }
}
