//! What was accepted, what was seen, and whether the two agree.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use world::reconcile::{Discrepancy, Reconciliation, settle};

use super::report::histogram;

/// How often it is looked whether all has come.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It was not sent.
    #[default]
    Unsent,
    /// The relay took it; its X-Request-Id.
    Accepted(String),
    /// The relay said no, or nothing: it may have taken it all the same.
    Unclear,
}

impl Fate {
    const fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted(_))
    }

    fn id(&self) -> &str {
        match self {
            Self::Accepted(id) => id,
            Self::Unsent | Self::Unclear => "-",
        }
    }
}

/// One meeting, from its trigger to its ended notice.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// When its trigger was due.
    pub due: Option<Instant>,
    /// What became of its trigger.
    pub start: Fate,
    /// What became of its second start.
    pub again: Fate,
    /// Late answers to the second start.
    pub again_answers: u32,
    /// Cards posted.
    pub cards: u32,
    /// When the first came.
    pub card_at: Option<Instant>,
    /// What the card shows now is the ended notice.
    pub shows_end: bool,
    /// A webhook that tells so was accepted.
    pub end_accepted: bool,
    /// All its requests have been sent.
    pub is_done: bool,
}

impl Entry {
    /// All that is owed is there.
    fn is_settled(&self) -> bool {
        let card = !self.start.is_accepted() || self.cards > 0;
        let end = !self.end_accepted || self.shows_end;
        let again = !self.again.is_accepted() || self.again_answers > 0;
        card && end && again
    }

    /// Adds what is wrong with the meeting of this number.
    fn reconcile(&self, number: usize, wrong: &mut Reconciliation) {
        let (start, again) = (self.start.id(), self.again.id());
        let owed = |fate: &Fate| usize::from(fate.is_accepted())..=1;
        let card = format!("the card of meeting {number}");
        wrong.count(start, &card, self.cards as usize, owed(&self.start));
        if self.end_accepted && self.cards > 0 && !self.shows_end {
            wrong.complain(start, format!("{card} does not show the end"));
        }
        let answer = format!("the answer to the second start of meeting {number}");
        let answers = self.again_answers as usize;
        wrong.count(again, &answer, answers, owed(&self.again));
    }
}

/// All meetings of a run, by number.
pub struct Ledger(Mutex<Vec<Entry>>);

impl Ledger {
    /// For this many meetings: some 200 bytes each.
    pub fn new(meetings: u32) -> Self {
        Self(Mutex::new(vec![Entry::default(); meetings as usize]))
    }

    /// Notes something about one meeting; none of this number is none of ours.
    pub fn note<T>(&self, number: u32, note: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        self.entries().get_mut(number as usize).map(note)
    }

    /// Waits until every accepted meeting has had all its webhooks; gives up after `patience`.
    pub async fn all_sent_within(&self, patience: Duration) -> bool {
        let is_sent = |entry: &Entry| !entry.start.is_accepted() || entry.is_done;
        self.wait(patience, is_sent).await
    }

    /// Waits until all that is owed is there; gives up after `patience`.
    pub async fn settled_within(&self, patience: Duration) -> bool {
        self.wait(patience, Entry::is_settled).await
    }

    /// What is missing or doubled.
    pub fn reconcile(&self) -> Vec<Discrepancy> {
        let mut wrong = Reconciliation::default();
        let mut ids = HashSet::new();
        for (number, entry) in self.entries().iter().enumerate() {
            entry.reconcile(number, &mut wrong);
            for fate in [&entry.start, &entry.again] {
                if let Fate::Accepted(id) = fate
                    && !ids.insert(id.clone())
                {
                    let what = format!("the request id of meeting {number} was given before");
                    wrong.complain(id, what);
                }
            }
        }
        wrong.into_discrepancies()
    }

    /// From when triggers were due to their cards, in microseconds.
    pub fn times_to_card(&self) -> Histogram<u64> {
        let mut times = histogram();
        for entry in self.entries().iter() {
            if let (Some(due), Some(card)) = (entry.due, entry.card_at) {
                let micros = card.saturating_duration_since(due).as_micros();
                times.saturating_record(u64::try_from(micros).unwrap_or(u64::MAX));
            }
        }
        times
    }

    async fn wait(&self, patience: Duration, is_so: impl Fn(&Entry) -> bool) -> bool {
        // Entries before this one are as they should be, and stay so.
        let mut first = 0;
        let look = async || {
            let entries = self.entries();
            while entries.get(first).is_some_and(&is_so) {
                first += 1;
            }
            first == entries.len()
        };
        settle(patience, LOOK_EVERY, look, |is_all| *is_all).await
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn accepted(id: &str) -> Fate {
        Fate::Accepted(id.to_owned())
    }

    /// Three meetings that went as they should.
    fn ledger() -> Ledger {
        let ledger = Ledger::new(3);
        for number in 0..3 {
            ledger.note(number, |entry| {
                entry.start = accepted(&format!("id-{number}"));
                (entry.cards, entry.end_accepted, entry.shows_end) = (1, true, true);
            });
        }
        ledger
    }

    fn wrong_after(change: impl FnOnce(&mut Entry)) -> Vec<String> {
        let ledger = ledger();
        ledger.note(1, change).unwrap();
        let wrong = ledger.reconcile();
        wrong.iter().map(Discrepancy::to_string).collect()
    }

    #[test]
    fn nothing_is_wrong_when_each_has_one_ended_card() {
        assert_eq!(ledger().reconcile(), []);
    }

    #[test]
    fn missing_and_doubled_cards_are_found() {
        assert_eq!(
            wrong_after(|entry| entry.cards = 0),
            ["id-1: the card of meeting 1 is missing"]
        );
        assert_eq!(
            wrong_after(|entry| entry.cards = 2),
            ["id-1: the card of meeting 1 is there 2 times"]
        );
    }

    #[test]
    fn card_that_does_not_show_the_end_is_found() {
        let wrong = wrong_after(|entry| entry.shows_end = false);
        assert_eq!(wrong, ["id-1: the card of meeting 1 does not show the end"]);
        assert!(
            wrong_after(|entry| (entry.end_accepted, entry.shows_end) = (false, false)).is_empty(),
            "a refused webhook promises nothing"
        );
    }

    #[test]
    fn second_start_needs_exactly_one_answer() {
        for (answers, is_right) in [(0, false), (1, true), (2, false)] {
            let wrong = wrong_after(|entry| {
                entry.again = accepted("again");
                entry.again_answers = answers;
            });
            assert_eq!(wrong.is_empty(), is_right, "{wrong:?}");
        }
    }

    #[test]
    fn trigger_that_was_refused_may_have_one_card_but_not_two() {
        for (cards, is_right) in [(0, true), (1, true), (2, false)] {
            let wrong = wrong_after(|entry| {
                *entry = Entry {
                    start: Fate::Unclear,
                    cards,
                    ..Entry::default()
                };
            });
            assert_eq!(wrong.is_empty(), is_right, "{wrong:?}");
        }
    }

    #[test]
    fn request_id_given_twice_is_found() {
        let wrong = wrong_after(|entry| entry.start = accepted("id-0"));
        assert_eq!(
            wrong,
            ["id-0: the request id of meeting 1 was given before"]
        );
    }

    #[tokio::test]
    async fn ledger_settles_when_the_last_card_comes() {
        let ledger = ledger();
        ledger.note(2, |entry| entry.cards = 0);
        assert!(!ledger.settled_within(Duration::ZERO).await);
        ledger.note(2, |entry| entry.cards = 1);
        assert!(ledger.settled_within(Duration::ZERO).await);
    }
}
