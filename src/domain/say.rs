//! Every text that the relay posts, except the card. Pure. Titles and names are neutralised here again. A text that
//! reports a failure ends with `ref <id>`, so that an operator can look it up.

mod command;
mod notice;
mod outside;
#[cfg(test)]
mod tests;
mod thread;

pub(crate) use command::{
    EndAsked, Listed, Started, choose_to_end, end_asked, end_failed, end_refused, ended_already,
    ends_limited, help, ignored, listed, no_room_for_end, nothing_to_end, rate_limited, running,
    running_offer, started, started_instead, started_or_running, unavailable, unknown_subcommand,
};
pub(crate) use notice::{recording_notice, running_notice, summary_notice};
pub(crate) use outside::{CannotPost, Spot, cannot_post};
pub(crate) use thread::{final_reply, mentioning, recording_reply, running_line, summary_reply};

use std::fmt::Display;

use super::rule::TITLE_CHARS_MAX;
use super::text::neutralise_line;

/// Answers a command or an outgoing webhook whose event could not be made durable: nothing was accepted.
pub(crate) fn not_stored(reference: impl Display) -> String {
    format!(
        "Your request could not be stored, so nothing was started or changed. Please try again in a minute. ref {reference}"
    )
}

/// Answers the same for a post that the relay reads again by itself as soon as the queue is available.
pub(crate) fn not_stored_yet(reference: impl Display) -> String {
    format!(
        "Your request could not be stored yet, so nothing was started. I look for it again by myself; if no card \
         follows within some minutes, please try again. ref {reference}"
    )
}

/// The author's name of answers to commands, if the server lets integrations choose one
/// (EnablePostUsernameOverride).
pub(crate) const ANSWER_NAME: &str = "meetrelay";

/// A title, neutralised and bold, for use in a sentence.
fn bold(title: &str) -> String {
    let title = neutralise_line(title, TITLE_CHARS_MAX);
    if title.is_empty() {
        "**Meeting**".to_owned()
    } else {
        format!("**{title}**")
    }
}

/// A user name for use behind an `@` or in code: only the characters that Mattermost allows in user names.
fn name(user_name: &str) -> String {
    user_name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        .take(64)
        .collect()
}
