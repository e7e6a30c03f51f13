//! Posts.

use super::super::id::new_id;
use serde_json::{Map, Value, json};

/// One post as stored.
#[derive(Clone, Debug)]
pub struct Post {
    /// 26 characters.
    pub id: String,
    /// Milliseconds on the server's clock.
    pub create_at: i64,
    /// Milliseconds; every patch and deletion moves it.
    pub update_at: i64,
    /// Milliseconds; moved only by a change of message or attachments. 0: never edited.
    pub edit_at: i64,
    /// Milliseconds; 0: not deleted.
    pub delete_at: i64,
    /// The author.
    pub user_id: String,
    /// Where it stands.
    pub channel_id: String,
    /// The root of its thread; empty: it is none or a root itself.
    pub root_id: String,
    /// Markdown.
    pub message: String,
    /// Empty for people's posts, `system_...` for the server's own.
    pub kind: String,
    /// Attachments are in `attachments`.
    pub props: Map<String, Value>,
    /// Pinned to the channel.
    pub is_pinned: bool,
}

impl Post {
    pub(crate) fn new(channel_id: &str, user_id: &str, message: &str, now: i64) -> Self {
        Self {
            id: new_id(),
            create_at: now,
            update_at: now,
            edit_at: 0,
            delete_at: 0,
            user_id: user_id.to_owned(),
            channel_id: channel_id.to_owned(),
            root_id: String::new(),
            message: message.to_owned(),
            kind: String::new(),
            props: Map::new(),
            is_pinned: false,
        }
    }

    /// Gone for people; REST answers 404.
    pub fn is_deleted(&self) -> bool {
        self.delete_at != 0
    }

    /// Written by the server ("bob joined the channel.").
    pub fn is_system(&self) -> bool {
        self.kind.starts_with("system_")
    }

    /// Shows the "Edited" mark.
    pub fn is_edited(&self) -> bool {
        self.edit_at != 0
    }

    /// The attachments, empty if there are none.
    pub fn attachments(&self) -> &[Value] {
        self.props
            .get("attachments")
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// A property as text, if it is there and is text.
    pub fn prop(&self, name: &str) -> Option<&str> {
        self.props.get(name).and_then(Value::as_str)
    }

    /// The post as REST shows it: buttons lose their `integration`, a deleted post its message.
    pub(crate) fn wire(&self, reply_count: usize, pending_post_id: &str) -> Value {
        let mut props = self.props.clone();
        for attachment in props
            .get_mut("attachments")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            for action in attachment
                .get_mut("actions")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                if let Some(fields) = action.as_object_mut() {
                    fields.remove("integration");
                }
            }
        }
        let metadata = if props.contains_key("attachments") && !self.is_deleted() {
            json!({"embeds": [{"type": "message_attachment"}]})
        } else {
            json!({})
        };
        json!({
            "id": self.id, "create_at": self.create_at, "update_at": self.update_at,
            "edit_at": self.edit_at, "delete_at": self.delete_at, "is_pinned": self.is_pinned,
            "user_id": self.user_id, "channel_id": self.channel_id, "root_id": self.root_id,
            "original_id": "", "message": if self.is_deleted() { "" } else { &self.message },
            "type": self.kind, "props": props, "hashtags": "", "file_ids": [],
            "pending_post_id": pending_post_id, "remote_id": "", "reply_count": reply_count,
            "last_reply_at": 0, "participants": null, "metadata": metadata,
        })
    }
}
