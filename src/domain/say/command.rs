//! Answers to slash commands: seen by the caller alone.

use std::fmt::Display;

use crate::domain::card::NAME_CHARS_MAX;
use crate::domain::text::neutralise_line;
use crate::domain::{PlaceKind, Showing, State, WayOutKind};

use super::bold;

/// Most meetings that one answer lists.
const LISTED_MAX: usize = 20;
/// Most unknown options that one answer names, and their length.
const IGNORED_MAX: usize = 5;
const WORD_CHARS_MAX: usize = 32;

/// A start that was accepted.
#[derive(Debug, Clone, Copy)]
pub struct Started<'a> {
    /// What it will be called, if no meeting runs here already.
    pub title: &'a str,
    /// What the others will see.
    pub showing: Showing<'a>,
    /// The person's own link.
    pub own_link: &'a str,
    /// The link for everybody, to be passed on where no card can be posted.
    pub open_link: &'a str,
    /// Options that the relay does not know.
    pub ignored: &'a [&'a str],
}

/// One line of `list`.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// Its title.
    pub title: &'a str,
    /// How it is.
    pub state: State,
    /// Who asked for it (username).
    pub starter: &'a str,
    /// The caller's own link.
    pub link: &'a str,
}

/// `start`, at once: the room is not there yet. Should a meeting run here already, the link leads to that one.
pub fn started(started: &Started<'_>) -> String {
    let Started {
        title,
        own_link,
        open_link,
        ..
    } = started;
    let title = bold(title);
    let follows = match started.showing {
        Showing::Card => "; the card follows in a moment.".to_owned(),
        Showing::Notices => "; a notice for everybody follows in a moment.".to_owned(),
        Showing::ThroughHook(_) => "; the link for everybody here follows in a moment.".to_owned(),
        Showing::LinkOnly => {
            format!(". Nothing can be posted here: send this link to the others: {open_link}")
        }
    };
    let mut answer =
        format!("Starting {title}. Your own link: **[Join the meeting]({own_link})**{follows}");
    if !started.ignored.is_empty() {
        answer.push_str("\nIgnored, because I do not know it: ");
        answer.push_str(&code_words(started.ignored));
    }
    answer
}

/// A second start: the meeting that runs, for this person.
pub fn running_offer(title: &str, own_link: &str, reference: impl Display) -> String {
    format!(
        "{} is running here already: **[Join the meeting]({own_link})**. Use `start --new` to start another one. \
         ref {reference}",
        bold(title)
    )
}

/// More starts in a minute than one person has in one channel.
pub fn rate_limited(reference: impl Display) -> String {
    format!(
        "You have asked for several meetings here within a minute, so this one was not started. Please wait a minute. \
         ref {reference}"
    )
}

/// `end`, too often.
pub fn ends_limited(reference: impl Display) -> String {
    format!(
        "You have asked several times within a minute to end the meeting here, so this was not asked again. Please \
         wait a minute. ref {reference}"
    )
}

/// `end`, at once: whether a meeting runs here and the person may end it is being found out. In a direct message the
/// end may be told nowhere else.
pub fn end_asked(kind: PlaceKind, way_out: WayOutKind) -> String {
    let told = match (kind, way_out) {
        (PlaceKind::Channel, WayOutKind::Posts) => "The card shows",
        (PlaceKind::Channel, WayOutKind::Notices) => "A notice tells",
        (PlaceKind::Direct, _) => "Its link shows",
    };
    format!("Ending the meeting that runs here. {told} when it is over.")
}

/// The person may not end it.
pub fn end_refused(title: &str, way_out: WayOutKind, reference: impl Display) -> String {
    let who = match way_out {
        WayOutKind::Posts => {
            "only the person who started it and the administrators of this channel or system can"
        }
        WayOutKind::Notices => {
            "only the person who started it can, because I cannot see here who is an administrator"
        }
    };
    format!("You cannot end {}: {who}. ref {reference}", bold(title))
}

/// The end was tried in vain, and is tried no more.
pub fn end_failed(title: &str, reference: impl Display) -> String {
    format!(
        "{} could not be ended and still runs. Try `end` again; if it fails again, end it in the meeting itself, or \
         tell an administrator. ref {reference}",
        bold(title)
    )
}

/// No meeting runs here.
pub fn nothing_to_end(reference: impl Display) -> String {
    format!("No meeting is running here, so there is nothing to end. ref {reference}")
}

/// `list`: what runs here, newest first; at most 20 lines.
pub fn listed(meetings: &[Listed<'_>]) -> String {
    if meetings.is_empty() {
        return "No meeting is running here. Start one with `start`.".to_owned();
    }
    let mut lines = vec!["Running here:".to_owned()];
    lines.extend(meetings.iter().take(LISTED_MAX).map(|meeting| {
        let starter = neutralise_line(meeting.starter, NAME_CHARS_MAX);
        let state = match meeting.state {
            State::Creating => "being prepared",
            State::Open => "open, nobody in it yet",
            State::Live => "live",
            over => over.as_str(),
        };
        format!(
            "- {}, {state}, started by {starter}: [Join]({})",
            bold(meeting.title),
            meeting.link
        )
    }));
    let more = meetings.len().saturating_sub(LISTED_MAX);
    if more > 0 {
        lines.push(format!("- and {more} more"));
    }
    lines.join("\n")
}

/// Something that must be looked up cannot be now.
pub fn unavailable(reference: impl Display) -> String {
    format!("I cannot look this up right now. Please try again in a minute. ref {reference}")
}

/// `help`; `command` as it was typed, such as `/plugnmeet`.
pub fn help(command: &str) -> String {
    let command = command_word(command);
    format!(
        "Meetings in this channel:\n\
         - `{command} start` or just `{command}`: start a meeting and get your own link\n\
         - `{command} start Weekly sync`: the same, with a title\n\
         - `{command} start --new`: start another one although one is running\n\
         - `{command} list`: what is running here\n\
         - `{command} end`: end the meeting that runs here (its starter and administrators)\n\
         - `{command} help`: this text\n\n\
         Writing `meet now` or `meet: Weekly sync` in a channel starts a meeting as well, where it is set up."
    )
}

/// A subcommand that there is not, followed by the help.
pub fn unknown_subcommand(word: &str, command: &str) -> String {
    format!("I do not know {}.\n{}", code_words(&[word]), help(command))
}

/// Words of a person in code, harmless and short.
fn code_words(words: &[&str]) -> String {
    let shown: Vec<String> = words
        .iter()
        .take(IGNORED_MAX)
        .map(|word| neutralise_line(word, WORD_CHARS_MAX))
        // No block begins within code.
        .map(|word| format!("`{}`", word.trim_start_matches('\u{200B}')))
        .collect();
    let more = words.len().saturating_sub(IGNORED_MAX);
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn command_word(command: &str) -> String {
    let word: String = command
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .take(WORD_CHARS_MAX)
        .collect();
    format!("/{word}")
}
