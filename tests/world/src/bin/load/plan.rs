//! What is sent and when: the schedule, fixed before the first request.

use std::time::Duration;

/// The door's requests of one meeting: its trigger and four webhooks.
const REQUESTS_A_MEETING: f64 = 5.0;

/// One meeting of so many is started a second time while it runs: the answer must be the one that runs.
const AGAIN_EVERY: u32 = 10;

/// How a meeting is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// By an outgoing webhook.
    Post,
    /// By a slash command.
    Command,
    /// By a slash command where one runs already.
    Again,
    /// A webhook of plugNmeet.
    Webhook,
}

impl Kind {
    /// All, in the order of the table.
    pub const ALL: [Self; 4] = [Self::Post, Self::Command, Self::Again, Self::Webhook];

    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Post => "outgoing webhook",
            Self::Command => "slash command",
            Self::Again => "second start",
            Self::Webhook => "plugNmeet webhook",
        }
    }
}

/// The schedule of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    rate: f64,
    triggers: u32,
    run: u32,
}

impl Plan {
    /// `rate` requests a second for `seconds`; the ids hold a number of the run, so that those of another are known.
    pub fn new(rate: u32, seconds: u32) -> Self {
        let again = 1.0 / f64::from(AGAIN_EVERY);
        let rate = f64::from(rate) / (REQUESTS_A_MEETING + again);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "both are bounded by the arguments' ranges: below 4e8"
        )]
        let triggers = (rate * f64::from(seconds)).ceil() as u32;
        Self {
            rate,
            triggers,
            run: std::process::id() % 100_000,
        }
    }

    /// How many meetings are asked for.
    pub const fn triggers(&self) -> u32 {
        self.triggers
    }

    /// The number of this run, of at most five digits.
    pub const fn run(&self) -> u32 {
        self.run
    }

    /// When the meeting of this number is asked for, from the start.
    pub fn due(&self, number: u32) -> Duration {
        Duration::from_secs_f64(f64::from(number) / self.rate)
    }

    /// How it is asked for: both ways by turns.
    pub const fn kind(&self, number: u32) -> Kind {
        if number.is_multiple_of(2) {
            Kind::Post
        } else {
            Kind::Command
        }
    }

    /// Whether it is asked for a second time while it runs.
    pub const fn is_again(&self, number: u32) -> bool {
        number % AGAIN_EVERY == AGAIN_EVERY - 1
    }
}

/// An id as Mattermost's, of 26 characters: a letter, the run, the number.
pub fn id(letter: char, run: u32, number: u32) -> String {
    format!("{letter}{run:05}{number:020}")
}

/// The number in an id of this run and letter.
pub fn number(letter: char, run: u32, id: &str) -> Option<u32> {
    let rest = id.strip_prefix(letter)?;
    let (of, number) = rest.split_at_checked(5)?;
    (of.parse() == Ok(run)).then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn requests_are_spread_evenly_over_the_time() {
        let plan = Plan::new(510, 10);
        assert_eq!(plan.triggers(), 1000);
        assert_eq!(plan.due(0), Duration::ZERO);
        assert_eq!(plan.due(100).as_millis(), 1000);
        assert_eq!(plan.due(999).as_millis(), 9990);
        let again = (0..1000).filter(|number| plan.is_again(*number)).count();
        assert_eq!(again, 100, "so that 510 requests a second are sent in all");
    }

    #[test]
    fn an_id_of_another_run_is_not_taken_for_ours() {
        let mine = id('c', 77, 123_456);
        assert_eq!(mine.len(), 26);
        assert_eq!(number('c', 77, &mine), Some(123_456));
        assert_eq!(number('c', 78, &mine), None);
        assert_eq!(number('p', 77, &mine), None);
        assert_eq!(number('c', 77, "c77"), None);
    }
}
