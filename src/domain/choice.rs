//! Chooses the running meeting that a person means. Phrases and commands, the immediate answer and apply use the same
//! rule: a meeting belongs to the conversation of its card, and a channel includes its threads.

use serde::{Deserialize, Serialize};

use super::rule::TITLE_CHARS_MAX;
use super::text::clean_title;
use super::{Conversation, Meeting, PostId, State, Timestamp, UserId};

/// Most running meetings of one channel that are considered; the newest ones.
pub const CANDIDATES_MAX: usize = 50;
/// Most meetings that an answer lists.
pub const LISTED_MAX: usize = 20;
/// Longest title or number that is compared, in characters; the rest is cut off.
pub const WORDS_CHARS_MAX: usize = TITLE_CHARS_MAX;

/// A meeting as one line of a list to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The number that `end` takes instead of the title; 0: it has none.
    pub number: u32,
    /// Its title.
    pub title: String,
    /// The user name of the person who asked for it.
    pub starter: String,
}

/// The meeting that `end` means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndChoice<'m> {
    /// This meeting. Whether the person may end it is checked elsewhere.
    One(&'m Meeting),
    /// No meeting runs in the channel.
    Nothing,
    /// More than one is possible; the person must choose one of these.
    Unclear(Vec<Candidate>),
}

/// The channel's running meetings that concern people at `place`, newest first: in a thread those of the thread, else
/// all of them.
pub fn seen_from<'m>(running: &[&'m Meeting], place: &Conversation) -> Vec<&'m Meeting> {
    let thread = place.thread.as_ref();
    let is_here = |meeting: &Meeting| thread.is_none() || meeting.stands_in(thread);
    let mut seen = running.to_vec();
    seen.retain(|meeting| meeting.state().is_running() && is_here(meeting));
    newest_first(seen)
}

/// The running meeting that is offered to a person who starts one at `place`: the newest one of exactly this channel or
/// thread. Not offered are meetings that are being ended, that passed their start deadline without a room, or that
/// cannot store more requests.
pub fn offered<'m>(
    running: &[&'m Meeting],
    place: &Conversation,
    received_at: Timestamp,
) -> Option<&'m Meeting> {
    let thread: Option<&PostId> = place.thread.as_ref();
    let mut here = seen_from(running, place);
    here.retain(|meeting| meeting.stands_in(thread) && can_be_offered(meeting, received_at));
    here.first().copied()
}

fn can_be_offered(meeting: &Meeting, received_at: Timestamp) -> bool {
    let is_too_late = meeting.state() == State::Creating
        && received_at.since(meeting.requested_at) > meeting.rule.start_deadline;
    !meeting.is_ending() && !is_too_late && meeting.has_room_for_starts()
}

/// The meeting that `by` means with `end <words>` at `place`. Without words it is the newest that they started, else
/// the newest of all: only the chat server knows whether they may end meetings of others. Words choose by title or
/// number; in a thread, the meetings of the thread are tried first.
pub fn to_end<'m>(
    running: &[&'m Meeting],
    place: &Conversation,
    by: &UserId,
    words: &str,
) -> EndChoice<'m> {
    let here = seen_from(running, place);
    let mut all = running.to_vec();
    all.retain(|meeting| meeting.state().is_running());
    let all = newest_first(all);
    if all.is_empty() {
        return EndChoice::Nothing;
    }
    let words = fold(words);
    if words.is_empty() {
        let is_own = |meeting: &&&Meeting| meeting.starter().is_some_and(|who| who.user_id == *by);
        let chosen = here.iter().find(is_own).or_else(|| here.first());
        return chosen.map_or_else(|| unclear(&all), |meeting| EndChoice::One(meeting));
    }
    let matching = [&here, &all]
        .into_iter()
        .map(|among| matching_words(among, &words))
        .find(|matching| !matching.is_empty());
    match matching.as_deref() {
        Some([one]) => EndChoice::One(one),
        Some(several) => unclear(several),
        None => unclear(&all),
    }
}

/// The meetings that `words` can mean: by the whole title, else by number, else by the beginning of the title, else by
/// the beginning of one of its words. A number is never compared with a part of a title: the number of a meeting that
/// has ended must not end another meeting.
fn matching_words<'m>(among: &[&'m Meeting], words: &str) -> Vec<&'m Meeting> {
    let number = words.trim_start_matches('#').parse::<u32>();
    let is_text = number.is_err();
    let is_number = |meeting: &Meeting| meeting.number > 0 && number == Ok(meeting.number);
    let matchers: [&dyn Fn(&Meeting) -> bool; 4] = [
        &|meeting| fold(&meeting.rule.title) == words,
        &is_number,
        &|meeting| is_text && fold(&meeting.rule.title).starts_with(words),
        &|meeting| is_text && fold(&meeting.rule.title).contains(&format!(" {words}")),
    ];
    let matching = |is_meant: &dyn Fn(&Meeting) -> bool| {
        let mut meant = among.to_vec();
        meant.retain(|meeting| is_meant(meeting));
        meant
    };
    let mut results = matchers.into_iter().map(matching);
    results.find(|meant| !meant.is_empty()).unwrap_or_default()
}

/// The number of the next meeting in a channel where the meetings `running` run. A number is not used again while a
/// meeting with a higher one runs, so that `end 1` typed twice ends only one meeting.
pub fn next_number(running: &[&Meeting]) -> u32 {
    let highest = running.iter().map(|meeting| meeting.number).max();
    highest.unwrap_or(0).saturating_add(1)
}

/// The lines of a list to choose from, newest first.
pub fn candidates(meetings: &[&Meeting]) -> Vec<Candidate> {
    let line = |meeting: &&Meeting| Candidate {
        number: meeting.number,
        title: meeting.rule.title.clone(),
        starter: meeting
            .starter()
            .map(|who| who.user_name.clone())
            .unwrap_or_default(),
    };
    meetings.iter().take(LISTED_MAX).map(line).collect()
}

fn unclear<'m>(meetings: &[&Meeting]) -> EndChoice<'m> {
    EndChoice::Unclear(candidates(meetings))
}

fn newest_first(mut meetings: Vec<&Meeting>) -> Vec<&Meeting> {
    meetings.sort_by_key(|meeting| std::cmp::Reverse((meeting.requested_at, meeting.id)));
    meetings
}

/// A title as it is compared: without surrounding quotes or asterisks and in lower case, so that copied, quoted and
/// differently written titles are equal.
fn fold(text: &str) -> String {
    let title = clean_title(text, WORDS_CHARS_MAX);
    let is_quote =
        |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '“' | '”' | '„' | '«' | '»' | '∗');
    title.trim_matches(is_quote).to_lowercase()
}

#[cfg(test)]
mod tests;
