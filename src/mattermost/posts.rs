//! Creates, changes, deletes, reads and looks up posts (src/mattermost/README.md, "Posts").

use std::collections::HashMap;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

use super::Mattermost;
use super::body;
use super::call::MattermostCall;
use super::form::Confirmed;
use crate::domain::{ChannelId, PostId, Rendered, Timestamp, UserId};
use crate::http::{Operation, Urgency};
use crate::ports::{ChatError, NewPost, PostView};

/// Longest key that is read from a post, in bytes.
const KEY_BYTES_MAX: usize = 256;

/// How much earlier than requested the search for posts begins, in milliseconds. The server's clock is only estimated,
/// possibly from the `Date` of a proxy. Posts are identified by their key, so additional posts do no harm.
const SINCE_MARGIN_MILLIS: i64 = 60_000;

/// Most posts that Mattermost returns for `since`, in no reliable order.
const SINCE_POSTS_MAX: usize = 1000;

/// Posts per page, the most that Mattermost returns. Pages are read when `since` returned its maximum.
const PAGE: usize = 200;

/// Most pages that are read.
const PAGES_MAX: usize = 25;

/// Longest list of posts that is read, in bytes.
const LIST_BYTES_MAX: usize = 32 * 1024 * 1024;

#[derive(Deserialize)]
struct PostBody {
    id: PostId,
    channel_id: ChannelId,
    user_id: UserId,
    #[serde(default)]
    root_id: String,
    create_at: i64,
    #[serde(default)]
    delete_at: i64,
    #[serde(default)]
    props: Value,
}

impl PostBody {
    fn key(&self) -> Option<&str> {
        body::key_of(&self.props).filter(|key| key.len() <= KEY_BYTES_MAX)
    }

    fn view(self) -> PostView {
        PostView {
            key: self.key().map(str::to_owned),
            root: self.root_id.parse().ok(),
            id: self.id,
            channel: self.channel_id,
            user: self.user_id,
            created_at: Timestamp::from_millis(self.create_at),
        }
    }
}

/// A list of posts. They are kept as JSON values, and only the relay's own posts are parsed.
#[derive(Deserialize)]
struct PostList {
    posts: HashMap<String, Value>,
}

impl PostList {
    fn oldest(&self) -> Option<i64> {
        let times = self
            .posts
            .values()
            .filter_map(|post| post.get("create_at")?.as_i64());
        times.min()
    }
}

impl Mattermost {
    pub(super) async fn create(&self, post: NewPost) -> Result<PostView, ChatError> {
        let own = self.own().await?;
        let pending_post_id = self.pending_post_id(&post);
        let call = MattermostCall::new(Operation::CreatePost, Method::POST, &["posts"]);
        let body = |chars_max| body::create(&post, &pending_post_id, chars_max);
        let made: PostBody = self.ask_fitting(call, post.content.chars(), body).await?;
        // The pending post id is valid for the whole server, so the answer may be the post of another account
        // (src/mattermost/README.md, "Pending post ids").
        let is_ours = made.user_id == own.user_id
            && made.channel_id == post.channel
            && made.key() == Some(post.key.as_str());
        if is_ours {
            Ok(made.view())
        } else {
            Err(ChatError::Refused {
                why: format!(
                    "the server answered with post {}, which is not the one asked for",
                    made.id
                ),
            })
        }
    }

    /// Changes a post. The answer with the changed post confirms the change.
    pub(super) async fn patch(
        &self,
        post: &PostId,
        key: &str,
        content: &Rendered,
    ) -> Result<(), ChatError> {
        let path = ["posts", post.as_str(), "patch"];
        let call = MattermostCall::new(Operation::PatchPost, Method::PUT, &path);
        let body = |chars_max| body::patch(key, content, chars_max);
        let result = self
            .ask_fitting::<PostBody>(call, content.chars(), body)
            .await;
        self.distinguish_forbidden(post, result.map(drop)).await
    }

    pub(super) async fn delete(&self, post: &PostId) -> Result<(), ChatError> {
        let call = MattermostCall::new(
            Operation::PatchPost,
            Method::DELETE,
            &["posts", post.as_str()],
        );
        let result = self.ask::<Confirmed>(call).await;
        self.distinguish_forbidden(post, result.map(drop)).await
    }

    pub(super) async fn read(&self, post: &PostId) -> Result<PostView, ChatError> {
        let call = MattermostCall::new(Operation::Read, Method::GET, &["posts", post.as_str()]);
        let read: PostBody = self.ask(call).await?;
        if read.delete_at > 0 {
            return Err(ChatError::NotFound {
                why: "the post is deleted".to_owned(),
            });
        }
        Ok(read.view())
    }

    /// Changing a post is forbidden both when the post is deleted and when the bot has left the channel. Reading the
    /// post distinguishes the two.
    async fn distinguish_forbidden(
        &self,
        post: &PostId,
        result: Result<(), ChatError>,
    ) -> Result<(), ChatError> {
        let Err(ChatError::Forbidden { why }) = result else {
            return result;
        };
        match self.read(post).await {
            Ok(_) | Err(ChatError::Forbidden { .. }) => Err(ChatError::Forbidden { why }),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn find(
        &self,
        channel: &ChannelId,
        key: &str,
        since: Timestamp,
    ) -> Result<Vec<PostView>, ChatError> {
        // Called first, because its answer also gives the server's clock.
        let own = self.own().await?;
        let since = self
            .server_clock
            .theirs(since)
            .saturating_sub(SINCE_MARGIN_MILLIS)
            .max(1);
        let posts = self.changed(channel, since, Urgency::Urgent).await?;
        let ours = posts
            .into_iter()
            .filter(|post| {
                post.get("user_id").and_then(Value::as_str) == Some(own.user_id.as_str())
            })
            .filter_map(|post| serde_json::from_value::<PostBody>(post).ok())
            // `since` compares the time of the last change, so the list also has older posts.
            .filter(|post| post.delete_at == 0 && post.create_at >= since)
            .filter(|post| post.channel_id == *channel && post.key() == Some(key));
        let mut found: Vec<PostView> = ours.map(PostBody::view).collect();
        found.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        found.dedup_by(|a, b| a.id == b.id);
        Ok(found)
    }

    /// The posts that were created or changed after `since` on the server's clock, in no order, some of them twice.
    pub(super) async fn changed(
        &self,
        channel: &ChannelId,
        since: i64,
        urgency: Urgency,
    ) -> Result<Vec<Value>, ChatError> {
        let query = [("since", since.to_string())];
        let list = self.list(channel, &query, urgency).await?;
        let lists = if list.posts.len() < SINCE_POSTS_MAX {
            vec![list]
        } else {
            self.pages(channel, since, urgency).await?
        };
        let posts = lists.into_iter().flat_map(|list| list.posts.into_values());
        Ok(posts.collect())
    }

    /// Reads pages of posts, newest first, back to `since`.
    async fn pages(
        &self,
        channel: &ChannelId,
        since: i64,
        urgency: Urgency,
    ) -> Result<Vec<PostList>, ChatError> {
        let mut lists = Vec::new();
        for page in 0..PAGES_MAX {
            let query = [("page", page.to_string()), ("per_page", PAGE.to_string())];
            let list = self.list(channel, &query, urgency).await?;
            let is_last =
                list.posts.len() < PAGE || list.oldest().is_none_or(|oldest| oldest < since);
            lists.push(list);
            if is_last {
                return Ok(lists);
            }
        }
        tracing::warn!(%channel, posts = PAGES_MAX * PAGE, "the search for a post stopped after this number of posts");
        Ok(lists)
    }

    async fn list(
        &self,
        channel: &ChannelId,
        query: &[(&'static str, String)],
        urgency: Urgency,
    ) -> Result<PostList, ChatError> {
        let path = ["channels", channel.as_str(), "posts"];
        let mut call = MattermostCall::new(Operation::Read, Method::GET, &path)
            .answer_bytes_max(LIST_BYTES_MAX)
            .urgency(urgency);
        for (name, value) in query {
            call = call.query(name, value);
        }
        self.ask(call).await
    }

    /// The pending post id of a post. It is the same for each attempt, so that the server drops duplicates within 30 s.
    /// It cannot be guessed, so nobody else can make a post that is mistaken for ours. A rotation of the secret between
    /// two attempts changes it. Then only the search before the second attempt and the cleanup after it prevent a
    /// duplicate.
    pub(super) fn pending_post_id(&self, post: &NewPost) -> String {
        let identity = self.identity.load();
        let secret = identity.post_secret.expose_secret();
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(b"pending post\0");
        mac.update(post.channel.as_str().as_bytes());
        mac.update(b"\0");
        mac.update(post.key.as_bytes());
        let tag = mac.finalize().into_bytes();
        format!("relay:{}:{}", post.key, hex::encode(&tag[..16]))
    }
}
