//! Notices: posts that are created once and never edited. Each is complete by itself and stays true whatever happens
//! later. The attachment repeats everything, because some places show only the attachment.

use crate::domain::meeting::CardView;
use crate::domain::{Attachment, Rendered, State};

use super::{
    BLUE, CardFrame, GREY, RED, Times, body, fallback, message, non_empty, starter, title, words,
};

/// Replaces what would need an edit: who is in the meeting and which artifacts it leaves.
const DETAILS: &str = "Who is in it, and what it leaves behind, is behind the link.";

/// Renders the notice that a meeting starts, or how it ended.
pub(crate) fn notice(view: &CardView, frame: &CardFrame) -> Rendered {
    let title = title(view);
    let starter = starter(view, frame);
    let times = Times::new(view, frame);
    let mut paragraphs = match view.state {
        State::Creating => vec![
            body::byline(&times.requested(), &starter),
            "The room is still to come; the link waits for it.".to_owned(),
        ],
        State::Open | State::Live => vec![body::byline(&times.started(), &starter)],
        State::Ended | State::Missed | State::Cancelled | State::Failed => {
            body::end_and_reason(view, &starter, &times)
        }
    };
    paragraphs.extend(body::link(view, frame));
    if view.state.is_running() {
        paragraphs.push(DETAILS.to_owned());
    }
    if let Some(late) = frame.late {
        paragraphs.push(format!(
            "This notice came late: {}. The times are the real ones.",
            words::why_late(late.why)
        ));
    }
    Rendered {
        message: message(view, &title, &starter),
        attachment: Some(Attachment {
            fallback: fallback(view, &title, &starter, &times),
            color: color(view.state),
            title_link: non_empty(&frame.join_link),
            text: paragraphs.join("\n\n"),
            // Who took part is final only when the meeting is over.
            fields: if view.state == State::Ended {
                body::people_field(view)
            } else {
                Vec::new()
            },
            footer: format!("Room {}", view.room),
            title,
        }),
        ..Rendered::default()
    }
}

/// Not green as on the card: the notice stays, but the meeting will not run for ever.
const fn color(state: State) -> &'static str {
    match state {
        State::Creating | State::Open | State::Live => BLUE,
        State::Ended | State::Missed | State::Cancelled => GREY,
        State::Failed => RED,
    }
}

#[cfg(test)]
mod tests;
