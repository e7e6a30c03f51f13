//! What stands in the channel beside the card: replies in its thread and one line about a second start.

use crate::domain::Rendered;
use crate::domain::card::{self, CardFrame, message};
use crate::domain::meeting::CardView;
use crate::domain::text::cut;

use super::bold;

/// Longest message of Mattermost, in characters (mattermost.md 3.2).
pub(super) const MESSAGE_CHARS_MAX: usize = 16_383;

/// A second start by a post: the running meeting, in one line for everybody.
pub fn running_line(title: &str, open_link: &str) -> String {
    format!(
        "{} is running here already: **[Join the meeting]({open_link})**",
        bold(title)
    )
}

/// The final state of a card that can no longer be changed, as a reply.
pub fn final_reply(view: &CardView, frame: &CardFrame) -> Rendered {
    let mut reply = card::render(view, frame);
    let head = message(view, &card::title(view), &card::starter(view, frame));
    reply.message = format!("{head} (the card above can no longer be changed)");
    reply
}

/// A recording is ready; `link` is the relay's own.
pub fn recording_reply(title: &str, link: &str) -> Rendered {
    reply(format!(
        "The recording of {} is ready: [Watch or download]({link})",
        bold(title)
    ))
}

/// A summary; `text` is harmless Markdown (`text::neutralise_markdown`) and is cut to what a post holds.
pub fn summary_reply(title: &str, text: &str) -> Rendered {
    let head = format!("#### Summary of {}\n\n", bold(title));
    let left = MESSAGE_CHARS_MAX - head.chars().count();
    reply(head + &cut(text.trim(), left))
}

fn reply(message: String) -> Rendered {
    Rendered {
        message,
        attachment: None,
    }
}
