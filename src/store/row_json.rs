//! Meetings and posts as the JSON texts in their rows. The text of a meeting does not contain its posts. Errors never
//! quote a text, because it may contain a secret.

use std::fmt::Display;

use serde::de::DeserializeOwned;

use crate::domain::{Meeting, MeetingId, PostKey, PostRow};

/// Writes the text of a meeting.
pub(super) fn write(meeting: &Meeting) -> Result<String, String> {
    serde_json::to_string(meeting)
        .map_err(|error| format!("meeting {} cannot be written: {error}", meeting.id))
}

/// Reads a meeting, without its posts. It must have this id.
pub(super) fn read(id: MeetingId, text: &str) -> Result<Meeting, String> {
    let meeting: Meeting = parse(format_args!("meeting {id}"), text)?;
    if meeting.id != id {
        return Err(damaged(format_args!("meeting {id}"), "body"));
    }
    Ok(meeting)
}

/// Writes the text of a post.
pub(super) fn write_post(row: &PostRow) -> Result<String, String> {
    serde_json::to_string(row).map_err(|error| format!("a post cannot be written: {error}"))
}

/// Reads the key and the row of a post from their columns.
pub(super) fn read_post(
    meeting: MeetingId,
    key: &str,
    text: &str,
) -> Result<(PostKey, PostRow), String> {
    let name = format!("post {key} of meeting {meeting}");
    let row = parse(&name, text)?;
    let key = key.parse().map_err(|_| damaged(&name, "key"))?;
    Ok((key, row))
}

fn parse<T: DeserializeOwned>(row: impl Display, text: &str) -> Result<T, String> {
    // serde's own error would quote the value.
    serde_json::from_str(text).map_err(|error| {
        format!(
            "{row} cannot be read: its body is damaged at line {} column {}",
            error.line(),
            error.column()
        )
    })
}

/// The error text for a column that cannot be read, in the row that `row` names. It does not contain the value, which
/// may be a secret.
pub(super) fn damaged(row: impl Display, column: &str) -> String {
    format!("{row} cannot be read: its column {column} is damaged")
}

/// The error text for a text that is not the id of a meeting.
pub(super) fn read_id(text: &str) -> Result<MeetingId, String> {
    text.parse()
        .map_err(|_| format!("{text:?} stands where a meeting's id must"))
}

/// At most `most` bytes of `text`, cut between characters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
