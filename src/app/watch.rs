//! What is checked periodically: the relay's own user id in Mattermost, the depths of the queues, and whether the peers
//! answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::crash_point;
use crate::domain::{Peer, UserId};
use crate::log_throttle::LogThrottle;
use crate::ports::{ChatError, Clock, DeliveryMethod, Queue, Store};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::labels::Check;
use crate::trigger::OwnUser;
use crate::worker::{BreakerState, Deps};

use super::AppContext;
use super::queue::{self, QueueSide};
use super::spool::SpoolSide;

/// Time between two updates of the gauges.
const GAUGES_EVERY: Duration = Duration::from_secs(2);
/// Time between two requests for the relay's own user id, until Mattermost has answered.
const OWN_USER_EVERY: Duration = Duration::from_secs(5);
/// Time between two such requests after that. They find a revoked token before people do, even if no job calls
/// Mattermost.
const OWN_USER_AGAIN_EVERY: Duration = Duration::from_secs(60);
/// A peer that answered within this time counts as reachable.
const REACHED_WITHIN: Duration = Duration::from_secs(600);
/// Deadline for reading the relay's own user id from the store.
const REMEMBERED_WITHIN: Duration = Duration::from_secs(1);
/// The store's setting that holds the relay's own user id.
const OWN_USER: &str = "bot_user_id";

/// The parts that the watchers use.
pub(super) struct WatchedParts {
    pub(super) deps: Deps,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) side: QueueSide,
    pub(super) spool: SpoolSide,
    pub(super) own_user: OwnUser,
    /// Notified when Mattermost should be asked at once for the relay's own user id.
    pub(super) renewed: Arc<Notify>,
    pub(super) context: AppContext,
}

impl WatchedParts {
    /// Starts the watchers.
    pub(super) fn start(self, watchers: &mut JoinSet<()>) {
        let Self {
            deps,
            queue,
            side,
            spool,
            own_user,
            renewed,
            context,
        } = self;
        // Notices have no account that Mattermost could name, and they do not fire an outgoing webhook
        // (src/mattermost/README.md, "Which posts fire").
        if deps.chat.kind() == DeliveryMethod::Posts {
            watchers.spawn(watch_own_user(deps.clone(), own_user, renewed));
        }
        let readiness = watch_readiness(Arc::clone(&queue), side, spool, context.clone());
        watchers.spawn(readiness);
        watchers.spawn(watch_gauges(deps, queue, context));
    }
}

/// Reads the relay's own user id that Mattermost last reported, before the first post can come. It does not wait for an
/// unavailable store.
pub(super) async fn remember_own_user(store: &dyn Store, own_user: &OwnUser) {
    let kept = tokio::time::timeout(REMEMBERED_WITHIN, store.setting(OWN_USER)).await;
    if let Ok(Ok(Some(kept))) = kept
        && let Ok(user) = kept.parse::<UserId>()
    {
        own_user.set(user);
    }
}

/// Reads the relay's own user id from Mattermost and stores it, so that own posts are recognized after a restart while
/// Mattermost is unavailable.
async fn watch_own_user(deps: Deps, own_user: OwnUser, renewed: Arc<Notify>) {
    let unavailable = LogThrottle::default();
    loop {
        let pause = match deps.chat.own_account().await {
            Ok(account) => {
                if unavailable.clear() {
                    tracing::info!("Mattermost reports the relay's own user id again");
                }
                own_user.set(account.user_id.clone());
                let kept = deps
                    .store
                    .put_setting(OWN_USER, account.user_id.as_str())
                    .await;
                if let Err(error) = kept {
                    tracing::warn!(%error, "the relay's own user id could not be stored");
                }
                OWN_USER_AGAIN_EVERY
            }
            // The client has already logged it, as for any call.
            Err(ChatError::Unauthorized { .. }) => OWN_USER_EVERY,
            Err(error) => {
                if unavailable.should_log() {
                    tracing::warn!(%error, "Mattermost does not report the relay's own user id: is it up, and is mattermost.url right? Cards wait meanwhile");
                }
                OWN_USER_EVERY
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = renewed.notified() => {}
        }
    }
}

/// Keeps readiness up to date: whether events can be made durable. It waits for no peer, so that readiness stays
/// correct when a peer hangs.
async fn watch_readiness(
    queue: Arc<dyn Queue>,
    mut side: QueueSide,
    spool: SpoolSide,
    context: AppContext,
) {
    let AppContext {
        metrics, readiness, ..
    } = context;
    loop {
        crash_point::reach("watch.readiness");
        readiness.beat();
        let is_durable = side.update_readiness(&readiness, queue.as_ref()).await;
        let spooling = spool.update_gauges(&metrics).await;
        // Either RabbitMQ or the spool is enough to make an event durable.
        readiness.set(Check::Queue, is_durable || spooling.has_room);
        readiness.set(Check::Spool, spooling.is_well);
        tokio::select! {
            () = side.changed() => {}
            () = tokio::time::sleep(GAUGES_EVERY) => {}
        }
    }
}

async fn watch_gauges(deps: Deps, queue: Arc<dyn Queue>, context: AppContext) {
    let AppContext {
        metrics, readiness, ..
    } = context;
    loop {
        if let Some(depths) = queue::depths(queue.as_ref()).await {
            queue::show(&depths, &metrics);
        }
        let running = deps.store.count_running().await;
        readiness.set(Check::Store, running.is_ok());
        if let Ok(running) = running {
            metrics
                .meetings_active
                .with(())
                .set(i64::try_from(running).unwrap_or(i64::MAX));
        }
        if let Ok(dead) = deps.store.count_dead_letters().await {
            metrics
                .dead_letters
                .with(())
                .set(i64::try_from(dead).unwrap_or(i64::MAX));
        }
        for peer in Peer::ALL {
            // With notices, Mattermost is called only when there is something to post.
            let is_asked = peer != Peer::Mattermost || deps.chat.kind() == DeliveryMethod::Posts;
            let is_reached = was_reached(&metrics, peer, is_asked, deps.clock.as_ref());
            readiness.set_reached(peer, is_reached);
        }
        tokio::time::sleep(GAUGES_EVERY).await;
    }
}

/// Whether the peer answered within [`REACHED_WITHIN`], or has not been failing since its last answer.
fn was_reached(metrics: &Metrics, peer: Peer, is_asked: bool, clock: &dyn Clock) -> bool {
    let last = metrics
        .downstream_last_success_timestamp_seconds
        .with(peer)
        .get();
    let now = Duration::from_millis(u64::try_from(clock.now().millis()).unwrap_or(0));
    let is_fresh = last + REACHED_WITHIN.as_secs_f64() > now.as_secs_f64();
    let is_open = metrics
        .circuit_breaker_state
        .with((peer, BreakerState::Open))
        .get()
        == 1;
    (last > 0.0 || !is_asked) && (is_fresh || !is_open)
}
