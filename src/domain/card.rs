//! The card: how a meeting looks in its channel. Pure. Every text that people wrote is neutralised here again; names
//! are neutralised here for the first time.
//!
//! The message is short, so that Mattermost's "edited" mark fits behind it and notifications read well. The attachment
//! holds the rest.

mod body;
mod notice;
#[cfg(test)]
mod tests;
mod words;

use std::time::Duration;

use jiff::tz::TimeZone;

use super::meeting::CardView;
use super::text::neutralise_line;
use super::{Attachment, Rendered, State};

pub(crate) use notice::notice;
pub(crate) use words::{Times, lasting};

/// Longest name that is shown, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 40;

const GREEN: &str = "#2e7d32";
pub(super) const BLUE: &str = "#1c58d9";
pub(super) const GREY: &str = "#9e9e9e";
const RED: &str = "#c62828";

/// What a card shows besides the meeting's facts.
#[derive(Debug, Clone)]
pub(crate) struct CardFrame {
    /// The absolute address of the meeting's page, which waits for the room, joins it, and shows the recap afterwards.
    /// Empty: no link.
    pub join_link: String,
    /// The starter's name as Mattermost shows it; `None`: the user name is shown.
    pub starter_name: Option<String>,
    /// The zone in which times are shown.
    pub time_zone: TimeZone,
    /// How late the card was posted and why, if it was late enough to be mentioned.
    pub late: Option<Late>,
}

/// The delay of a card or notice that was posted late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Late {
    /// The time from the request to the post.
    pub by: Duration,
    /// Why it was late.
    pub why: WhyLate,
}

/// Why a card was posted late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhyLate {
    /// No webhook reported the post in time; the relay found it later by reading the channel.
    FoundLate,
    /// The bot was not in the channel.
    BotOutside,
    /// It was tried in time, but Mattermost did not accept it.
    NotTaken,
    /// None of these reasons is known to apply.
    Unknown,
}

/// Renders the card of a meeting.
pub(crate) fn render(view: &CardView, frame: &CardFrame) -> Rendered {
    let title = title(view);
    let starter = starter(view, frame);
    let times = Times::new(view, frame);
    Rendered {
        message: message(view, &title, &starter),
        attachment: Some(Attachment {
            fallback: fallback(view, &title, &starter, &times),
            color: color(view.state),
            title_link: non_empty(&frame.join_link),
            text: body::text(view, frame, &starter, &times),
            fields: body::fields(view),
            footer: format!("Room {}", view.room),
            title,
        }),
        ..Rendered::default()
    }
}

/// The message of a card, and of the reply that replaces one that can no longer be changed.
pub(crate) fn message(view: &CardView, title: &str, starter: &str) -> String {
    match view.state {
        State::Creating => format!("{starter} is starting **{title}**"),
        State::Open | State::Live => format!("{starter} started **{title}**"),
        State::Ended => match lasting(view) {
            Some(lasting) => format!("**{title}** ended, {lasting}"),
            None => format!("**{title}** ended"),
        },
        State::Missed if view.nobody_came() => format!("**{title}** ended, nobody came"),
        State::Missed => format!("**{title}** ended"),
        State::Cancelled => format!("**{title}** was cancelled"),
        State::Failed => format!("**{title}** could not be started"),
    }
}

/// The attachment's fallback: a whole sentence without Markdown.
fn fallback(view: &CardView, title: &str, starter: &str, times: &Times) -> String {
    match view.state {
        State::Creating => format!("{starter} is starting the meeting {title}."),
        State::Open | State::Live => match times.began() {
            Some(at) => format!("{starter} started the meeting {title} at {at}."),
            None => format!("{starter} started the meeting {title}."),
        },
        State::Ended => match lasting(view) {
            Some(lasting) => format!("The meeting {title} has ended after {lasting}."),
            None => format!("The meeting {title} has ended."),
        },
        State::Missed if view.nobody_came() => {
            format!("The meeting {title} has ended, nobody came.")
        }
        State::Missed => format!("The meeting {title} has ended."),
        State::Cancelled => format!("The meeting {title} was cancelled before it began."),
        State::Failed => format!("The meeting {title} could not be started."),
    }
}

pub(crate) fn title(view: &CardView) -> String {
    plain(&view.title)
}

/// A meeting's title, neutralised; "Meeting" if nothing is left of it.
pub(super) fn plain(title: &str) -> String {
    non_empty_or(
        neutralise_line(title, super::rule::TITLE_CHARS_MAX),
        "Meeting",
    )
}

pub(crate) fn starter(view: &CardView, frame: &CardFrame) -> String {
    let shown = frame.starter_name.as_deref().unwrap_or_default();
    non_empty_or(
        neutralise_line(shown, NAME_CHARS_MAX),
        &non_empty_or(neutralise_line(&view.starter, NAME_CHARS_MAX), "Somebody"),
    )
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn non_empty_or(text: String, instead: &str) -> String {
    if text.is_empty() {
        instead.to_owned()
    } else {
        text
    }
}

const fn color(state: State) -> &'static str {
    match state {
        State::Creating => BLUE,
        State::Open | State::Live => GREEN,
        State::Ended | State::Missed | State::Cancelled => GREY,
        State::Failed => RED,
    }
}
