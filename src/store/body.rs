//! A meeting as the text of its row: JSON without its posts. Errors never quote it: it may hold a secret.

use std::fmt::Display;

use crate::domain::{Meeting, MeetingId};

/// The text of a meeting.
pub(super) fn write(meeting: &Meeting) -> Result<String, String> {
    serde_json::to_string(meeting)
        .map_err(|error| format!("meeting {} cannot be written: {error}", meeting.id))
}

/// The meeting of a text, which must be this one; without its posts.
pub(super) fn read(id: MeetingId, text: &str) -> Result<Meeting, String> {
    // serde's own words would quote the value.
    let meeting: Meeting = serde_json::from_str(text).map_err(|error| {
        format!(
            "meeting {id} cannot be read: its body is damaged at line {} column {}",
            error.line(),
            error.column()
        )
    })?;
    if meeting.id != id {
        return Err(damaged(format_args!("meeting {id}"), "body"));
    }
    Ok(meeting)
}

/// A column that cannot be what it says, of a row that `row` names. The value is not told: it may be a secret.
pub(super) fn damaged(row: impl Display, column: &str) -> String {
    format!("{row} cannot be read: its column {column} is damaged")
}

/// What stands where a meeting's id must.
pub(super) fn read_id(text: &str) -> Result<MeetingId, String> {
    text.parse()
        .map_err(|_| format!("{text:?} stands where a meeting's id must"))
}

/// At most `most` bytes of `text`, cut between characters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
