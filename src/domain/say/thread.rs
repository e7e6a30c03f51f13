//! What stands in the channel beside the card: replies in its thread and one line about a second start.

use crate::domain::Rendered;
use crate::domain::card::{self, CardFrame, message};
use crate::domain::event::SUMMARY_CHARS_MAX;
use crate::domain::meeting::CardView;
use crate::domain::text::neutralise_markdown;

use super::bold;

/// A second start by a post: the running meeting, in one line for everybody.
pub(crate) fn running_line(title: &str, open_link: &str) -> String {
    format!(
        "{} is running here already: **[Join the meeting]({open_link})**",
        bold(title)
    )
}

/// The final state of a card that can no longer be changed, as a reply.
pub(crate) fn final_reply(view: &CardView, frame: &CardFrame) -> Rendered {
    let mut reply = card::render(view, frame);
    let head = message(view, &card::title(view), &card::starter(view, frame));
    reply.message = format!("{head} (the card above can no longer be changed)");
    reply
}

/// A recording is ready; `link` is the relay's own.
pub(crate) fn recording_reply(title: &str, link: &str) -> Rendered {
    reply(format!(
        "The recording of {} is ready: [Watch or download]({link})",
        bold(title)
    ))
}

/// A summary; `text` is Markdown, `link` the meeting's, where the whole of a long one is.
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

/// A summary's Markdown, made harmless once more: it was when it was fetched, and came through the queue since.
pub(super) fn summary_text(text: &str) -> String {
    let text = neutralise_markdown(text, SUMMARY_CHARS_MAX);
    text.trim().to_owned()
}

/// The same with a mention of the people of these user names before it.
pub(crate) fn mentioning(user_names: &[String], mut content: Rendered) -> Rendered {
    let names = user_names.iter().map(|name| super::name(name));
    let mentions: Vec<String> = names
        .filter(|name| !name.is_empty() && !mentions_everybody(name))
        .map(|name| format!("@{name}"))
        .collect();
    if !mentions.is_empty() {
        // A heading stays a heading.
        let missed_posts = if content.message.starts_with('#') {
            "\n\n"
        } else {
            " "
        };
        content.message = format!("{}{missed_posts}{}", mentions.join(" "), content.message);
    }
    content
}

/// Mattermost gives nobody the name `all`, which would come from a forged event, and may take `@all.x` and `@all-x` for
/// it: the few people of such names are not mentioned.
fn mentions_everybody(name: &str) -> bool {
    let word = name.split(['.', '-', '_']).next().unwrap_or_default();
    let everybody = ["all", "channel", "here"];
    everybody.iter().any(|all| word.eq_ignore_ascii_case(all))
}

/// Below a summary that is too long for a post; nothing without a link.
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
