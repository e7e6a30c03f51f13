//! What people and administrators do: the handle that tests and the demo hold.
//!
//! Users and channels are named by name or id. A name that is not there is a mistake of the test: it panics.

use super::command::{self, CommandAnswer};
use super::id::new_id;
use super::journal::{Delivery, ReceivedRequest};
use super::model::{
    Channel, ChannelKind, Ephemeral, OutgoingHook, Post, SlashCommand, Token, TriggerWhen, User,
};
use super::panel::DemoPanel;
use super::posting::{self, Draft};
use super::{FakeMattermost, rest};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

mod administration;

impl FakeMattermost {
    /// Writes a post as a person and fires outgoing webhooks; gives the post's id.
    pub async fn say(&self, user: &str, channel: &str, text: &str) -> String {
        self.write(user, channel, text, "").await
    }

    /// Writes a reply into the thread of `root` and fires outgoing webhooks; gives the post's id.
    pub async fn reply(&self, user: &str, root: &str, text: &str) -> String {
        let channel = self
            .core
            .read(|model| model.post(root).map(|post| post.channel_id.clone()));
        let channel = channel.unwrap_or_else(|| panic!("no post {root}"));
        self.write(user, &channel, text, root).await
    }

    /// Types a slash command ("/plugnmeet start") into a channel, or into the thread of a root post.
    pub async fn command(
        &self,
        user: &str,
        channel: &str,
        line: &str,
        thread: Option<&str>,
    ) -> CommandAnswer {
        let (user, channel) = (self.must_user(user), self.must_channel(channel));
        assert!(line.starts_with('/'), "{line:?} is no command");
        assert!(!user.is_disabled(), "{user:?} cannot log in");
        command::execute(
            &self.core,
            &user,
            &channel,
            line,
            thread.unwrap_or_default(),
        )
        .await
    }

    /// Changes a post's message as its author.
    pub fn edit_post(&self, post: &str, text: &str) {
        let author = self.must_author(post);
        let patch = posting::Patch {
            message: Some(text.to_owned()),
            ..posting::Patch::default()
        };
        posting::patch(&self.core, &author, post, patch)
            .unwrap_or_else(|error| panic!("{error:?}"));
    }

    /// Deletes a post as the system admin `root` (and, if it is a root, its replies).
    pub fn delete_post(&self, post: &str) {
        let admin = self.must_user("root").id;
        posting::delete(&self.core, &admin, post).unwrap_or_else(|error| panic!("{error:?}"));
    }

    /// Makes a user (or bot) a member of a channel and, for a public or private one, of its team.
    pub fn join(&self, user: &str, channel: &str) {
        let (user, channel) = (self.must_user(user), self.must_channel(channel));
        let now = self.core.clock.now_ms();
        self.core.change(|model| {
            if let Some(team) = model
                .teams
                .iter_mut()
                .find(|team| team.id == channel.team_id)
            {
                team.members.insert(user.id.clone());
            }
            rest::join(model, &channel.id, &user.id, now);
        });
    }

    /// Makes a user (or bot) a member of the first team, but of no channel.
    pub fn join_team(&self, user: &str) {
        let id = self.must_user(user).id;
        self.core.change(|model| model.teams[0].members.insert(id));
    }

    /// Takes a user (or bot) out of a channel.
    pub fn leave(&self, user: &str, channel: &str) {
        let (user, channel) = (self.must_user(user).id, self.must_channel(channel).id);
        self.core.change(|model| {
            model
                .channels
                .get_mut(&channel)
                .map(|channel| channel.members.remove(&user))
        });
    }

    /// Archives a channel: nothing more can be posted or changed there; its webhooks are deleted.
    pub fn archive(&self, channel: &str) {
        let (id, now) = (self.must_channel(channel).id, self.core.clock.now_ms());
        self.core.change(|model| {
            model.hooks.retain(|hook| hook.channel_id != id);
            model.incoming.all.retain(|hook| hook.channel_id != id);
            if let Some(channel) = model.channels.get_mut(&id) {
                channel.delete_at = now;
            }
        });
    }

    /// Gives a person or bot the role of system admin.
    pub fn make_system_admin(&self, user: &str) {
        let id = self.must_user(user).id;
        self.core.change(|model| {
            if let Some(user) = model.users.get_mut(&id) {
                user.roles = "system_admin system_user".to_owned();
            }
        });
    }

    /// From now on outgoing webhooks are sent nowhere, or are sent again.
    pub fn lose_outgoing_webhooks(&self, are_lost: bool) {
        self.core.loses_outgoing.store(are_lost, Ordering::SeqCst);
    }

    /// Gives a member the role of channel admin.
    pub fn make_channel_admin(&self, user: &str, channel: &str) {
        let (user, channel) = (self.must_user(user).id, self.must_channel(channel).id);
        self.core.change(|model| {
            model
                .channels
                .get_mut(&channel)
                .and_then(|channel| channel.members.insert(user, true))
        });
    }

    /// Adds a person to the first team, but to no channel; gives the id.
    pub fn add_user(&self, username: &str, first_name: &str, last_name: &str) -> String {
        let user = User::new(username, first_name, last_name, self.core.clock.now_ms());
        let id = user.id.clone();
        self.core.change(|model| {
            model.teams[0].members.insert(user.id.clone());
            model.users.insert(user.id.clone(), user);
        });
        id
    }

    /// Adds a public or private channel of the first team with these members; gives the id.
    pub fn add_channel(
        &self,
        name: &str,
        display_name: &str,
        kind: ChannelKind,
        members: &[&str],
    ) -> String {
        assert!(
            !kind.is_closed(),
            "direct and group messages have their own verbs"
        );
        let members: Vec<User> = members.iter().map(|name| self.must_user(name)).collect();
        let creator = members
            .first()
            .map(|user| user.id.clone())
            .unwrap_or_default();
        let now = self.core.clock.now_ms();
        self.core.change(|model| {
            let mut channel =
                Channel::new(kind, &model.teams[0].id, name, display_name, &creator, now);
            channel.members = members
                .iter()
                .map(|user| (user.id.clone(), user.id == creator))
                .collect();
            model.add_channel(channel)
        })
    }

    /// The direct message channel of two people; gives the id.
    pub fn direct_channel(&self, one: &str, other: &str) -> String {
        let (one, other, now) = (
            self.must_user(one).id,
            self.must_user(other).id,
            self.core.clock.now_ms(),
        );
        self.core
            .change(|model| model.direct_channel(&one, &other, now))
    }

    /// A group message of three to eight people; gives the id.
    pub fn group_channel(&self, people: &[&str]) -> String {
        let mut people: Vec<User> = people.iter().map(|name| self.must_user(name)).collect();
        assert!(
            (3..=8).contains(&people.len()),
            "a group message has three to eight people"
        );
        people.sort_by(|a, b| a.id.cmp(&b.id));
        let ids: String = people.iter().map(|user| user.id.as_str()).collect();
        // 40 hex digits as on the real server, which hashes the same text another way.
        let name = &hex::encode(Sha256::digest(ids.as_bytes()))[..40];
        let names: Vec<&str> = people.iter().map(|user| user.username.as_str()).collect();
        let now = self.core.clock.now_ms();
        self.core.change(|model| {
            let mut channel = Channel::new(
                ChannelKind::Group,
                "",
                name,
                &names.join(", "),
                &people[0].id,
                now,
            );
            channel.members = people
                .iter()
                .map(|user| (user.id.clone(), false))
                .collect::<BTreeMap<_, _>>();
            model.add_channel(channel)
        })
    }

    /// Adds a bot account, a member of no team and no channel; gives its access token.
    pub fn add_bot(&self, username: &str, display_name: &str) -> String {
        let mut bot = User::new(username, display_name, "", self.core.clock.now_ms());
        bot.is_bot = true;
        let user_id = bot.id.clone();
        self.core
            .change(|model| model.users.insert(user_id.clone(), bot));
        self.add_token(&user_id)
    }

    /// Makes an access token for a user or bot.
    pub fn add_token(&self, user: &str) -> String {
        let (user_id, token) = (self.must_user(user).id, new_id());
        self.core.change(|model| {
            model.tokens.insert(
                token.clone(),
                Token {
                    user_id,
                    is_active: true,
                    expires_at: None,
                },
            )
        });
        token
    }

    /// Revokes a token: from now on 401.
    pub fn revoke_token(&self, token: &str) {
        let token = self.core.change(|model| {
            model
                .tokens
                .get_mut(token)
                .map(|token| token.is_active = false)
        });
        assert!(token.is_some(), "no such token");
    }

    /// Deactivates a user or bot, or activates it again: its tokens are then refused with 401. It stays a member of its
    /// channels, with its roles.
    pub fn set_disabled(&self, user: &str, is_disabled: bool) {
        let (id, now) = (self.must_user(user).id, self.core.clock.now_ms());
        let delete_at = if is_disabled { now } else { 0 };
        self.core.change(|model| {
            model
                .users
                .get_mut(&id)
                .map(|user| user.delete_at = delete_at)
        });
    }

    /// Registers an outgoing webhook of the first team (empty `channel`: all public channels) as the
    /// system admin `root`; gives the token. `content_type` is `application/json` or the form's.
    pub fn register_outgoing_hook(
        &self,
        channel: &str,
        trigger_words: &[&str],
        trigger_when: TriggerWhen,
        callback_url: &str,
        content_type: &str,
    ) -> String {
        let channel_id = if channel.is_empty() {
            String::new()
        } else {
            self.must_channel(channel).id
        };
        assert!(
            !(channel_id.is_empty() && trigger_words.is_empty()),
            "a hook needs a channel or words"
        );
        let creator_id = self.must_user("root").id;
        let token = new_id();
        let hook = OutgoingHook {
            id: new_id(),
            token: token.clone(),
            team_id: self.core.read(|model| model.teams[0].id.clone()),
            channel_id,
            creator_id,
            trigger_words: trigger_words
                .iter()
                .map(|word| (*word).to_owned())
                .collect(),
            trigger_when,
            callback_urls: vec![callback_url.to_owned()],
            content_type: content_type.to_owned(),
        };
        self.core.change(|model| model.hooks.push(hook));
        token
    }

    /// Registers a slash command (`trigger` without slash, method POST) of the first team; gives the token.
    pub fn register_command(&self, trigger: &str, url: &str) -> String {
        self.add_command(trigger, url, false)
    }

    /// The same with method GET.
    pub fn register_get_command(&self, trigger: &str, url: &str) -> String {
        self.add_command(trigger, url, true)
    }

    /// Deletes a slash command: its response URLs answer 400.
    pub fn delete_command(&self, trigger: &str) {
        self.core.change(|model| {
            for command in model
                .commands
                .iter_mut()
                .filter(|command| command.trigger == trigger)
            {
                command.is_deleted = true;
            }
        });
    }

    /// What people see in a channel, oldest first: replies too, but no deleted and no system posts.
    pub fn posts(&self, channel: &str) -> Vec<Post> {
        let id = self.must_channel(channel).id;
        self.core.read(|model| model.posts(&id))
    }

    /// One post, also if it is deleted.
    pub fn post(&self, id: &str) -> Option<Post> {
        self.core.read(|model| model.post(id).cloned())
    }

    /// A root (if not deleted) and its replies, oldest first.
    pub fn thread(&self, root: &str) -> Vec<Post> {
        self.core.read(|model| model.thread(root))
    }

    /// What only this user was shown, oldest first.
    pub fn ephemerals(&self, user: &str) -> Vec<Ephemeral> {
        let id = self.must_user(user).id;
        self.core.read(|model| model.ephemerals(&id))
    }

    /// What others wrote to this user in direct messages, oldest first.
    pub fn direct_messages(&self, user: &str) -> Vec<Post> {
        let id = self.must_user(user).id;
        self.core.read(|model| model.direct_messages(&id))
    }

    /// The account with this name or id.
    pub fn user(&self, name: &str) -> User {
        self.must_user(name)
    }

    /// The channel with this name or id.
    pub fn channel(&self, name: &str) -> Channel {
        self.must_channel(name)
    }

    /// Every answered request to API and response URLs, oldest first; the last 20 000.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.core.journal.requests()
    }

    /// How many requests have arrived whose operation begins with `operation`.
    pub fn calls(&self, operation: &str) -> u64 {
        self.core.journal.calls(operation)
    }

    /// Every finished call to an integration, oldest first; the last 20 000.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.core.journal.deliveries()
    }

    /// The call that this post made to an integration, once it is finished.
    pub fn delivery_of(&self, post: &str) -> Option<Delivery> {
        let is_of = |delivery: &Delivery| delivery.post_id == post;
        self.core.journal.find_delivery(is_of)
    }

    /// The call that handed out this response URL (its last segment), once it is finished.
    pub fn delivery_of_command(&self, response_id: &str) -> Option<Delivery> {
        let is_of = |delivery: &Delivery| delivery.response_id == response_id;
        self.core.journal.find_delivery(is_of)
    }

    /// How often something was posted through a response URL (its last segment).
    pub fn response_uses(&self, response_id: &str) -> u32 {
        self.core.read(|model| {
            let found = model.response_urls.get(response_id);
            found.map_or(0, |hook| hook.used)
        })
    }

    /// From now on saving a post takes this long; a second one with its pending_post_id gets 500 meanwhile.
    pub fn set_saving_takes(&self, time: Duration) {
        *self
            .core
            .saving_takes
            .write()
            .unwrap_or_else(PoisonError::into_inner) = time;
    }

    /// Changes what the page shows beside the chat.
    pub fn set_panel(&self, panel: DemoPanel) {
        *self
            .core
            .panel
            .write()
            .unwrap_or_else(PoisonError::into_inner) = panel;
        self.core.touch();
    }

    async fn write(&self, user: &str, channel: &str, text: &str, root: &str) -> String {
        let (user, channel) = (self.must_user(user), self.must_channel(channel));
        assert!(
            channel.members.contains_key(&user.id) && !user.is_disabled(),
            "{} is deactivated or not in {}",
            user.username,
            channel.name
        );
        let draft = Draft {
            user_id: user.id,
            channel_id: channel.id,
            root_id: root.to_owned(),
            message: text.to_owned(),
            fires_hooks: true,
            ..Draft::default()
        };
        posting::create(&self.core, draft)
            .await
            .unwrap_or_else(|error| panic!("{error:?}"))
            .post
            .id
    }

    fn add_command(&self, trigger: &str, url: &str, is_get: bool) -> String {
        let token = new_id();
        let team_id = self.core.read(|model| model.teams[0].id.clone());
        let command = SlashCommand {
            id: new_id(),
            token: token.clone(),
            team_id,
            trigger: trigger.trim_start_matches('/').to_lowercase(),
            is_get,
            url: url.to_owned(),
            username: String::new(),
            is_deleted: false,
        };
        self.core.change(|model| model.commands.push(command));
        token
    }

    fn must_user(&self, name: &str) -> User {
        self.core
            .read(|model| model.user(name).cloned())
            .unwrap_or_else(|| panic!("no user {name}"))
    }

    fn must_channel(&self, name: &str) -> Channel {
        self.core
            .read(|model| model.channel(name).cloned())
            .unwrap_or_else(|| panic!("no channel {name}"))
    }

    fn must_author(&self, post: &str) -> String {
        let author = self
            .core
            .read(|model| model.post(post).map(|post| post.user_id.clone()));
        author.unwrap_or_else(|| panic!("no post {post}"))
    }
}
