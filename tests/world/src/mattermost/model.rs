//! What the server keeps: teams, people, channels, posts, integrations. No HTTP here.

use super::id::new_id;
use super::incoming::IncomingHooks;
use super::plugin::Plugin;
use super::sessions::Passwords;
use std::collections::{BTreeMap, BTreeSet, HashMap};

mod channel;
mod integration;
mod post;
mod user;

pub use channel::{Channel, ChannelKind, Team};
pub use integration::{Ephemeral, OutgoingHook, TriggerWhen};
pub(crate) use integration::{Pending, ResponseUrl, SlashCommand, Token};
pub use post::Post;
pub use user::User;

/// Everything a Mattermost server would have in its database. Read by tests inside `wait_for`.
#[derive(Debug, Default)]
pub struct Model {
    pub(crate) teams: Vec<Team>,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) channels: BTreeMap<String, Channel>,
    pub(crate) posts: HashMap<String, Post>,
    /// Ids of a channel's posts in order of arrival.
    pub(crate) order: HashMap<String, Vec<String>>,
    /// Ids of a root's replies in order of arrival.
    pub(crate) replies: HashMap<String, Vec<String>>,
    pub(crate) tokens: HashMap<String, Token>,
    pub(crate) passwords: Passwords,
    pub(crate) hooks: Vec<OutgoingHook>,
    pub(crate) incoming: IncomingHooks,
    pub(crate) plugins: Vec<Plugin>,
    pub(crate) commands: Vec<SlashCommand>,
    pub(crate) response_urls: HashMap<String, ResponseUrl>,
    /// seen_pending_post_ids: in memory of the node, so a restart forgets them.
    pub(crate) pending: HashMap<String, Pending>,
    pub(crate) ephemerals: Vec<Ephemeral>,
}

impl Model {
    /// The user with this id or name (without `@`).
    pub fn user(&self, name_or_id: &str) -> Option<&User> {
        self.users
            .get(name_or_id)
            .or_else(|| self.users.values().find(|u| u.username == name_or_id))
    }

    /// The channel with this id or name (URL slug), of any team.
    pub fn channel(&self, name_or_id: &str) -> Option<&Channel> {
        self.channels
            .get(name_or_id)
            .or_else(|| self.channels.values().find(|c| c.name == name_or_id))
    }

    /// The post with this id, deleted ones too.
    pub fn post(&self, id: &str) -> Option<&Post> {
        self.posts.get(id)
    }

    /// What people see in a channel, oldest first: replies too, but no deleted and no system posts.
    pub fn posts(&self, channel: &str) -> Vec<Post> {
        self.all_posts(channel)
            .into_iter()
            .filter(|post| !post.is_deleted() && !post.is_system())
            .collect()
    }

    /// Every post ever made in a channel, oldest first, deleted and system ones too.
    pub fn all_posts(&self, channel: &str) -> Vec<Post> {
        let Some(channel) = self.channel(channel) else {
            return Vec::new();
        };
        self.order
            .get(&channel.id)
            .into_iter()
            .flatten()
            .filter_map(|id| self.posts.get(id).cloned())
            .collect()
    }

    /// A thread: its root (if not deleted), then the replies that are not deleted, oldest first.
    pub fn thread(&self, root: &str) -> Vec<Post> {
        let replies = self.replies.get(root).into_iter().flatten();
        std::iter::once(&root.to_owned())
            .chain(replies)
            .filter_map(|id| self.posts.get(id))
            .filter(|post| !post.is_deleted())
            .cloned()
            .collect()
    }

    /// What only this user was shown, oldest first.
    pub fn ephemerals(&self, user: &str) -> Vec<Ephemeral> {
        let id = self
            .user(user)
            .map(|user| user.id.as_str())
            .unwrap_or_default();
        self.ephemerals
            .iter()
            .filter(|shown| shown.user_id == id)
            .cloned()
            .collect()
    }

    /// Posts in direct messages with this user that others wrote, oldest first.
    pub fn direct_messages(&self, user: &str) -> Vec<Post> {
        let Some(user) = self.user(user) else {
            return Vec::new();
        };
        let mut posts: Vec<Post> = self
            .channels
            .values()
            .filter(|c| c.kind == ChannelKind::Direct && c.members.contains_key(&user.id))
            .flat_map(|channel| self.posts(&channel.id))
            .filter(|post| post.user_id != user.id)
            .collect();
        posts.sort_by_key(|post| post.create_at);
        posts
    }

    pub(crate) fn team_of(&self, channel: &Channel) -> Option<&Team> {
        self.teams.iter().find(|team| team.id == channel.team_id)
    }

    pub(crate) fn is_admin(&self, user_id: &str) -> bool {
        self.users.get(user_id).is_some_and(User::is_system_admin)
    }

    /// read_channel_content: members, and for a public channel everyone of its team.
    pub(crate) fn may_read(&self, user_id: &str, channel: &Channel) -> bool {
        channel.members.contains_key(user_id)
            || self.is_admin(user_id)
            || (channel.kind == ChannelKind::Public
                && self
                    .team_of(channel)
                    .is_some_and(|team| team.members.contains(user_id)))
    }

    pub(crate) fn add_team(&mut self, name: &str, display_name: &str, now: i64) -> String {
        let team = Team {
            id: new_id(),
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            create_at: now,
            members: BTreeSet::new(),
        };
        let id = team.id.clone();
        self.teams.push(team);
        id
    }

    pub(crate) fn add_channel(&mut self, channel: Channel) -> String {
        let id = channel.id.clone();
        self.channels.insert(id.clone(), channel);
        id
    }

    /// The direct channel of two people, made if it is not there.
    pub(crate) fn direct_channel(&mut self, creator: &str, other: &str, now: i64) -> String {
        let mut ids = [creator, other];
        ids.sort_unstable();
        let name = ids.join("__");
        if let Some(channel) = self.channels.values().find(|channel| channel.name == name) {
            return channel.id.clone();
        }
        let mut channel = Channel::new(ChannelKind::Direct, "", &name, "", creator, now);
        for id in ids {
            channel.members.insert(id.to_owned(), false);
        }
        self.add_channel(channel)
    }

    /// Stores a finished post and moves the times of its channel.
    pub(crate) fn store_post(&mut self, post: Post) {
        if let Some(channel) = self.channels.get_mut(&post.channel_id) {
            channel.last_post_at = post.create_at;
            channel.total_msg_count += 1;
        }
        self.order
            .entry(post.channel_id.clone())
            .or_default()
            .push(post.id.clone());
        if !post.root_id.is_empty() {
            self.replies
                .entry(post.root_id.clone())
                .or_default()
                .push(post.id.clone());
        }
        self.posts.insert(post.id.clone(), post);
    }

    /// How many replies the thread of this post has.
    pub(crate) fn reply_count(&self, post: &Post) -> usize {
        let root = if post.root_id.is_empty() {
            &post.id
        } else {
            &post.root_id
        };
        let replies = self.replies.get(root).into_iter().flatten();
        replies
            .filter_map(|id| self.posts.get(id))
            .filter(|post| !post.is_deleted())
            .count()
    }
}
