//! Reads the person and the conversation of a call: the fields that outgoing webhooks and slash commands have in
//! common.

use crate::domain::{ChannelId, Conversation, ConversationKind, Person, ServerName, UserId};

use super::fields::{BadFields, Fields};

/// Longest name of a person, team or channel that is kept, in characters; Mattermost's have at most 64.
const NAME_CHARS_MAX: usize = 64;

/// The conversation of a call. `thread` is set only in slash commands of newer servers.
pub(super) fn place(fields: &Fields, server: &ServerName) -> Result<Conversation, BadFields> {
    let channel: ChannelId = fields.id("channel_id")?;
    let channel_name = fields.name("channel_name", NAME_CHARS_MAX);
    let kind = if is_direct(&channel_name) {
        ConversationKind::Direct
    } else {
        ConversationKind::Channel
    };
    Ok(Conversation {
        server: server.clone(),
        team: fields.optional_id("team_id")?,
        team_name: fields.name("team_domain", NAME_CHARS_MAX),
        channel,
        channel_name,
        thread: fields.optional_id("root_id")?,
        kind,
    })
}

/// The person who made the call. Without a name, the user id is shown instead.
pub(super) fn person(fields: &Fields) -> Result<Person, BadFields> {
    let user_id: UserId = fields.id("user_id")?;
    let name = fields.name("user_name", NAME_CHARS_MAX);
    Ok(Person {
        user_name: if name.is_empty() {
            user_id.as_str().to_owned()
        } else {
            name
        },
        user_id,
    })
}

/// Whether a channel is a direct or group message. A direct message is named `id__id` and a group message by a SHA-1 in
/// hex; no other channel is named like that. Bots have no access to either (src/mattermost/README.md, "Direct and group
/// messages").
fn is_direct(channel_name: &str) -> bool {
    let is_id = |id: &str| {
        id.len() == 26
            && id
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let is_sha1 = channel_name.len() == 40
        && channel_name
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    is_sha1
        || channel_name
            .split_once("__")
            .is_some_and(|(one, other)| is_id(one) && is_id(other))
}
