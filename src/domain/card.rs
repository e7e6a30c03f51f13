//! The card: how a meeting looks in its channel. Pure; every text that people wrote is neutralised here once
//! more, names for the first time.
//!
//! The message stays short, so that Mattermost's edit mark stands behind it and notifications read well; the
//! attachment says the rest.

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

/// What a card needs besides the meeting's facts.
#[derive(Debug, Clone)]
pub(crate) struct CardFrame {
    /// The absolute address of the meeting's page: waits, joins, and is the recap afterwards. Empty: no link.
    pub join_link: String,
    /// How Mattermost shows the starter's name; `None`: the username.
    pub starter_name: Option<String>,
    /// In which zone times are shown.
    pub time_zone: TimeZone,
    /// How late the card came and why, when that is worth a word.
    pub late: Option<Late>,
}

/// A card or notice that came late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Late {
    /// How long after it was asked for.
    pub by: Duration,
    /// Why.
    pub why: WhyLate,
}

/// Why a card came late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhyLate {
    /// No webhook told of the post in time; the relay found it later.
    FoundLate,
    /// The bot was not in the channel.
    BotOutside,
    /// It was tried in time, and Mattermost did not take it.
    NotTaken,
    /// Nothing of this is known.
    Unknown,
}

/// The card of a meeting.
pub(crate) fn render(view: &CardView, frame: &CardFrame) -> Rendered {
    let title = title(view);
    let starter = starter(view, frame);
    let times = Times::new(view, frame);
    Rendered {
        message: message(view, &title, &starter),
        attachment: Some(Attachment {
            fallback: fallback(view, &title, &starter, &times),
            color: color(view.state),
            title_link: or_nothing(&frame.join_link),
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

/// A whole sentence without Markdown.
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

/// A meeting's title as it may be shown.
pub(super) fn plain(title: &str) -> String {
    or(
        neutralise_line(title, super::rule::TITLE_CHARS_MAX),
        "Meeting",
    )
}

pub(crate) fn starter(view: &CardView, frame: &CardFrame) -> String {
    let shown = frame.starter_name.as_deref().unwrap_or_default();
    or(
        neutralise_line(shown, NAME_CHARS_MAX),
        &or(neutralise_line(&view.starter, NAME_CHARS_MAX), "Somebody"),
    )
}

fn or_nothing(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn or(text: String, instead: &str) -> String {
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
