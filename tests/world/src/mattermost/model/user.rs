//! People and bots.

use super::super::id::new_id;
use serde_json::{Value, json};

/// One account.
#[derive(Clone, Debug)]
pub struct User {
    /// 26 characters.
    pub id: String,
    /// Without `@`.
    pub username: String,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
    /// May be empty.
    pub nickname: String,
    /// `system_user`, or `system_admin system_user`.
    pub roles: String,
    /// A bot account; its display name is `first_name`.
    pub is_bot: bool,
    /// When it was deactivated, in milliseconds: its tokens are then refused like wrong ones. 0 while it is active.
    pub delete_at: i64,
    /// Milliseconds.
    pub create_at: i64,
}

impl User {
    pub(crate) fn new(username: &str, first_name: &str, last_name: &str, now: i64) -> Self {
        Self {
            id: new_id(),
            username: username.to_owned(),
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            nickname: String::new(),
            roles: "system_user".to_owned(),
            is_bot: false,
            delete_at: 0,
            create_at: now,
        }
    }

    /// Whether this is a system administrator. It is seen only here: a channel membership does not carry it.
    pub fn is_system_admin(&self) -> bool {
        self.roles.split(' ').any(|role| role == "system_admin")
    }

    /// It was deactivated.
    pub fn is_disabled(&self) -> bool {
        self.delete_at != 0
    }

    /// First and last name, else the user name.
    pub fn display_name(&self) -> String {
        let full = format!("{} {}", self.first_name, self.last_name);
        if full.trim().is_empty() {
            self.username.clone()
        } else {
            full.trim().to_owned()
        }
    }

    /// The user as REST shows it to others, and with `own` as `GET /users/me` shows it.
    pub(crate) fn wire(&self, own: bool) -> Value {
        let mut user = json!({
            "id": self.id,
            "create_at": self.create_at,
            "update_at": self.create_at.max(self.delete_at),
            "delete_at": self.delete_at,
            "username": self.username,
            "auth_data": "",
            "auth_service": "",
            "email": format!("{}@{}", self.username, if self.is_bot { "localhost" } else { "example.org" }),
            "nickname": self.nickname,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "position": "",
            "roles": self.roles,
            "locale": "en",
            "timezone": {"automaticTimezone": "", "manualTimezone": "", "useAutomaticTimezone": "true"},
            "remote_id": "",
            "disable_welcome_email": false,
        });
        if self.is_bot {
            user["is_bot"] = json!(true);
            user["bot_description"] = json!("meetings");
        }
        if own && let Some(fields) = user.as_object_mut() {
            fields.remove("auth_data");
            fields.remove("remote_id");
            fields.insert("last_password_update".to_owned(), json!(self.create_at));
            fields.insert(
                "notify_props".to_owned(),
                json!({
                    "channel": "true", "comments": "never", "desktop": "mention",
                    "desktop_sound": "true", "desktop_threads": "all", "email": "true",
                    "email_threads": "all", "first_name": "false", "mention_keys": "",
                    "push": "mention", "push_status": "online", "push_threads": "all",
                }),
            );
        }
        user
    }
}
