//! Catching up: Mattermost tells each post only once, so what was written while nothing reached the relay is looked
//! for in the public channels of its account: after the start, after a trigger that could not be taken, and every so
//! often, because nobody can see that he was out of reach.
//!
//! The cursor (a setting of the store, on Mattermost's clock) tells up to when posts were looked at; it moves only
//! after whatever was found is durable. A post that was told as well has the same key, so that apply drops it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::crash_point;
use crate::domain::rule::Rules;
use crate::domain::{
    Event, EventId, Fact, Person, Place, PlaceKind, PostId, ServerName, Timestamp, UserId,
};
use crate::log_throttle::LogThrottle;
use crate::ports::{
    ChatError, Duty, Lease, OwnChannel, PublishError, Store, StoreError, WrittenPost,
};
use crate::trigger::{Asked, Gap, OwnUser, Starts, Triggers, Written};

use super::{Shop, publish};
use trigger_words::TriggerWords;

/// The setting of the store in which the cursor is kept, before the server's name.
const CURSOR: &str = "caught_up_to:";
/// Before a cursor that is on our clock.
const OURS: &str = "ours:";
/// So much before the cursor is looked at again: a post may show up later than its own time says, and the starts of
/// the last minute count for the next ones.
const OVERLAP: Duration = Duration::from_secs(60);
/// How far the server's clock may be from what is known of it.
const CLOCK_MARGIN: Duration = Duration::from_secs(1);
/// Younger posts are left to their webhook, unless it is known that some were lost.
const TOLD_WITHIN: Duration = Duration::from_secs(10);
/// Most channels whose posts are read in one pass, those with the newest posts first.
const CHANNELS_MAX: usize = 500;
/// Pause between two channels: other calls to Mattermost go before.
const CHANNEL_PAUSE: Duration = Duration::from_millis(20);
/// Pause after a pass that failed.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Pause between two passes at least, however often the door asks for one.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause that a throttling Mattermost can ask for.
const THROTTLED_MAX: Duration = Duration::from_secs(300);

/// How posts are caught up with.
#[derive(Debug, Clone)]
pub struct CatchUpSettings {
    /// What starts meetings.
    pub rules: Arc<Rules>,
    /// With these first words Mattermost tells posts, where it does not say so itself.
    pub trigger_words: Vec<String>,
    /// Whose posts never do.
    pub own_user: OwnUser,
    /// Tells that some may have been lost at the door.
    pub gap: Gap,
    /// Most starts of one person in one channel within a minute; each channel is read and counted by itself.
    pub starts_per_minute: usize,
    /// The longest `worth` of all rules: older posts are not even read.
    pub worth_max: Duration,
    /// How often to look.
    pub every: Duration,
}

/// How a pass went.
enum Pass {
    /// The cursor moved.
    Done,
    /// Another replica has the duty.
    LeftToAnother,
}

/// Why a pass was not finished. The next one begins at the same cursor.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Chat(#[from] ChatError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] PublishError),
}

/// Notes that the relay is there from now on, unless it was before: what was written earlier asked somebody else.
///
/// # Errors
/// The store does not take it.
pub async fn begin_catching_up(store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
    let name = cursor_name(&ServerName::default_server());
    let value = format!("{OURS}{}", now.millis());
    store.setting_or_insert(&name, &value).await.map(drop)
}

/// Runs until the workers are stopped.
pub(super) async fn run(shop: Arc<Shop>, settings: CatchUpSettings) {
    let gap = settings.gap.clone();
    let every = settings.every;
    let mut reader = Reader {
        server: ServerName::default_server(),
        trigger_words: TriggerWords::new(settings.trigger_words.clone()),
        settings,
        offered: HashMap::new(),
    };
    let trouble_told = LogThrottle::default();
    let owner = shop.settings.instance.clone();
    // Nothing was heard while the relay did not run.
    let mut is_after_gap = true;
    loop {
        let passed = tokio::select! {
            () = shop.stop.cancelled() => None,
            passed = under_duty(&shop, reader.pass(&shop, is_after_gap)) => Some(passed),
        };
        if let Err(error) = shop.deps.store.drop_lease(Duty::CatchUp, &owner).await {
            debug!(%error, "the duty to catch up is given back when its time is over");
        }
        let Some(passed) = passed else {
            return;
        };
        let (shortest, pause) = match passed {
            // Another replica may have looked before the gap was over.
            Ok(Pass::LeftToAnother) => (every.min(AGAIN_AFTER), every.min(AGAIN_AFTER)),
            Ok(Pass::Done) => {
                if trouble_told.clear() {
                    info!("the relay catches up with posts again");
                }
                is_after_gap = false;
                (every.min(PAUSE_MIN), every)
            }
            Err(trouble) => {
                if trouble_told.is_news() {
                    warn!(error = %trouble, "the relay cannot catch up with posts that Mattermost may have told in vain: it is tried again");
                }
                let pause = match trouble {
                    Trouble::Chat(ChatError::Throttled { after: Some(after) }) => {
                        after.clamp(AGAIN_AFTER, THROTTLED_MAX)
                    }
                    _ => every.min(AGAIN_AFTER),
                };
                (pause, pause)
            }
        };
        tokio::select! {
            () = shop.stop.cancelled() => return,
            () = async { tokio::time::sleep(shortest).await; gap.awaited().await } => is_after_gap = true,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Reads the channels, pass by pass.
struct Reader {
    server: ServerName,
    trigger_words: TriggerWords,
    settings: CatchUpSettings,
    /// What was put on the queue already and may be read again, with its time on the server's clock.
    offered: HashMap<PostId, Timestamp>,
}

/// Up to when posts were looked at, on the server's clock.
struct Cursor {
    at: Timestamp,
    /// Nothing before is meant for us.
    is_first: bool,
}

impl Cursor {
    /// Reads it; `None` if it cannot be one. Mattermost's clock was not known yet when the first one was written.
    fn parse(text: &str, now: Timestamp, our_now: Timestamp) -> Option<Self> {
        let (is_first, millis) = match text.strip_prefix(OURS) {
            Some(ours) => (true, ours),
            None => (false, text),
        };
        let kept = Timestamp::from_millis(millis.parse().ok()?);
        let at = if is_first {
            now.minus(our_now.since(kept))
        } else {
            kept
        };
        Some(Self {
            at: at.min(now),
            is_first,
        })
    }

    fn since(&self) -> Timestamp {
        self.at
            .minus(if self.is_first { CLOCK_MARGIN } else { OVERLAP })
    }
}

fn cursor_name(server: &ServerName) -> String {
    format!("{CURSOR}{server}")
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
    async fn pass(&mut self, shop: &Shop, is_after_gap: bool) -> Result<Pass, Trouble> {
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
        let chat = shop.deps.chat.as_ref();
        if !is_offered
            && !self
                .trigger_words
                .are_told(chat, channel, &post.text)
                .await?
        {
            debug!(post = %post.id, channel = %channel.id, "no webhook would have told of the post: its first word is no trigger word");
            return Ok(());
        }
        let by = Person {
            user_name: match is_offered {
                // It only counts among the starts of its minute.
                true => String::new(),
                false => user_name(shop, &post.user).await?,
            },
            user_id: post.user.clone(),
        };
        let age = window.age(&post);
        let written = Written {
            post: post.id.clone(),
            place,
            by,
            text: &post.text,
            caught_up: true,
        };
        let at = window.instant.checked_sub(age).unwrap_or(window.instant);
        let (origin, fact) = match triggers.asked(written, at) {
            Asked::For { origin, fact } => (origin, *fact),
            Asked::Nothing(_) => return Ok(()),
            Asked::TooMuch => {
                debug!(post = %post.id, channel = %channel.id, "too many starts in a minute");
                return Ok(());
            }
        };
        if is_offered {
            return Ok(());
        }
        if let Fact::MeetingRequested { rule, .. } = &fact
            && age >= rule.worth
        {
            debug!(post = %post.id, channel = %channel.id, "too old to be caught up with");
            return Ok(());
        }
        let event = Event {
            id: EventId::from_uuid(Uuid::now_v7()),
            origin,
            // The person has waited since then.
            received_at: window.our_now.minus(age),
            fact,
        };
        debug!(event.id = %event.id, post = %post.id, channel = %channel.id, age_ms = age.as_millis(), "a post that asks for a meeting is caught up with");
        let posting = publish::event_posting(event, shop.deps.clock.now());
        shop.deps.queue.accept(&posting).await?;
        crash_point::reach("catch_up.accepted");
        self.offered.insert(post.id, post.created_at);
        Ok(())
    }
}

/// Renews the duty while `pass` waits for a slow Mattermost. A pass that does not have the duty ends before.
async fn under_duty<T>(shop: &Shop, pass: impl Future<Output = T>) -> T {
    tokio::pin!(pass);
    loop {
        tokio::select! {
            passed = &mut pass => return passed,
            () = tokio::time::sleep(shop.settings.lease / 3) => {
                if let Err(error) = take_duty(shop).await {
                    debug!(%error, "the duty to catch up cannot be renewed");
                }
            }
        }
    }
}

/// Takes or renews the duty, for as long as a card's lease; false while another replica has it.
async fn take_duty(shop: &Shop) -> Result<bool, StoreError> {
    let (owner, now) = (&shop.settings.instance, shop.deps.clock.now());
    let store = &shop.deps.store;
    let lease = store.take_lease(Duty::CatchUp, owner, now, shop.settings.lease);
    Ok(matches!(lease.await?, Lease::Taken { .. }))
}

/// The name as a webhook would have told it; the id where it may not be known.
async fn user_name(shop: &Shop, user: &UserId) -> Result<String, ChatError> {
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
mod trigger_words;
