//! The exact comparison, by id.

use std::collections::{BTreeMap, BTreeSet};

use world::reconcile::Reconciliation;

use super::{Asked, Fate, Meeting, Notes, Seen, Session, What};

/// What came of everything, for the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub accepted: u32,
    pub refused: u32,
    /// Lost at the source: Mattermost's one try.
    pub lost: u32,
    /// Of these, and of the refused: taken all the same.
    pub taken_all_the_same: u32,
    pub meetings: u32,
    pub cards: u32,
    pub sessions: u32,
    pub artifacts: u32,
    pub webhooks_accepted: u32,
    pub webhooks_lost: u32,
    /// Late answers to commands that came twice: they cannot be looked up.
    pub answers_doubled: u32,
    /// Meetings with a dead letter.
    pub buried: u32,
}

/// Counts and discrepancies.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub counts: Counts,
    pub wrong: Reconciliation,
}

impl Verdict {
    /// Compares.
    pub fn of(notes: &Notes, seen: &Seen) -> Self {
        let mut verdict = Self::default();
        let holders = holders(seen);
        for asked in &notes.asked {
            verdict.request(asked, seen, &holders);
        }
        let mut sessions: BTreeMap<&str, Vec<&Session>> = BTreeMap::new();
        for session in &seen.sessions {
            verdict.counts.sessions += 1;
            match &session.meeting {
                Some(id) if seen.meetings.contains_key(id) => {
                    sessions.entry(id).or_default().push(session)
                }
                Some(id) => verdict.complain(
                    &session.room,
                    format!("a room of the meeting {id}, which is not there"),
                ),
                None => verdict.complain(&session.room, "a room without a meeting".to_owned()),
            }
        }
        for meeting in seen.meetings.values() {
            let sessions = sessions.remove(meeting.id.as_str()).unwrap_or_default();
            verdict.meeting(meeting, &sessions, notes);
        }
        verdict
    }

    fn request(&mut self, asked: &Asked, seen: &Seen, holders: &BTreeMap<&str, BTreeSet<&str>>) {
        let event = asked.event.as_deref().unwrap_or_default();
        let found = holders.get(event).map_or(0, BTreeSet::len);
        let who = format!("request {:?} of number {:05}", asked.what, asked.number);
        match &asked.fate {
            Fate::Silent(how) => {
                return self.complain(
                    event,
                    format!("{who} was refused and nobody sees why: {how}"),
                );
            }
            Fate::Refused(_) | Fate::Lost(_) => {
                if asked.is_found_later()
                    && !seen
                        .meetings
                        .values()
                        .any(|one| one.channel == asked.channel)
                {
                    self.complain(
                        &asked.channel,
                        format!("{who} was lost at its source and never caught up with"),
                    );
                }
                *match asked.fate {
                    Fate::Refused(_) => &mut self.counts.refused,
                    _ => &mut self.counts.lost,
                } += 1;
                self.counts.taken_all_the_same += u32::from(found > 0);
                return;
            }
            Fate::Accepted => self.counts.accepted += 1,
        }
        if event.is_empty() {
            return self.complain("-", format!("{who} was accepted without an X-Request-Id"));
        }
        let answers = seen.responses.get(&asked.response).copied().unwrap_or(0);
        let is_answered = asked.what == What::End && answers > 0;
        let is_elsewhere = seen.letters.contains_key(event) || is_answered;
        let meeting = format!("the meeting of {who}");
        let owed = usize::from(!is_elsewhere);
        self.wrong.count(event, &meeting, found, owed..=1);
        self.answer(asked, event, answers, seen);
    }

    /// A second start by command is told of the meeting that runs: at once or later. Where the immediate answer was
    /// lost, nobody knows what it said.
    fn answer(&mut self, asked: &Asked, event: &str, answers: u32, seen: &Seen) {
        let holder = seen.meetings.values().find_map(|meeting| {
            let of_it = meeting.requests.iter().find(|(id, _)| id == event)?;
            Some((meeting, of_it.1.as_str()))
        });
        let Some((meeting, purpose)) = holder else {
            return;
        };
        if purpose == "start_while_running" && !asked.response.is_empty() && !meeting.is_buried {
            let is_seen = matches!(asked.fate, Fate::Accepted);
            if answers == 0 && is_seen && !asked.is_told {
                self.complain(
                    event,
                    format!(
                        "second start of number {:05} was never answered",
                        asked.number
                    ),
                );
            }
            self.counts.answers_doubled += u32::from(answers > 1);
        }
    }

    fn meeting(&mut self, meeting: &Meeting, sessions: &[&Session], notes: &Notes) {
        self.counts.meetings += 1;
        let id = meeting.id.as_str();
        for (key, count) in &meeting.posts {
            let post = format!("the post {key:?} in {}", meeting.channel);
            self.wrong.count(id, &post, *count as usize, 0..=1);
        }
        let rooms: BTreeSet<&str> = sessions
            .iter()
            .map(|session| session.room.as_str())
            .collect();
        if rooms.len() > 1 {
            self.complain(id, format!("{} rooms: {rooms:?}", rooms.len()));
        }
        for session in sessions.iter().filter(|session| !session.is_over) {
            self.complain(&session.sid, format!("the session of {id} still runs"));
        }
        for told in sessions
            .iter()
            .filter_map(|session| notes.told.get(&session.sid))
        {
            self.counts.webhooks_accepted += told.accepted;
            self.counts.webhooks_lost += told.lost;
        }
        if meeting.is_buried {
            self.counts.buried += 1;
            return;
        }
        if let Some(at) = &meeting.wake_at {
            self.complain(id, format!("it still owes something (wakes at {at})"));
        }
        self.card(meeting, sessions, notes);
        let made = sessions
            .iter()
            .filter_map(|session| notes.made.get(&session.sid));
        for artifact in made.flatten() {
            self.counts.artifacts += 1;
            if !meeting.posts.contains_key(&format!("artifact:{artifact}")) {
                self.complain(
                    id,
                    format!("recording or summary {artifact} was never posted"),
                );
            }
        }
    }

    fn card(&mut self, meeting: &Meeting, sessions: &[&Session], notes: &Notes) {
        let id = meeting.id.as_str();
        let Some((message, text)) = &meeting.card else {
            return self.complain(id, format!("no card in {}", meeting.channel));
        };
        self.counts.cards += 1;
        let (words, states): (&[&str], &[&str]) = if sessions.is_empty() {
            (
                &["was cancelled", "could not be started"],
                &["cancelled", "failed"],
            )
        } else {
            (&[" ended"], &["ended", "missed"])
        };
        if !states.contains(&meeting.state.as_str()) {
            self.complain(
                id,
                format!("it is {} and should be one of {states:?}", meeting.state),
            );
        }
        if !words.iter().any(|words| message.contains(words)) {
            self.complain(
                id,
                format!("its card says {message:?} and should say one of {words:?}"),
            );
        }
        let told = sessions
            .iter()
            .filter_map(|session| notes.told.get(&session.sid));
        for name in told.flat_map(|told| &told.people) {
            if !text.contains(name) {
                self.complain(
                    id,
                    format!("its card does not name {name:?}, whose coming was accepted"),
                );
            }
        }
    }

    fn complain(&mut self, id: &str, what: String) {
        self.wrong.complain(id, what);
    }
}

/// In which meetings each event is.
fn holders(seen: &Seen) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut holders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for meeting in seen.meetings.values() {
        let requests = meeting.requests.iter().map(|(id, _)| id);
        for event in requests.chain(&meeting.history) {
            holders.entry(event).or_default().insert(&meeting.id);
        }
    }
    holders
}
