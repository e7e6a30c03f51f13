//! Posts in the channel besides the card: replies in its thread, and one line about a second start.

use crate::domain::Rendered;
use crate::domain::card::{self, CardFrame, message};
use crate::domain::event::SUMMARY_CHARS_MAX;
use crate::domain::meeting::CardView;
use crate::domain::text::neutralise_markdown;

use super::bold;

/// One line for everybody with the meeting that already runs, after a second start by a post.
pub(crate) fn running_line(title: &str, open_link: &str) -> String {
    format!(
        "{} is running here already: **[Join the meeting]({open_link})**",
        bold(title)
    )
}

/// A reply that shows the final state of a card that can no longer be changed.
pub(crate) fn final_reply(view: &CardView, frame: &CardFrame) -> Rendered {
    let mut reply = card::render(view, frame);
    let head = message(view, &card::title(view), &card::starter(view, frame));
    reply.message = format!("{head} (the card above can no longer be changed)");
    reply
}

/// The reply that a recording is ready; `link` is the relay's page of the recording.
pub(crate) fn recording_reply(title: &str, link: &str) -> Rendered {
    reply(format!(
        "The recording of {} is ready: [Watch or download]({link})",
        bold(title)
    ))
}

/// The reply with a summary; `text` is Markdown. `link` is the meeting's page, which has the whole of a long summary.
pub(crate) fn summary_reply(title: &str, text: &str, link: &str) -> Rendered {
    Rendered {
        continued: whole_summary(link),
        ..reply(format!(
            "#### Summary of {}\n\n{}",
            bold(title),
            summary_text(text)
        ))
    }
}

/// A summary's Markdown, neutralised again: it was neutralised when it was fetched, but came through the queue since.
pub(super) fn summary_text(text: &str) -> String {
    let text = neutralise_markdown(text, SUMMARY_CHARS_MAX);
    text.trim().to_owned()
}

/// Puts a mention of the people with these user names before `content`.
pub(crate) fn mentioning(user_names: &[String], mut content: Rendered) -> Rendered {
    let names = user_names.iter().map(|name| super::name(name));
    let mentions: Vec<String> = names
        .filter(|name| !name.is_empty() && !mentions_everybody(name))
        .map(|name| format!("@{name}"))
        .collect();
    if !mentions.is_empty() {
        // A heading must stay at the beginning of a line.
        let separator = if content.message.starts_with('#') {
            "\n\n"
        } else {
            " "
        };
        content.message = format!("{}{separator}{}", mentions.join(" "), content.message);
    }
    content
}

/// Whether Mattermost could read `@name` as a mention of everybody. It gives nobody the name `all`, so such a name
/// comes from a forged event. It may also read `@all.x` and `@all-x` as `@all`, so the few people with such names are
/// not mentioned.
fn mentions_everybody(name: &str) -> bool {
    let word = name.split(['.', '-', '_']).next().unwrap_or_default();
    let everybody = ["all", "channel", "here"];
    everybody.iter().any(|all| word.eq_ignore_ascii_case(all))
}

/// The last line of a summary that is cut because it is too long for a post; empty without a link.
pub(super) fn whole_summary(link: &str) -> String {
    if link.is_empty() {
        String::new()
    } else {
        format!("… **[Read the whole summary]({link})**")
    }
}

fn reply(message: String) -> Rendered {
    Rendered {
        message,
        ..Rendered::default()
    }
}
