//! One pass: reads the channels that have new posts, and puts on the queue what was not told.

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

/// Younger posts are left to their webhook, unless it is known that some were lost.
const TOLD_WITHIN: Duration = Duration::from_secs(10);
/// Most channels whose posts are read in one pass, those with the newest posts first.
const CHANNELS_MAX: usize = 500;
/// Pause between two channels: other calls to Mattermost go before.
const CHANNEL_PAUSE: Duration = Duration::from_millis(20);

/// Reads the channels, pass by pass.
pub(super) struct PostReader {
    server: ServerName,
    trigger_words: TriggerWords,
    settings: CatchUpSettings,
    /// What was put on the queue already and may be read again, with its time on the server's clock.
    offered: HashMap<PostId, Timestamp>,
}

/// What one pass looks at. Times are on the server's clock but for `our_now`.
struct TimeWindow {
    now: Timestamp,
    our_now: Timestamp,
    instant: Instant,
    since: Timestamp,
    until: Timestamp,
}

impl TimeWindow {
    /// How old a post is.
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
            offered: HashMap::new(),
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
        let found = ctx.deps.chat.own_channels().await?;
        let until = if may_have_missed {
            found.now.plus(CLOCK_MARGIN)
        } else {
            found.now.minus(TOLD_WITHIN)
        };
        let name = cursor_name(&self.server);
        let our_now = ctx.deps.clock.now();
        let kept = ctx.deps.store.setting(&name).await?;
        let cursor = kept.and_then(|kept| Cursor::parse(&kept, found.now, our_now));
        let Some(cursor) = cursor else {
            warn!("it is not known up to when posts were caught up with: from now on they are");
            self.keep(ctx, &name, found.now).await?;
            return Ok(PassResult::Done);
        };
        let oldest = found.now.minus(self.settings.start_deadline_max);
        let window = TimeWindow {
            now: found.now,
            our_now,
            instant: Instant::now(),
            since: cursor.since().max(oldest),
            until,
        };
        let cursor = cursor.at;
        let channels = with_new_posts(found.channels, window.since);
        let mut unread = None;
        for channel in &channels {
            match self.read_when_admitted(ctx, channel, &window).await {
                Ok(()) => {}
                // One channel's trouble holds up no other; all of them are read again.
                Err(CatchUpError::Chat(error @ ChatError::Unavailable { .. })) => {
                    warn!(%error, channel = %channel.id, "a channel cannot be caught up with now");
                    unread = Some(error);
                }
                Err(trouble) => return Err(trouble),
            }
            if !take_duty(ctx).await? {
                return Ok(PassResult::LeftToAnother);
            }
            tokio::time::sleep(CHANNEL_PAUSE).await;
        }
        if let Some(error) = unread {
            return Err(error.into());
        }
        crash_point::reach("catch_up.read");
        let cursor = cursor.max(until.min(found.now));
        let again_from = cursor.minus(OVERLAP);
        self.offered.retain(|_, made| *made > again_from);
        self.keep(ctx, &name, cursor).await?;
        debug!(channels = channels.len(), "posts were caught up with");
        Ok(PassResult::Done)
    }

    async fn keep(
        &self,
        ctx: &WorkerContext,
        name: &str,
        cursor: Timestamp,
    ) -> Result<(), CatchUpError> {
        let cursor = cursor.millis().to_string();
        Ok(ctx.deps.store.put_setting(name, &cursor).await?)
    }

    /// Reads a channel, as often as Mattermost's rate limit asks for a pause: beginning the pass again would read all
    /// channels before it again.
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
            // Archived, or left, since it was listed.
            Err(
                error @ (ChatError::Forbidden { .. }
                | ChatError::NotFound { .. }
                | ChatError::Refused { .. }),
            ) => {
                warn!(%error, channel = %channel.id, "a channel cannot be caught up with");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let triggers = Triggers {
            server: self.server.clone(),
            rules: Arc::clone(&self.settings.rules),
            own_user: self.settings.own_user.clone(),
            // By the times of the posts, as if each had been told when it was made.
            starts: Arc::new(Starts::new(self.settings.starts_per_minute)),
        };
        for post in posts {
            self.take(ctx, &triggers, channel, window, post).await?;
        }
        Ok(())
    }

    async fn take(
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
            debug!(post = %post.id, channel = %channel.id, "the post was heard and refused");
            return Ok(());
        }
        let is_offered = self.offered.contains_key(&post.id);
        let mut user_name = String::new();
        // One that was offered before only counts among the starts of its minute.
        if !is_offered {
            let chat = ctx.deps.chat.as_ref();
            let words = &mut self.trigger_words;
            if !words.are_told(chat, channel, &post.text).await? {
                debug!(post = %post.id, channel = %channel.id, "no webhook would have told of the post: its first word is no trigger word");
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
                debug!(post = %post.id, channel = %channel.id, "too many starts in a minute");
                return Ok(());
            }
        };
        if !is_offered && offer(ctx, window, &post, origin, fact).await? {
            self.offered.insert(post.id, post.created_at);
        }
        Ok(())
    }
}

/// Puts on the queue what the webhook of a post would have, unless it is too late; whether it did.
async fn offer(
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
        debug!(post = %post.id, "too old to be caught up with");
        return Ok(false);
    }
    let event = Event {
        id: EventId::from_uuid(Uuid::now_v7()),
        origin,
        // The person has waited since then.
        received_at: window.our_now.minus(age),
        fact,
    };
    debug!(event.id = %event.id, post = %post.id, age_ms = age.as_millis(), "a post that asks for a meeting is caught up with");
    let posting = event_posting(event, ctx.deps.clock.now());
    ctx.deps.queue.accept(&posting).await?;
    crash_point::reach("catch_up.accepted");
    Ok(true)
}

/// The name as a webhook would have told it; the id where it may not be known.
async fn name_of(ctx: &WorkerContext, user: &UserId) -> Result<String, ChatError> {
    match ctx.deps.chat.account(user).await {
        Ok(account) => Ok(account.user_name),
        Err(
            ChatError::NotFound { .. } | ChatError::Forbidden { .. } | ChatError::Refused { .. },
        ) => Ok(user.as_str().to_owned()),
        Err(error) => Err(error),
    }
}

/// The channels with posts after `since`, those with the newest first.
fn with_new_posts(mut channels: Vec<OwnChannel>, since: Timestamp) -> Vec<OwnChannel> {
    channels.retain(|channel| channel.last_post_at > since);
    channels.sort_by_key(|channel| std::cmp::Reverse(channel.last_post_at));
    if channels.len() > CHANNELS_MAX {
        warn!(
            channels = channels.len(),
            read = CHANNELS_MAX,
            "more channels have new posts than are caught up with; the rest is passed over"
        );
        channels.truncate(CHANNELS_MAX);
    }
    channels
}

/// As an outgoing webhook tells it: outside any thread.
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
