//! One pass of the catch-up. It reads the channels that have new posts, and publishes the triggers whose webhooks may
//! have been lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, warn};
use uuid::Uuid;

use crate::crash_point;
use crate::domain::{
    Conversation, ConversationKind, Event, EventId, Fact, Origin, Person, PostId, ServerName,
    Timestamp, UserId,
};
use crate::envelope::event_posting;
use crate::ports::{ChatError, OwnChannel, PublishError, WrittenPost};
use crate::trigger::{Asked, CandidatePost, Starts, Triggers};

use super::super::WorkerContext;
use super::cursor::{CLOCK_MARGIN, Cursor, OVERLAP, cursor_name};
use super::trigger_words::TriggerWords;
use super::{CatchUpError, CatchUpSettings, PAUSE_MIN, PassResult, THROTTLED_MAX, take_duty};

/// Younger posts are left to their webhook, unless some are known to be missed.
const WEBHOOK_WITHIN: Duration = Duration::from_secs(10);
/// Most channels that are read in one pass, those with the newest posts first.
const CHANNELS_MAX: usize = 500;
/// Pause between two channels, so that other calls to Mattermost are not delayed.
const CHANNEL_PAUSE: Duration = Duration::from_millis(20);

/// Reads the channels in one pass after the other.
pub(super) struct PostReader {
    server: ServerName,
    trigger_words: TriggerWords,
    settings: CatchUpSettings,
    /// Posts that were published already and may be read again, with their times on the server's clock.
    published: HashMap<PostId, Timestamp>,
}

/// The period that one pass reads. All times except `our_now` are on the server's clock.
struct TimeWindow {
    now: Timestamp,
    our_now: Timestamp,
    instant: Instant,
    since: Timestamp,
    until: Timestamp,
}

impl TimeWindow {
    /// The age of a post at the start of the pass.
    fn age(&self, post: &WrittenPost) -> Duration {
        self.now.since(post.created_at)
    }
}

impl PostReader {
    pub(super) fn new(settings: CatchUpSettings) -> Self {
        Self {
            server: ServerName::default_server(),
            trigger_words: TriggerWords::new(settings.trigger_words.clone()),
            settings,
            published: HashMap::new(),
        }
    }

    pub(super) async fn pass(
        &mut self,
        ctx: &WorkerContext,
        may_have_missed: bool,
    ) -> Result<PassResult, CatchUpError> {
        if !take_duty(ctx).await? {
            return Ok(PassResult::LeftToAnother);
        }
        let own = ctx.deps.chat.own_account().await?;
        self.settings.own_user.set(own.user_id);
        let listed = ctx.deps.chat.own_channels().await?;
        let until = if may_have_missed {
            listed.now.plus(CLOCK_MARGIN)
        } else {
            listed.now.minus(WEBHOOK_WITHIN)
        };
        let name = cursor_name(&self.server);
        let our_now = ctx.deps.clock.now();
        let kept = ctx.deps.store.setting(&name).await?;
        let cursor = kept.and_then(|kept| Cursor::parse(&kept, listed.now, our_now));
        let Some(cursor) = cursor else {
            warn!("the catch-up has no valid cursor; posts are caught up from now on");
            self.store_cursor(ctx, &name, listed.now).await?;
            return Ok(PassResult::Done);
        };
        let oldest = listed.now.minus(self.settings.start_deadline_max);
        let window = TimeWindow {
            now: listed.now,
            our_now,
            instant: Instant::now(),
            since: cursor.since().max(oldest),
            until,
        };
        let cursor = cursor.at;
        let channels = with_new_posts(listed.channels, window.since);
        if !self.read_all(ctx, &channels, &window).await? {
            return Ok(PassResult::LeftToAnother);
        }
        crash_point::reach("catch_up.read");
        let cursor = cursor.max(until.min(listed.now));
        let again_from = cursor.minus(OVERLAP);
        self.published.retain(|_, made| *made > again_from);
        self.store_cursor(ctx, &name, cursor).await?;
        debug!(channels = channels.len(), "catch-up pass finished");
        Ok(PassResult::Done)
    }

    /// Reads every channel. `false`: another replica has the duty now.
    async fn read_all(
        &mut self,
        ctx: &WorkerContext,
        channels: &[OwnChannel],
        window: &TimeWindow,
    ) -> Result<bool, CatchUpError> {
        let mut unread = None;
        for channel in channels {
            match self.read_when_admitted(ctx, channel, window).await {
                Ok(()) => {}
                // A failure in one channel does not stop the others. The next pass reads all of them again.
                Err(CatchUpError::Chat(error @ ChatError::Unavailable { .. })) => {
                    warn!(%error, channel = %channel.id, "a channel cannot be read now; it is read again in the next pass");
                    unread = Some(error);
                }
                Err(failure) => return Err(failure),
            }
            if !take_duty(ctx).await? {
                return Ok(false);
            }
            tokio::time::sleep(CHANNEL_PAUSE).await;
        }
        unread.map_or(Ok(true), |error| Err(error.into()))
    }

    async fn store_cursor(
        &self,
        ctx: &WorkerContext,
        name: &str,
        cursor: Timestamp,
    ) -> Result<(), CatchUpError> {
        let cursor = cursor.millis().to_string();
        Ok(ctx.deps.store.put_setting(name, &cursor).await?)
    }

    /// Reads a channel, and tries again after each pause that Mattermost's rate limit asks for. A new pass would read
    /// all previous channels again.
    async fn read_when_admitted(
        &mut self,
        ctx: &WorkerContext,
        channel: &OwnChannel,
        window: &TimeWindow,
    ) -> Result<(), CatchUpError> {
        loop {
            match self.read(ctx, channel, window).await {
                Err(CatchUpError::Chat(ChatError::Throttled { after })) => {
                    let pause = after.unwrap_or_default();
                    tokio::time::sleep(pause.clamp(PAUSE_MIN, THROTTLED_MAX)).await;
                }
                other => return other,
            }
        }
    }

    async fn read(
        &mut self,
        ctx: &WorkerContext,
        channel: &OwnChannel,
        window: &TimeWindow,
    ) -> Result<(), CatchUpError> {
        let posts = match ctx.deps.chat.written_posts(&channel.id, window.since).await {
            Ok(posts) => posts,
            // The channel was archived, or the account has left it, since it was listed.
            Err(
                error @ (ChatError::Forbidden { .. }
                | ChatError::NotFound { .. }
                | ChatError::Refused { .. }),
            ) => {
                warn!(%error, channel = %channel.id, "a channel cannot be read; its posts are skipped");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let triggers = Triggers {
            server: self.server.clone(),
            rules: Arc::clone(&self.settings.rules),
            own_user: self.settings.own_user.clone(),
            // The limit counts by the times of the posts, as if each webhook had arrived when its post was written.
            starts: Arc::new(Starts::new(self.settings.starts_per_minute)),
        };
        for post in posts {
            self.read_post(ctx, &triggers, channel, window, post)
                .await?;
        }
        Ok(())
    }

    async fn read_post(
        &mut self,
        ctx: &WorkerContext,
        triggers: &Triggers,
        channel: &OwnChannel,
        window: &TimeWindow,
        post: WrittenPost,
    ) -> Result<(), CatchUpError> {
        let place = place(&self.server, channel);
        if post.created_at > window.until || !triggers.is_candidate(&place, &post.user, &post.text)
        {
            return Ok(());
        }
        if self.settings.missed_posts.was_refused(&post.id) {
            debug!(post = %post.id, channel = %channel.id, "the ingress received and refused the post");
            return Ok(());
        }
        let is_published = self.published.contains_key(&post.id);
        let mut user_name = String::new();
        // A post that was published before only counts towards the limit of starts.
        if !is_published {
            let chat = ctx.deps.chat.as_ref();
            let words = &mut self.trigger_words;
            if !words.cover(chat, channel, &post.text).await? {
                debug!(post = %post.id, channel = %channel.id, "no webhook would have sent the post: its first word is not a trigger word");
                return Ok(());
            }
            user_name = name_of(ctx, &post.user).await?;
        }
        let by = Person {
            user_name,
            user_id: post.user.clone(),
        };
        let written = CandidatePost {
            post: post.id.clone(),
            place,
            by,
            text: &post.text,
            caught_up: true,
        };
        let at = window
            .instant
            .checked_sub(window.age(&post))
            .unwrap_or(window.instant);
        let (origin, fact) = match triggers.asked(written, at) {
            Asked::For { origin, fact } => (origin, *fact),
            Asked::Nothing(_) => return Ok(()),
            Asked::TooMuch => {
                debug!(post = %post.id, channel = %channel.id, "too many starts within a minute");
                return Ok(());
            }
        };
        if !is_published && publish(ctx, window, &post, origin, fact).await? {
            self.published.insert(post.id, post.created_at);
        }
        Ok(())
    }
}

/// Publishes the event that the webhook of a post would have caused, unless it is too late. Returns whether it was
/// published.
async fn publish(
    ctx: &WorkerContext,
    window: &TimeWindow,
    post: &WrittenPost,
    origin: Origin,
    fact: Fact,
) -> Result<bool, PublishError> {
    let age = window.age(post);
    if let Fact::MeetingRequested { rule, .. } = &fact
        && age >= rule.start_deadline
    {
        debug!(post = %post.id, "the post is older than its rule's start_deadline");
        return Ok(false);
    }
    let event = Event {
        id: EventId::from_uuid(Uuid::now_v7()),
        origin,
        // The person has waited since the post was written.
        received_at: window.our_now.minus(age),
        fact,
    };
    debug!(event.id = %event.id, post = %post.id, age_ms = age.as_millis(), "missed post published");
    let posting = event_posting(event, ctx.deps.clock.now());
    ctx.deps.queue.accept(&posting).await?;
    crash_point::reach("catch_up.accepted");
    Ok(true)
}

/// The name that a webhook would have sent. It is the user's id where the account may not read the name.
async fn name_of(ctx: &WorkerContext, user: &UserId) -> Result<String, ChatError> {
    match ctx.deps.chat.account(user).await {
        Ok(account) => Ok(account.user_name),
        Err(
            ChatError::NotFound { .. } | ChatError::Forbidden { .. } | ChatError::Refused { .. },
        ) => Ok(user.as_str().to_owned()),
        Err(error) => Err(error),
    }
}

/// The channels with posts after `since`, those with the newest posts first, at most [`CHANNELS_MAX`].
fn with_new_posts(mut channels: Vec<OwnChannel>, since: Timestamp) -> Vec<OwnChannel> {
    channels.retain(|channel| channel.last_post_at > since);
    channels.sort_by_key(|channel| std::cmp::Reverse(channel.last_post_at));
    if channels.len() > CHANNELS_MAX {
        warn!(
            channels = channels.len(),
            read = CHANNELS_MAX,
            "more channels have new posts than one pass reads; the others are skipped"
        );
        channels.truncate(CHANNELS_MAX);
    }
    channels
}

/// The conversation as an outgoing webhook reports it: outside any thread.
fn place(server: &ServerName, channel: &OwnChannel) -> Conversation {
    Conversation {
        server: server.clone(),
        team: Some(channel.team.clone()),
        team_name: channel.team_name.clone(),
        channel: channel.id.clone(),
        channel_name: channel.name.clone(),
        thread: None,
        kind: ConversationKind::Channel,
    }
}

#[cfg(test)]
mod tests;
