//! Answers to slash commands, which only the caller sees.

use std::fmt::Display;

use crate::domain::card::NAME_CHARS_MAX;
use crate::domain::choice::{Candidate, LISTED_MAX};
use crate::domain::text::neutralise_line;
use crate::domain::{ConversationKind, DeliveryMethod, Presentation, State};

use super::bold;

/// Most unknown options that one answer names.
const IGNORED_MAX: usize = 5;
/// Longest word of a person that an answer repeats, in characters.
const WORD_CHARS_MAX: usize = 32;

/// A start that was accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started<'a> {
    /// The title of the new meeting, which is made if none runs here already.
    pub title: &'a str,
    /// How the meeting is shown to the others in the conversation.
    pub presentation: Presentation<'a>,
    /// The caller's own link.
    pub own_link: &'a str,
    /// The link for everybody. The caller passes it on where nothing can be posted.
    pub open_link: &'a str,
    /// Options that the relay does not know.
    pub ignored: &'a [&'a str],
}

/// One line of `list`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed<'a> {
    /// The number that `end` takes instead of the title; 0: none.
    pub number: u32,
    /// The meeting's title.
    pub title: &'a str,
    /// Whether its card is in a thread while the list is for the channel.
    pub is_in_thread: bool,
    /// The meeting's state.
    pub state: State,
    /// The user name of the person who asked for it.
    pub starter: &'a str,
    /// The caller's own link.
    pub link: &'a str,
}

/// Answers `start` immediately, where no meeting runs that would be offered. The room does not exist yet.
pub(crate) fn started(started: &Started<'_>) -> String {
    let Started {
        title,
        own_link,
        open_link,
        ..
    } = started;
    let title = bold(title);
    let follows = match started.presentation {
        Presentation::Card => "; the card follows in a moment.".to_owned(),
        Presentation::Notices => "; a notice for everybody follows in a moment.".to_owned(),
        Presentation::ThroughHook(_) => {
            "; the link for everybody here follows in a moment.".to_owned()
        }
        Presentation::LinkOnly => {
            format!(". Nothing can be posted here: send this link to the others: {open_link}")
        }
    };
    let answer =
        format!("Starting {title}. Your own link: **[Join the meeting]({own_link})**{follows}");
    answer + &ignored(started.ignored)
}

/// Answers `start` immediately, while it is unknown whether a meeting runs here. The text is true in both cases.
pub(crate) fn started_or_running(started: &Started<'_>) -> String {
    let Started {
        title,
        own_link,
        open_link,
        ..
    } = started;
    let mut answer = format!(
        "Your own link: **[Join the meeting]({own_link})**. It leads to the meeting that runs here, or else to a new \
         one, {}.",
        bold(title)
    );
    if matches!(started.presentation, Presentation::LinkOnly) {
        answer.push_str(" Nothing can be posted here: send this link to the others: ");
        answer.push_str(open_link);
    }
    answer + &ignored(started.ignored)
}

/// Answers a second `start` immediately, with this person's link to the meeting that runs.
pub(crate) fn running(title: &str, own_link: &str, ignored_words: &[&str]) -> String {
    let answer = format!(
        "{} is running here already: **[Join the meeting]({own_link})**. Use `start --new` to start another one.",
        bold(title)
    );
    answer + &ignored(ignored_words)
}

/// Answers the same later, when it was unknown at first that a meeting runs.
pub(crate) fn running_offer(title: &str, own_link: &str, reference: impl Display) -> String {
    format!(
        "{} is running here already, so your link leads there: **[Join the meeting]({own_link})**. Use `start --new` \
         to start another one. ref {reference}",
        bold(title)
    )
}

/// Follows [`running`] when the meeting that it offered had ended by then: a new one starts.
pub(crate) fn started_instead(title: &str, own_link: &str, reference: impl Display) -> String {
    format!(
        "The meeting that ran here has ended, so I start a new one: {}. Your own link to it: \
         **[Join the meeting]({own_link})**. ref {reference}",
        bold(title)
    )
}

/// A line that lists the words without a meaning here; empty if there are none.
pub(crate) fn ignored(words: &[&str]) -> String {
    if words.is_empty() {
        return String::new();
    }
    format!("\nIgnored unknown words: {}", code_words(words))
}

/// Answers a `start` beyond the rate limit per person, channel and minute.
pub(crate) fn rate_limited(reference: impl Display) -> String {
    format!(
        "You have asked for several meetings here within a minute, so this one was not started. Please wait a minute. \
         ref {reference}"
    )
}

/// Answers an `end` beyond the rate limit per person, channel and minute.
pub(crate) fn ends_limited(reference: impl Display) -> String {
    format!(
        "You have asked several times within a minute to end the meeting here, so this was not asked again. Please \
         wait a minute. ref {reference}"
    )
}

/// What is known when the answer to `end` is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndAsked<'a> {
    /// The title of the meeting that is meant, and whether the person started it; `None`: not known yet.
    pub meeting: Option<(&'a str, bool)>,
    /// Whether the person can be answered again later.
    pub can_hear: bool,
    /// The kind of the conversation. In a direct message nothing else may show that the meeting is over.
    pub kind: ConversationKind,
    /// What the delivery method can do.
    pub delivery_method: DeliveryMethod,
}

/// Answers `end` immediately. It promises a later answer only where one can be sent.
pub(crate) fn end_asked(asked: &EndAsked<'_>) -> String {
    let over = match (asked.kind, asked.delivery_method) {
        (ConversationKind::Channel, DeliveryMethod::Posts) => "The card shows when it is over.",
        (ConversationKind::Channel, DeliveryMethod::Notices) => "A notice tells when it is over.",
        (ConversationKind::Direct, _) => "Its link shows when it is over.",
    };
    match (asked.meeting, asked.can_hear) {
        (Some((title, true)), _) => format!("Ending {}. {over}", bold(title)),
        (Some((title, false)), true) => format!(
            "You did not start {}, so I ask whether you may end it, and tell you if you may not. {over}",
            bold(title)
        ),
        (Some((title, false)), false) => format!(
            "You did not start {}: {}. {over}",
            bold(title),
            match asked.delivery_method {
                DeliveryMethod::Posts =>
                    "it ends if you are an administrator of this channel or system",
                DeliveryMethod::Notices => STARTER_ONLY,
            }
        ),
        (None, true) => {
            "I look for the meeting that is to end here, and tell you in a moment which one it is."
                .to_owned()
        }
        (None, false) => {
            format!("If a meeting runs here that you may end, it is ended now. {over}")
        }
    }
}

/// The rule for delivery methods that cannot read who is an administrator.
const STARTER_ONLY: &str =
    "only the person who started it can end it, because I cannot see here who is an administrator";

/// Answers `end` with the meetings to choose from: `words` match no single meeting, or (without words) none runs in the
/// thread.
pub(crate) fn choose_to_end(words: &str, running: &[Candidate], reference: impl Display) -> String {
    let mut lines = vec![if words.is_empty() {
        "No meeting is running in this thread. Running in its channel:".to_owned()
    } else {
        format!(
            "I cannot tell which meeting you mean by {}. Running here:",
            code_words(&[words])
        )
    }];
    lines.extend(running.iter().take(LISTED_MAX).map(|meeting| {
        let starter = neutralise_line(&meeting.starter, NAME_CHARS_MAX);
        let number = numbered(meeting.number);
        format!("- {number}{}, started by {starter}", bold(&meeting.title))
    }));
    lines.push(format!(
        "Write `end` with the number or the title of one of them. ref {reference}"
    ));
    lines.join("\n")
}

fn numbered(number: u32) -> String {
    match number {
        0 => String::new(),
        number => format!("`{number}` "),
    }
}

/// Answers an `end` that the person is not allowed to do.
pub(crate) fn end_refused(
    title: &str,
    delivery_method: DeliveryMethod,
    reference: impl Display,
) -> String {
    let who = match delivery_method {
        DeliveryMethod::Posts => {
            "only the person who started it and the administrators of this channel or system can"
        }
        DeliveryMethod::Notices => STARTER_ONLY,
    };
    format!("You cannot end {}: {who}. ref {reference}", bold(title))
}

/// Answers an `end` whose meeting was over before it was known whether the person may end it.
pub(crate) fn ended_already(title: &str, reference: impl Display) -> String {
    format!("{} has ended already. ref {reference}", bold(title))
}

/// Answers an `end` that failed and is not tried again.
pub(crate) fn end_failed(title: &str, reference: impl Display) -> String {
    format!(
        "{} could not be ended and still runs. Try `end` again; if it fails again, end it in the meeting itself, or \
         tell an administrator. ref {reference}",
        bold(title)
    )
}

/// Answers an `end` of a meeting that has reached its maximum of stored requests.
pub(crate) fn no_room_for_end(reference: impl Display) -> String {
    format!(
        "Too many people have asked to end this meeting, so your request was not taken. End it in the meeting itself, \
         or ask whoever runs meetrelay to end it. ref {reference}"
    )
}

/// Answers an `end` where no meeting runs.
pub(crate) fn nothing_to_end(reference: impl Display) -> String {
    format!("No meeting is running here, so there is nothing to end. ref {reference}")
}

/// Answers `list`: the meetings that run here, newest first; at most 20 lines.
pub(crate) fn listed(meetings: &[Listed<'_>]) -> String {
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
            ended => ended.as_str(),
        };
        let thread = if meeting.is_in_thread {
            " in a thread"
        } else {
            ""
        };
        format!(
            "- {}{}{thread}, {state}, started by {starter}: [Join]({})",
            numbered(meeting.number),
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

/// Answers a command whose answer needs the store, while the store is unavailable.
pub(crate) fn unavailable(reference: impl Display) -> String {
    format!("I cannot look this up right now. Please try again in a minute. ref {reference}")
}

/// Answers `help`; `command` is as it was typed, such as `/plugnmeet`.
pub(crate) fn help(command: &str) -> String {
    let command = command_word(command);
    format!(
        "Meetings in this channel:\n\
         - `{command} start` or just `{command}`: start a meeting and get your own link\n\
         - `{command} start Weekly sync`: the same, with a title\n\
         - `{command} start --new`: start another one although one is running\n\
         - `{command} list`: what is running here\n\
         - `{command} end`: end the meeting that runs here (its starter and administrators)\n\
         - `{command} end Weekly sync` or `{command} end 2`: the same by title, or by number as `list` shows it\n\
         - `{command} help`: this text\n\n\
         Writing `meet now` or `meet: Weekly sync` in a channel starts a meeting as well, where it is set up."
    )
}

/// Answers an unknown subcommand, followed by the help.
pub(crate) fn unknown_subcommand(word: &str, command: &str) -> String {
    format!("I do not know {}.\n{}", code_words(&[word]), help(command))
}

/// Words of a person as inline code, neutralised and cut.
fn code_words(words: &[&str]) -> String {
    let shown: Vec<String> = words
        .iter()
        .take(IGNORED_MAX)
        .map(|word| neutralise_line(word, WORD_CHARS_MAX))
        // No block begins within inline code, so the break at the beginning is not needed.
        .map(|word| match word.trim_start_matches('\u{200B}') {
            // Inline code must not be empty: its two backticks would open a longer code span.
            "" => "`…`".to_owned(),
            word => format!("`{word}`"),
        })
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
