//! The workers. Apply changes meetings, job workers call the peers, the sweep wakes meetings that still owe jobs, and
//! the catch-up reads posts whose webhooks were lost. They depend only on the domain and the ports.

mod apply;
mod apply_now;
mod breaker;
mod catch_up;
mod chat;
mod collect;
mod conference;
mod confirm;
mod dead;
mod jobs;
mod meeting_locks;
mod observer;
mod patience;
mod placing;
mod poison;
mod publish;
mod send;
mod sweep;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::domain::Peer;
use crate::domain::apply::Policy;
use crate::domain::retry::RetryPolicy;
use crate::envelope::EnvelopeQueue;
use crate::log_throttle::LogThrottle;
use crate::ports::{Chat, Clock, Conference, MeetingLinks, QueueName, ReturnedMessages, Store};

pub use breaker::{Admission, Breaker, BreakerSettings, BreakerState};
pub use catch_up::{CatchUpSettings, begin_catching_up};
pub use chat::CardFace;
pub use observer::{DeadReason, JobOutcome, Repair, Silent, WorkObserver};

/// What workers need from outside.
#[derive(Clone)]
pub struct Deps {
    /// Meetings, posts and dead letters.
    pub store: Arc<dyn Store>,
    /// The queue of events and jobs.
    pub queue: EnvelopeQueue,
    /// Sources of messages that the broker returned as unroutable or dead-lettered. Empty for a queue without them.
    pub returned: Vec<Arc<dyn ReturnedMessages>>,
    /// Mattermost.
    pub chat: Arc<dyn Chat>,
    /// plugNmeet.
    pub conference: Arc<dyn Conference>,
    /// Makes the links that lead to the relay's own pages.
    pub links: Arc<dyn MeetingLinks>,
    /// The relay's clock.
    pub clock: Arc<dyn Clock>,
    /// Receives the workers' reports, for metrics.
    pub observer: Arc<dyn WorkObserver>,
}

/// The settings of the workers.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// The rules by which apply decides.
    pub policy: Policy,
    /// When jobs are given up.
    pub retry: RetryPolicy,
    /// The pauses between attempts that count towards giving up.
    pub backoff: Backoff,
    /// The pauses while a peer is unavailable.
    pub outage_backoff: Backoff,
    /// The settings of each peer's breaker.
    pub breaker: BreakerSettings,
    /// Most jobs that call Mattermost at the same time.
    pub mattermost_concurrency: usize,
    /// Most jobs that call plugNmeet at the same time.
    pub plugnmeet_concurrency: usize,
    /// Most events applied in one transaction.
    pub batch_max: usize,
    /// The interval between two sweeps.
    pub sweep_every: Duration,
    /// The duration of a lease: twice the deadline of a call to Mattermost.
    pub lease: Duration,
    /// How many times work on a message may begin before it counts as poison.
    pub poison_max: u32,
    /// How long after a POST without an answer the relay looks for duplicate posts.
    pub tidy_after: Duration,
    /// How long after a notice with an unknown outcome it is posted once more.
    pub notice_again_after: Duration,
    /// Pause before a card is tried again while the bot cannot post in the channel and the meeting runs.
    pub outside_again_after: Duration,
    /// How long dedup keys and the event log are kept.
    pub keep: Duration,
    /// The configured appearance of cards.
    pub face: CardFace,
    /// The settings of the catch-up. `None`: posts are not caught up.
    pub catch_up: Option<CatchUpSettings>,
    /// This instance's name in leases: its name and start time.
    pub instance: String,
}

/// The state that all worker tasks share.
pub(crate) struct WorkerContext {
    pub(crate) deps: Deps,
    pub(crate) settings: WorkerSettings,
    pub(crate) mattermost: Breaker,
    pub(crate) plugnmeet: Breaker,
    store_failures: LogThrottle,
    queue_failures: LogThrottle,
    history_failures: LogThrottle,
    meeting_locks: meeting_locks::MeetingLocks,
    suspects: poison::SuspectCounts,
    mattermost_patience: patience::Patience,
    plugnmeet_patience: patience::Patience,
    pub(crate) stop: CancellationToken,
}

impl WorkerContext {
    pub(crate) fn breaker(&self, peer: Peer) -> &Breaker {
        match peer {
            Peer::Mattermost => &self.mattermost,
            Peer::PlugNmeet => &self.plugnmeet,
        }
    }
}

/// The running workers.
pub struct Workers {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Workers {
    /// Starts all workers.
    pub fn start(deps: Deps, settings: WorkerSettings) -> Self {
        let stop = CancellationToken::new();
        let ctx = Arc::new(WorkerContext {
            mattermost: Breaker::new(settings.breaker),
            plugnmeet: Breaker::new(settings.breaker),
            store_failures: LogThrottle::default(),
            queue_failures: LogThrottle::default(),
            history_failures: LogThrottle::default(),
            meeting_locks: meeting_locks::MeetingLocks::default(),
            suspects: poison::SuspectCounts::default(),
            mattermost_patience: patience::Patience::default(),
            plugnmeet_patience: patience::Patience::default(),
            stop: stop.clone(),
            deps,
            settings,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(apply::run(Arc::clone(&ctx)));
        tasks.spawn(sweep::run(Arc::clone(&ctx)));
        for returned in ctx.deps.returned.clone() {
            tasks.spawn(collect::run(Arc::clone(&ctx), returned));
        }
        if let Some(settings) = ctx.settings.catch_up.clone() {
            tasks.spawn(catch_up::run(Arc::clone(&ctx), settings));
        }
        let mattermost = jobs::Slots::new(ctx.settings.mattermost_concurrency);
        let plugnmeet = jobs::Slots::new(ctx.settings.plugnmeet_concurrency);
        // chat.later gets half of Mattermost's slots, so that a backlog never delays a new "meet now".
        let later = mattermost.half();
        tasks.spawn(jobs::run(
            Arc::clone(&ctx),
            QueueName::Conference,
            plugnmeet,
        ));
        tasks.spawn(jobs::run(Arc::clone(&ctx), QueueName::Chat, mattermost));
        tasks.spawn(jobs::run(ctx, QueueName::ChatLater, later));
        Self { stop, tasks }
    }

    /// Resolves when a worker ended without being asked to. That is a defect, and the process should end then.
    pub async fn any_ended(&mut self) {
        self.tasks.join_next().await;
    }

    /// Stops receiving and finishes what is in flight until `deadline` resolves; the rest stays in the queue.
    /// Returns whether everything was finished.
    pub async fn drain(mut self, deadline: impl Future<Output = ()>) -> bool {
        self.stop.cancel();
        let in_time = tokio::select! {
            () = async { while self.tasks.join_next().await.is_some() {} } => true,
            () = deadline => false,
        };
        self.tasks.shutdown().await;
        in_time
    }
}
