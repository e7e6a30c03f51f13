//! The text and the fields of the card's attachment.

use crate::domain::meeting::CardView;
use crate::domain::text::neutralise_line;
use crate::domain::{Field, Refusal, State};

use super::words::{duration, why_late};
use super::{CardFrame, NAME_CHARS_MAX, Times, lasting};

/// Most names in a field: nobody reads more than a line or two.
const NAMES_SHOWN_MAX: usize = 8;

/// The attachment's text: paragraphs, with the link in one of its own.
pub(super) fn text(view: &CardView, frame: &CardFrame, starter: &str, times: &Times) -> String {
    let mut paragraphs = match view.state {
        State::Creating if view.is_ending => vec![
            byline(&times.requested(), starter),
            "It is being cancelled…".to_owned(),
        ],
        State::Creating => vec![
            byline(&times.requested(), starter),
            "The room is being prepared… The link works already and waits for it.".to_owned(),
        ],
        State::Open | State::Live if view.is_ending => vec![
            byline(&times.started(), starter),
            "The meeting is being ended…".to_owned(),
        ],
        State::Open | State::Live => vec![byline(&times.started(), starter)],
        State::Ended | State::Missed | State::Cancelled | State::Failed => {
            end_and_reason(view, starter, times)
        }
    };
    paragraphs.extend(link(view, frame));
    paragraphs.extend(late(frame));
    paragraphs.join("\n\n")
}

/// When and how the meeting ended, and why it failed.
pub(super) fn end_and_reason(view: &CardView, starter: &str, times: &Times) -> Vec<String> {
    match view.state {
        State::Cancelled => vec![
            byline(&times.requested(), starter),
            "It was ended before its room was ready.".to_owned(),
        ],
        State::Failed => vec![
            byline(&times.requested(), starter),
            format!("{} ref {}", failure(view.refused), view.room),
        ],
        _ => vec![start_and_end(view, starter, times)],
    }
}

/// Only who took part: unlike the artifacts, that no longer changes once the meeting is over.
pub(super) fn people_field(view: &CardView) -> Vec<Field> {
    vec![Field {
        title: "Took part".to_owned(),
        value: people(view),
    }]
}

/// Short fields, which Mattermost shows in two columns.
pub(super) fn fields(view: &CardView) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut add = |title: &str, value: String| {
        fields.push(Field {
            title: title.to_owned(),
            value,
        });
    };
    match view.state {
        State::Open => add("In the meeting", "nobody seen yet".to_owned()),
        State::Live if view.present == view.people => add("In the meeting", people(view)),
        State::Live => {
            let present = match view.present {
                0 => "nobody now".to_owned(),
                present => format!("{present} now"),
            };
            add("In the meeting", present);
            add("So far", people(view));
        }
        State::Ended => add("Took part", people(view)),
        State::Creating | State::Missed | State::Cancelled | State::Failed => {}
    }
    if view.is_recording {
        add("Recording", "on".to_owned());
    }
    if view.recordings > 0 {
        add("Recordings", view.recordings.to_string());
    }
    match view.summaries {
        0 => {}
        1 => add("Summary", "1".to_owned()),
        many => add("Summaries", many.to_string()),
    }
    fields
}

/// Why there is no room, and what the person can do.
fn failure(refused: Option<Refusal>) -> &'static str {
    match refused {
        Some(Refusal::TooLate) => {
            "plugNmeet could not be reached in time, so no room was made. Start the meeting again; if it fails again, \
             tell an administrator."
        }
        Some(Refusal::Unauthorized) => {
            "plugNmeet refuses the relay's API key. An administrator must correct `plugnmeet.api_key` and \
             `plugnmeet.api_secret`; then start the meeting again."
        }
        Some(Refusal::Refused) => {
            "plugNmeet refused to make the room, and trying again will not help. An administrator finds the reason in \
             the relay's log."
        }
        Some(Refusal::GaveUp) => {
            "plugNmeet answered with errors again and again. Start the meeting again in a few minutes; if it fails \
             again, tell an administrator."
        }
        None => "The room could not be made. Start the meeting again.",
    }
}

pub(super) fn byline(when: &str, starter: &str) -> String {
    format!("{} by {starter}", sentence(when))
}

fn start_and_end(view: &CardView, starter: &str, times: &Times) -> String {
    let mut lines = byline(&times.started(), starter);
    if let Some(ended) = times.ended() {
        lines.push('\n');
        let is_about = view.ended.is_some_and(|ended| ended.is_about);
        lines.push_str(&sentence(&if is_about {
            ended.replacen("ended", "ended about", 1)
        } else {
            ended
        }));
        if let Some(lasting) = lasting(view) {
            lines.push_str(" · ");
            lines.push_str(&lasting);
        }
    }
    if view.state == State::Missed {
        lines.push_str(if view.nobody_came() {
            " · nobody came"
        } else {
            " · who came is not known"
        });
    }
    lines
}

pub(super) fn link(view: &CardView, frame: &CardFrame) -> Option<String> {
    let link = &frame.join_link;
    match view.state {
        _ if link.is_empty() => None,
        State::Creating | State::Open | State::Live => {
            (!view.is_ending).then(|| format!("**[Join the meeting]({link})**"))
        }
        State::Ended | State::Missed => Some(format!("[Recap]({link})")),
        State::Cancelled | State::Failed => None,
    }
}

fn late(frame: &CardFrame) -> Option<String> {
    let late = frame.late?;
    Some(format!(
        "This card came late, {} after it was asked for: {}. The times are the real ones.",
        duration(late.by),
        why_late(late.why)
    ))
}

/// "3: Ana, Bob, Carol", "12: Ana, … and 4 more".
fn people(view: &CardView) -> String {
    let names: Vec<String> = view
        .names
        .iter()
        .take(NAMES_SHOWN_MAX)
        .map(|name| neutralise_line(name, NAME_CHARS_MAX))
        .map(|name| {
            if name.is_empty() {
                "Guest".to_owned()
            } else {
                name
            }
        })
        .collect();
    let more = view.people.saturating_sub(names.len());
    let listed = names.join(", ");
    match more {
        0 => format!("{}: {listed}", view.people),
        more => format!("{}: {listed} and {more} more", view.people),
    }
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
