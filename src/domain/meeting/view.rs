//! What a card shows of a meeting. It follows from the facts alone, so that equal facts give equal cards.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::{ArtifactKind, Refusal, RoomId, Timestamp};

use super::{End, Meeting, State};

/// The largest difference between plugNmeet's clock and ours. A clock that differs by more was never set.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Most names that a card lists.
pub(super) const NAMES_MAX: usize = 20;

/// What the card shows. The card's version increases when this changes, and only then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardView {
    /// The state of the meeting.
    pub state: State,
    /// Its title, neutralised.
    pub title: String,
    /// The username of the person who started it.
    pub starter: String,
    /// When it was asked for, on our clock.
    pub requested_at: Timestamp,
    /// When its room was created, on plugNmeet's clock, or on ours if plugNmeet's times contradict each other.
    pub started_at: Option<Timestamp>,
    /// When it ended and how long it lasted, once it is over.
    pub ended: Option<Ended>,
    /// Everybody who took part, in the order of their first appearance, at most 20. A person without a name is "Guest".
    pub names: Vec<String>,
    /// How many took part.
    pub people: usize,
    /// How many are in it now. 0 once it is over.
    pub present: usize,
    /// It is being recorded now.
    pub is_recording: bool,
    /// Recordings that are ready.
    pub recordings: usize,
    /// Summaries whose text was read.
    pub summaries: usize,
    /// Whether its end is requested and it still runs.
    pub is_ending: bool,
    /// Why there is no room.
    pub refused: Option<Refusal>,
    /// Its room, for an administrator.
    pub room: RoomId,
}

/// An end as a card shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The time, on the same clock as the beginning and never before it.
    pub at: Timestamp,
    /// Only a poll found the end, which was earlier.
    pub is_about: bool,
    /// How long it lasted, if that is known.
    pub lasted: Option<Duration>,
}

impl CardView {
    /// Whether it is certain that nobody joined. If no webhook reported the end, or there is a recording, the webhooks
    /// about people were lost as well.
    pub fn nobody_came(&self) -> bool {
        let is_told = self.ended.is_some_and(|ended| !ended.is_about);
        self.state == State::Missed && is_told && self.recordings == 0 && self.summaries == 0
    }

    pub(super) fn of(meeting: &Meeting) -> Self {
        let state = meeting.state();
        let people = people(meeting);
        let is_over = !state.is_running();
        let (started_at, ended) = times(meeting);
        Self {
            state,
            title: meeting.rule.title.clone(),
            starter: meeting
                .starter()
                .map(|by| by.user_name.clone())
                .unwrap_or_default(),
            requested_at: meeting.requested_at,
            started_at,
            ended,
            people: people.len(),
            present: if is_over {
                0
            } else {
                people.iter().filter(|(_, present)| *present).count()
            },
            names: people
                .into_iter()
                .map(|(name, _)| name)
                .take(NAMES_MAX)
                .collect(),
            is_recording: !is_over && meeting.recordings.values().any(|r| r.on && !r.off),
            recordings: count(meeting, ArtifactKind::Recording),
            summaries: meeting
                .artifacts
                .values()
                .filter(|artifact| artifact.summary().is_some())
                .count(),
            is_ending: !is_over && meeting.is_ending(),
            refused: meeting.refusal(),
            room: meeting.room.clone(),
        }
    }
}

/// The names of everybody who took part, in the order of their first appearance. A person without a name is "Guest".
pub(super) fn attendees(meeting: &Meeting) -> Vec<String> {
    people(meeting).into_iter().map(|(name, _)| name).collect()
}

/// When it began and ended, both on the same clock, so that they fit together. plugNmeet's times are used if they are
/// possible, because they are exact. Otherwise ours are used, which are the times at which the relay learned of it.
fn times(meeting: &Meeting) -> (Option<Timestamp>, Option<Ended>) {
    // The creation of the first session counts: a session that plugNmeet lost does not restart the meeting.
    let sessions = meeting.sessions.iter();
    let theirs = sessions
        .clone()
        .filter_map(super::Session::created_at)
        .min();
    let heard = sessions.map(|session| session.known_at).min();
    let ours = heard.filter(|_| theirs.is_some());
    let is_possible = |at: Timestamp, heard: Option<Timestamp>| {
        heard.is_none_or(|heard| at.since(heard).max(heard.since(at)) <= CLOCKS_APART_MAX)
    };
    let began = if theirs.is_none_or(|at| is_possible(at, heard)) {
        theirs
    } else {
        ours
    };
    let newest = meeting.newest_session();
    let Some((newest, end)) = newest.and_then(|session| Some((session, session.end()?))) else {
        return (began, None);
    };
    let of_our_clock = |at: Timestamp, is_about| {
        let at = at.max(heard.unwrap_or(at));
        let lasted = heard.map(|heard| at.since(heard));
        (
            ours,
            Some(Ended {
                at,
                is_about,
                lasted,
            }),
        )
    };
    let at = match end {
        End::Seen(at) => return of_our_clock(at, true),
        End::Told(at) => at,
    };
    let fits = at >= theirs.unwrap_or(meeting.requested_at) && is_possible(at, newest.end_heard_at);
    if began != theirs || !fits {
        // Sessions that earlier versions stored do not have this time.
        let heard_at = newest.end_heard_at.or(meeting.end_known_at);
        // Without a beginning it is unknown whether only the clocks differ.
        return of_our_clock(heard_at.unwrap_or(meeting.changed_at), theirs.is_none());
    }
    let ended = Ended {
        at,
        is_about: false,
        lasted: theirs.map(|began| at.since(began)),
    };
    (theirs, Some(ended))
}

/// One entry for each person (by identity), in the order of their first appearance, with whether they are present.
fn people(meeting: &Meeting) -> Vec<(String, bool)> {
    let newest = meeting.newest_session().map(|session| &session.sid);
    let mut by_identity: BTreeMap<&str, (Option<Timestamp>, String, bool)> = BTreeMap::new();
    for presence in meeting
        .people
        .values()
        .filter(|presence| presence.took_part())
    {
        let seen_at = match (presence.joined_at, presence.left_at) {
            (Some(joined), Some(left)) => Some(joined.min(left)),
            (joined, left) => joined.or(left),
        };
        let is_present = presence.joined_at.is_some()
            && presence.left_at.is_none()
            && newest == Some(&presence.sid);
        let entry = by_identity
            .entry(presence.identity.as_str())
            .or_insert_with(|| (seen_at, presence.name.clone(), false));
        // The first name counts. Of equal times the smaller name counts, so that the order does not matter.
        let better = entry.1.is_empty()
            || (!presence.name.is_empty() && (seen_at, &presence.name) < (entry.0, &entry.1));
        if better {
            entry.1 = presence.name.clone();
        }
        entry.0 = entry.0.min(seen_at);
        entry.2 |= is_present;
    }
    let mut people: Vec<_> = by_identity.into_iter().collect();
    people.sort_by(|a, b| (a.1.0, a.0).cmp(&(b.1.0, b.0)));
    people
        .into_iter()
        .map(|(_, (_, name, present))| {
            (
                if name.is_empty() {
                    "Guest".to_owned()
                } else {
                    name
                },
                present,
            )
        })
        .collect()
}

fn count(meeting: &Meeting, kind: ArtifactKind) -> usize {
    meeting
        .artifacts
        .values()
        .filter(|artifact| artifact.kind == kind)
        .count()
}
