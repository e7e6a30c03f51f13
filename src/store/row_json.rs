//! A meeting and its posts as the texts of their rows: JSON, the meeting's without its posts. Errors never quote a
//! text: it may hold a secret.

use std::fmt::Display;

use serde::de::DeserializeOwned;

use crate::domain::{Meeting, MeetingId, PostKey, PostRow};

/// The text of a meeting.
pub(super) fn write(meeting: &Meeting) -> Result<String, String> {
    serde_json::to_string(meeting)
        .map_err(|error| format!("meeting {} cannot be written: {error}", meeting.id))
}

/// The meeting of a text, which must be this one; without its posts.
pub(super) fn read(id: MeetingId, text: &str) -> Result<Meeting, String> {
    let meeting: Meeting = parse(format_args!("meeting {id}"), text)?;
    if meeting.id != id {
        return Err(damaged(format_args!("meeting {id}"), "body"));
    }
    Ok(meeting)
}

/// The text of a post's row.
pub(super) fn write_post(row: &PostRow) -> Result<String, String> {
    serde_json::to_string(row).map_err(|error| format!("a post cannot be written: {error}"))
}

/// The key and the row of a post that stand in these columns.
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
    // serde's own words would quote the value.
    serde_json::from_str(text).map_err(|error| {
        format!(
            "{row} cannot be read: its body is damaged at line {} column {}",
            error.line(),
            error.column()
        )
    })
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
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
