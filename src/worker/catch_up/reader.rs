//! One pass: reads the channels that have new posts, and puts on the queue what was not told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, warn};
use uuid::Uuid;

use crate::crash_point;
use crate::domain::{
    Event, EventId, Fact, Origin, Person, Place, PlaceKind, PostId, ServerName, Timestamp, UserId,
};
use crate::envelope::event_posting;
use crate::ports::{ChatError, OwnChannel, PublishError, WrittenPost};
use crate::trigger::{Asked, Starts, Triggers, Written};

use super::super::Shop;
use super::cursor::{CLOCK_MARGIN, Cursor, OVERLAP, cursor_name};
use super::trigger_words::TriggerWords;
use super::{CatchUpSettings, PAUSE_MIN, Pass, THROTTLED_MAX, Trouble, take_duty};

/// Younger posts are left to their webhook, unless it is known that some were lost.
const TOLD_WITHIN: Duration = Duration::from_secs(10);
/// Most channels whose posts are read in one pass, those with the newest posts first.
const CHANNELS_MAX: usize = 500;
/// Pause between two channels: other calls to Mattermost go before.
const CHANNEL_PAUSE: Duration = Duration::from_millis(20);

/// Reads the channels, pass by pass.
pub(super) struct Reader {
    server: ServerName,
    trigger_words: TriggerWords,
    settings: CatchUpSettings,
    /// What was put on the queue already and may be read again, with its time on the server's clock.
    offered: HashMap<PostId, Timestamp>,
}

/// What one pass looks at. Times are on the server's clock but for `our_now`.
struct Window {
    now: Timestamp,
    our_now: Timestamp,
    instant: Instant,
    since: Timestamp,
    until: Timestamp,
}

impl Window {
    /// How old a post is.
    fn age(&self, post: &WrittenPost) -> Duration {
        self.now.since(post.created_at)
    }
}

impl Reader {
    pub(super) fn new(settings: CatchUpSettings) -> Self {
        Self {
            server: ServerName::default_server(),
            trigger_words: TriggerWords::new(settings.trigger_words.clone()),
            settings,
            offered: HashMap::new(),
        }
    }

    pub(super) async fn pass(&mut self, shop: &Shop, is_after_gap: bool) -> Result<Pass, Trouble> {
        if !take_duty(shop).await? {
            return Ok(Pass::LeftToAnother);
        }
        let own = shop.deps.chat.own_account().await?;
        self.settings.own_user.set(own.user_id);
        let found = shop.deps.chat.own_channels().await?;
        let until = if is_after_gap {
            found.now.plus(CLOCK_MARGIN)
        } else {
            found.now.minus(TOLD_WITHIN)
        };
        let name = cursor_name(&self.server);
        let our_now = shop.deps.clock.now();
        let kept = shop.deps.store.setting(&name).await?;
        let cursor = kept.and_then(|kept| Cursor::parse(&kept, found.now, our_now));
        let Some(cursor) = cursor else {
            warn!("it is not known up to when posts were caught up with: from now on they are");
            self.keep(shop, &name, found.now).await?;
            return Ok(Pass::Done);
        };
        let oldest = found.now.minus(self.settings.worth_max);
        let window = Window {
            now: found.now,
            our_now,
            instant: Instant::now(),
            since: cursor.since().max(oldest),
            until,
        };
        let cursor = cursor.at;
        let channels = with_news(found.channels, window.since);
        let mut unread = None;
        for channel in &channels {
            match self.read_when_admitted(shop, channel, &window).await {
                Ok(()) => {}
                // One channel's trouble holds up no other; all of them are read again.
                Err(Trouble::Chat(error @ ChatError::Unavailable { .. })) => {
                    warn!(%error, channel = %channel.id, "a channel cannot be caught up with now");
                    unread = Some(error);
                }
                Err(trouble) => return Err(trouble),
            }
            if !take_duty(shop).await? {
                return Ok(Pass::LeftToAnother);
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
        self.keep(shop, &name, cursor).await?;
        debug!(channels = channels.len(), "posts were caught up with");
        Ok(Pass::Done)
    }

    async fn keep(&self, shop: &Shop, name: &str, cursor: Timestamp) -> Result<(), Trouble> {
        let cursor = cursor.millis().to_string();
        Ok(shop.deps.store.put_setting(name, &cursor).await?)
    }

    /// Reads a channel, as often as Mattermost's rate limit asks for a pause: beginning the pass again would read all
    /// channels before it again.
    async fn read_when_admitted(
        &mut self,
        shop: &Shop,
        channel: &OwnChannel,
        window: &Window,
    ) -> Result<(), Trouble> {
        loop {
            match self.read(shop, channel, window).await {
                Err(Trouble::Chat(ChatError::Throttled { after })) => {
                    let pause = after.unwrap_or_default();
                    tokio::time::sleep(pause.clamp(PAUSE_MIN, THROTTLED_MAX)).await;
                }
                other => return other,
            }
        }
    }

    async fn read(
        &mut self,
        shop: &Shop,
        channel: &OwnChannel,
        window: &Window,
    ) -> Result<(), Trouble> {
        let posts = match shop
            .deps
            .chat
            .written_posts(&channel.id, window.since)
            .await
        {
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
            self.take(shop, &triggers, channel, window, post).await?;
        }
        Ok(())
    }

    async fn take(
        &mut self,
        shop: &Shop,
        triggers: &Triggers,
        channel: &OwnChannel,
        window: &Window,
        post: WrittenPost,
    ) -> Result<(), Trouble> {
        let place = place(&self.server, channel);
        if post.created_at > window.until || !triggers.is_candidate(&place, &post.user, &post.text)
        {
            return Ok(());
        }
        if self.settings.gap.was_refused(&post.id) {
            debug!(post = %post.id, channel = %channel.id, "the post was heard and refused");
            return Ok(());
        }
        let is_offered = self.offered.contains_key(&post.id);
        let mut user_name = String::new();
        // One that was offered before only counts among the starts of its minute.
        if !is_offered {
            let chat = shop.deps.chat.as_ref();
            let words = &mut self.trigger_words;
            if !words.are_told(chat, channel, &post.text).await? {
                debug!(post = %post.id, channel = %channel.id, "no webhook would have told of the post: its first word is no trigger word");
                return Ok(());
            }
            user_name = name_of(shop, &post.user).await?;
        }
        let by = Person {
            user_name,
            user_id: post.user.clone(),
        };
        let written = Written {
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
        if !is_offered && offer(shop, window, &post, origin, fact).await? {
            self.offered.insert(post.id, post.created_at);
        }
        Ok(())
    }
}

/// Puts on the queue what the webhook of a post would have, unless it is too late; whether it did.
async fn offer(
    shop: &Shop,
    window: &Window,
    post: &WrittenPost,
    origin: Origin,
    fact: Fact,
) -> Result<bool, PublishError> {
    let age = window.age(post);
    if let Fact::MeetingRequested { rule, .. } = &fact
        && age >= rule.worth
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
    let posting = event_posting(event, shop.deps.clock.now());
    shop.deps.queue.accept(&posting).await?;
    crash_point::reach("catch_up.accepted");
    Ok(true)
}

/// The name as a webhook would have told it; the id where it may not be known.
async fn name_of(shop: &Shop, user: &UserId) -> Result<String, ChatError> {
    match shop.deps.chat.account(user).await {
        Ok(account) => Ok(account.user_name),
        Err(
            ChatError::NotFound { .. } | ChatError::Forbidden { .. } | ChatError::Refused { .. },
        ) => Ok(user.as_str().to_owned()),
        Err(error) => Err(error),
    }
}

/// The channels with posts after `since`, those with the newest first.
fn with_news(mut channels: Vec<OwnChannel>, since: Timestamp) -> Vec<OwnChannel> {
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
fn place(server: &ServerName, channel: &OwnChannel) -> Place {
    Place {
        server: server.clone(),
        team: Some(channel.team.clone()),
        team_name: channel.team_name.clone(),
        channel: channel.id.clone(),
        channel_name: channel.name.clone(),
        thread: None,
        kind: PlaceKind::Channel,
    }
}

#[cfg(test)]
mod tests;
