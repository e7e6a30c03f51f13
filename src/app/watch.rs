//! What is looked at again and again: who the relay is in Mattermost, how full the queues are, whether the peers answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::config::WayOut;
use crate::crash_point;
use crate::domain::UserId;
use crate::ports::{ChatError, Clock, Queue, Store, WayOutKind};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::labels::Check;
use crate::trigger::OwnUser;
use crate::worker::{Deps, Lately};

use super::Surroundings;
use super::queue::{self, QueueSide};
use super::spool::SpoolSide;

/// How often gauges are brought up to date.
const GAUGES_EVERY: Duration = Duration::from_secs(2);
/// How often Mattermost is asked who we are, until it said so.
const OWN_USER_EVERY: Duration = Duration::from_secs(5);
/// And afterwards: finds a revoked token before people do.
const OWN_USER_AGAIN_EVERY: Duration = Duration::from_secs(60);
/// A peer that answered within this time counts as reachable.
const REACHED_WITHIN: Duration = Duration::from_secs(600);
/// The store must have said within this time who we were.
const REMEMBERED_WITHIN: Duration = Duration::from_secs(1);
/// The setting of the store under which our own user id is kept.
const OWN_USER: &str = "bot_user_id";

/// Starts the watchers.
pub(super) fn start(
    watchers: &mut JoinSet<()>,
    deps: &Deps,
    (queue, side, spool): (&Arc<dyn Queue>, QueueSide, SpoolSide),
    (own_user, way_out, renewed): (&OwnUser, Option<&WayOut>, &Arc<Notify>),
    surroundings: &Surroundings,
) {
    let remedy = match way_out {
        Some(WayOut::Login { .. }) => {
            "write the name and password of an account that may use the REST API into mattermost.login_id and mattermost.password, and reload (SIGHUP)"
        }
        _ => "replace mattermost.bot_token by a valid access token of the bot, and reload (SIGHUP)",
    };
    let is_refused = Arc::new(AtomicBool::new(false));
    // Notices come of no account that could be asked for, and fire no outgoing webhook (mattermost.md 1.2).
    if deps.chat.kind() == WayOutKind::Posts {
        let renewed = Arc::clone(renewed);
        watchers.spawn(watch_own_user(
            deps.clone(),
            own_user.clone(),
            (remedy, renewed, Arc::clone(&is_refused)),
        ));
    }
    watchers.spawn(watch_readiness(
        (Arc::clone(queue), side, spool),
        surroundings.clone(),
    ));
    watchers.spawn(watch_gauges(
        deps.clone(),
        Arc::clone(queue),
        surroundings.clone(),
        is_refused,
    ));
}

/// Reads who the relay was when Mattermost last said so, before the first post can come. A store that is away is not
/// waited for.
pub(super) async fn remember_own_user(store: &dyn Store, own_user: &OwnUser) {
    let kept = tokio::time::timeout(REMEMBERED_WITHIN, store.setting(OWN_USER)).await;
    if let Ok(Ok(Some(kept))) = kept
        && let Ok(user) = kept.parse::<UserId>()
    {
        own_user.set(user);
    }
}

/// Learns our own user id and keeps it, so that own posts are known after a restart with Mattermost away.
async fn watch_own_user(
    deps: Deps,
    own_user: OwnUser,
    (remedy, renewed, is_refused): (&'static str, Arc<Notify>, Arc<AtomicBool>),
) {
    let (away, refused) = (Lately::default(), Lately::default());
    loop {
        let answer = deps.chat.own_account().await;
        match &answer {
            Ok(_) => is_refused.store(false, Ordering::Relaxed),
            Err(ChatError::Unauthorized { .. }) => is_refused.store(true, Ordering::Relaxed),
            // It says nothing about the credential.
            Err(_) => {}
        }
        let pause = match answer {
            Ok(account) => {
                // Both, without a short cut.
                if away.clear() | refused.clear() {
                    tracing::info!("Mattermost says who the relay is again");
                }
                own_user.set(account.user_id.clone());
                let kept = deps
                    .store
                    .put_setting(OWN_USER, account.user_id.as_str())
                    .await;
                if let Err(error) = kept {
                    tracing::warn!(%error, "the relay's own user id is not kept");
                }
                OWN_USER_AGAIN_EVERY
            }
            Err(error @ ChatError::Unauthorized { .. }) => {
                if refused.is_news() {
                    tracing::error!(%error, "Mattermost does not let the relay in, cards wait: {remedy}");
                }
                OWN_USER_EVERY
            }
            Err(error) => {
                if away.is_news() {
                    tracing::warn!(%error, "Mattermost does not say who the relay is: is it up, and mattermost.url right? Cards wait meanwhile");
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

/// Whether events can be made durable. It waits for no peer, so that it is true at once when one hangs.
async fn watch_readiness(
    (queue, mut side, spool): (Arc<dyn Queue>, QueueSide, SpoolSide),
    surroundings: Surroundings,
) {
    let Surroundings {
        metrics, readiness, ..
    } = surroundings;
    loop {
        crash_point::reach("watch.readiness");
        readiness.beat();
        let is_durable = side.look(&readiness, queue.as_ref()).await;
        let spooling = spool.look(&metrics).await;
        // RabbitMQ or the spool: either makes an event durable.
        readiness.set(Check::Queue, is_durable || spooling.has_room);
        readiness.set(Check::Spool, spooling.is_well);
        tokio::select! {
            () = side.changed() => {}
            () = tokio::time::sleep(GAUGES_EVERY) => {}
        }
    }
}

async fn watch_gauges(
    deps: Deps,
    queue: Arc<dyn Queue>,
    surroundings: Surroundings,
    is_refused: Arc<AtomicBool>,
) {
    let Surroundings {
        metrics, readiness, ..
    } = surroundings;
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
        for (peer, check) in [
            (crate::domain::Peer::Mattermost, Check::Mattermost),
            (crate::domain::Peer::PlugNmeet, Check::PlugNmeet),
        ] {
            // Where nothing can be asked, Mattermost is called only when there is something to tell.
            let is_asked =
                peer != crate::domain::Peer::Mattermost || deps.chat.kind() == WayOutKind::Posts;
            let is_reached = was_reached(&metrics, peer, is_asked, deps.clock.as_ref());
            // It answers, but not to us.
            let is_shut = match peer {
                crate::domain::Peer::Mattermost => is_refused.load(Ordering::Relaxed),
                crate::domain::Peer::PlugNmeet => deps.conference.is_key_refused(),
            };
            readiness.set(check, is_reached && !is_shut);
        }
        tokio::time::sleep(GAUGES_EVERY).await;
    }
}

/// The peer answered lately, or was not needed lately and did not fail.
fn was_reached(
    metrics: &Metrics,
    peer: crate::domain::Peer,
    is_asked: bool,
    clock: &dyn Clock,
) -> bool {
    use crate::telemetry::metrics::labels::BreakerState;
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
