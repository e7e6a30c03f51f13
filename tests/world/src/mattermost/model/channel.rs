//! Teams, channels and memberships.

use super::super::id::new_id;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// One team.
#[derive(Clone, Debug)]
pub struct Team {
    /// 26 characters.
    pub id: String,
    /// URL slug, `team_domain` of webhooks and commands.
    pub name: String,
    /// For people.
    pub display_name: String,
    /// Milliseconds.
    pub create_at: i64,
    /// User ids.
    pub members: BTreeSet<String>,
}

impl Team {
    /// The team as REST shows it.
    pub(crate) fn wire(&self) -> Value {
        json!({
            "id": self.id, "create_at": self.create_at, "update_at": self.create_at, "delete_at": 0,
            "display_name": self.display_name, "name": self.name, "description": "", "email": "",
            "type": "O", "company_name": "", "allowed_domains": "", "invite_id": "",
            "allow_open_invite": false, "scheme_id": null, "group_constrained": null,
            "policy_id": null, "cloud_limits_archived": false,
        })
    }
}

/// Who may see a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    /// `O`: everyone of the team.
    Public,
    /// `P`: its members.
    Private,
    /// `D`: two people.
    Direct,
    /// `G`: three to eight people.
    Group,
}

impl ChannelKind {
    /// The letter on the wire.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Public => "O",
            Self::Private => "P",
            Self::Direct => "D",
            Self::Group => "G",
        }
    }

    /// Nobody can be added to these, bots neither.
    pub(crate) fn is_closed(self) -> bool {
        matches!(self, Self::Direct | Self::Group)
    }
}

/// One channel of any kind.
#[derive(Clone, Debug)]
pub struct Channel {
    /// 26 characters.
    pub id: String,
    /// Empty for direct and group messages.
    pub team_id: String,
    /// Public, private, direct or group.
    pub kind: ChannelKind,
    /// URL slug; `id__id` in a direct message, 40 hex digits in a group message.
    pub name: String,
    /// For people; empty in a direct message.
    pub display_name: String,
    /// Who made it.
    pub creator_id: String,
    /// Milliseconds.
    pub create_at: i64,
    /// Milliseconds; not 0 = archived.
    pub delete_at: i64,
    /// Moderated: only channel admins may post.
    pub is_read_only: bool,
    /// User id -> is channel admin.
    pub members: BTreeMap<String, bool>,
    pub(crate) last_post_at: i64,
    pub(crate) total_msg_count: u64,
}

impl Channel {
    pub(crate) fn new(
        kind: ChannelKind,
        team_id: &str,
        name: &str,
        display_name: &str,
        creator_id: &str,
        now: i64,
    ) -> Self {
        Self {
            id: new_id(),
            team_id: team_id.to_owned(),
            kind,
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            creator_id: creator_id.to_owned(),
            create_at: now,
            delete_at: 0,
            is_read_only: false,
            members: BTreeMap::new(),
            last_post_at: 0,
            total_msg_count: 0,
        }
    }

    /// Nothing can be posted or changed in an archived channel.
    pub fn is_archived(&self) -> bool {
        self.delete_at != 0
    }

    /// The channel as REST shows it.
    pub(crate) fn wire(&self) -> Value {
        json!({
            "id": self.id, "create_at": self.create_at,
            "update_at": self.create_at.max(self.delete_at), "delete_at": self.delete_at,
            "team_id": self.team_id, "type": self.kind.letter(),
            "display_name": self.display_name, "name": self.name, "header": "", "purpose": "",
            "last_post_at": self.last_post_at, "total_msg_count": self.total_msg_count,
            "extra_update_at": 0, "creator_id": self.creator_id, "scheme_id": null, "props": null,
            "group_constrained": null, "autotranslation": false, "shared": null,
            "total_msg_count_root": self.total_msg_count, "policy_id": null,
            "last_root_post_at": self.last_post_at, "banner_info": null,
            "policy_enforced": false, "policy_is_active": false, "default_category_name": "",
        })
    }

    /// A membership as REST shows it, if there is one.
    pub(crate) fn member_wire(&self, user_id: &str) -> Option<Value> {
        let is_admin = *self.members.get(user_id)?;
        Some(json!({
            "channel_id": self.id, "user_id": user_id,
            "roles": if is_admin { "channel_user channel_admin" } else { "channel_user" },
            "last_viewed_at": -1, "msg_count": 0, "mention_count": 0, "mention_count_root": 0,
            "urgent_mention_count": 0, "msg_count_root": 0,
            "notify_props": {
                "channel_auto_follow_threads": "off", "desktop": "default", "email": "default",
                "ignore_channel_mentions": "default", "mark_unread": "all", "push": "default",
            },
            "last_update_at": -1, "scheme_guest": false, "scheme_user": true,
            "scheme_admin": is_admin, "explicit_roles": "", "autotranslation_disabled": false,
        }))
    }
}
