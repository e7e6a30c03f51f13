//! Workers with a real queue and a real store, and peers that do as they are told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod apply;
mod attempts;
mod backlog;
mod catching_up;
mod collecting;
mod counting;
mod notices;
mod outages;
mod panicking;
mod peers;
mod poison;
mod posting;
mod refusing;
mod replaying;
mod too_large;

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use meetrelay::backoff::Backoff;
use meetrelay::clock::SystemClock;
use meetrelay::domain::apply::Policy;
use meetrelay::domain::owed::Schedule;
use meetrelay::domain::retry::RetryPolicy;
use meetrelay::domain::{
    Conversation, ConversationKind, DeliveryMethod, Event, EventId, Fact, JobId, Meeting,
    MeetingId, Moderators, Origin, Owed, Person, PostKey, RuleChoice, ServerName, State, Timestamp,
    TriggerSource,
};
use meetrelay::envelope::{EnvelopeQueue, EnvelopeSigner};
use meetrelay::ports::{Body, Envelope, Posting, Queue, QueueName, Store};
use meetrelay::repair::Repairs;
use meetrelay::store::SqliteStore;
use meetrelay::worker::{BreakerSettings, CardFace, Deps, Silent, WorkerSettings, Workers};
use peers::{Peers, PlainLinks};

use crate::harness::{BackEnd, PATIENCE, eventually, within};

const SECOND: Duration = Duration::from_secs(1);
const MILLIS: Duration = Duration::from_millis(1);

fn settings() -> WorkerSettings {
    WorkerSettings {
        policy: Policy {
            schedule: Schedule {
                delivery_method: DeliveryMethod::Posts,
                first_card_after: 20 * MILLIS,
                end_again_after: 15 * SECOND,
                poll_first_after: 3600 * SECOND,
                poll_every: 3600 * SECOND,
                artifact_polls: [3600 * SECOND].into(),
            },
            publish_ahead: 60 * SECOND,
            wake_after: [600 * SECOND].into(),
        },
        retry: RetryPolicy {
            attempts_max: 3,
            age_max: 3600 * SECOND,
            rest_max: 3600 * SECOND,
            hint_max: 60 * SECOND,
        },
        backoff: Backoff {
            initial: MILLIS,
            max: 5 * MILLIS,
        },
        outage_backoff: Backoff {
            initial: MILLIS,
            max: 5 * MILLIS,
        },
        breaker: BreakerSettings {
            failures: 1000,
            probe_every: 10 * SECOND,
        },
        mattermost_concurrency: 4,
        plugnmeet_concurrency: 4,
        batch_max: 64,
        sweep_every: 600 * SECOND,
        lease: 20 * SECOND,
        poison_max: 5,
        tidy_after: 100 * MILLIS,
        notice_again_after: 300 * MILLIS,
        outside_again_after: SECOND,
        keep: 3600 * SECOND,
        face: CardFace {
            public_url: "http://relay.test/".to_owned(),
            time_zone: jiff::tz::TimeZone::UTC,
            late_after: 60 * SECOND,
        },
        catch_up: None,
        instance: "test".to_owned(),
    }
}

/// A house without doors: files, fakes of the peers, and workers once they are started.
struct House {
    deps: Deps,
    peers: Arc<Peers>,
    queue: Arc<dyn Queue>,
    store: Arc<SqliteStore>,
    settings: WorkerSettings,
    directory: TempDir,
    back_end: BackEnd,
}

impl House {
    async fn new() -> Self {
        let back_end = BackEnd::of_this_run().await;
        Self::open(tempfile::tempdir().unwrap(), back_end).await
    }

    /// The same files after a restart: whatever lies in the queue counts as redelivered.
    async fn restarted(self) -> Self {
        self.queue.close().await;
        self.store.close().await;
        let peers = self.peers;
        let mut house = Self::open(self.directory, self.back_end).await;
        house.deps.chat = Arc::clone(&peers) as _;
        house.deps.conference = Arc::clone(&peers) as _;
        Self { peers, ..house }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    async fn open(directory: TempDir, back_end: BackEnd) -> Self {
        let store = Arc::new(SqliteStore::open(&directory.path().join("store.db")).unwrap());
        let queue = back_end.open(directory.path()).await;
        let peers = Arc::new(Peers::default());
        let deps = Deps {
            store: Arc::clone(&store) as _,
            queue: EnvelopeQueue::new(Arc::clone(&queue), signer()),
            returned: Vec::new(),
            chat: Arc::clone(&peers) as _,
            conference: Arc::clone(&peers) as _,
            links: Arc::new(PlainLinks),
            clock: Arc::new(SystemClock),
            observer: Arc::new(Silent),
        };
        Self {
            deps,
            peers,
            queue,
            store,
            settings: settings(),
            directory,
            back_end,
        }
    }

    /// From now on the workers have this queue.
    fn use_queue(&mut self, queue: Arc<dyn Queue>) {
        self.deps.queue = EnvelopeQueue::new(queue, signer());
    }

    fn start(&self) -> Workers {
        Workers::start(self.deps.clone(), self.settings.clone())
    }

    /// What an administrator does to these workers' store and queue.
    fn repairs(&self) -> Repairs {
        Repairs::new(
            Arc::clone(&self.deps.store),
            Some(self.deps.queue.clone()),
            Arc::clone(&self.deps.clock),
            1000,
        )
    }

    /// Somebody asks for a meeting in a channel of its own.
    async fn ask(&self, number: u128) -> MeetingId {
        let event = request(number, self.deps.clock.now());
        self.post(event).await;
        meeting(number)
    }

    async fn post(&self, event: Event) {
        let posting = event_posting(event, self.deps.clock.now());
        self.send(vec![posting]).await;
    }

    async fn send(&self, postings: Vec<Posting>) {
        self.deps.queue.send(&postings).await.unwrap();
    }

    async fn load(&self, id: MeetingId) -> Option<Meeting> {
        self.deps.store.meeting(id).await.unwrap()
    }

    /// Waits until the meeting is so.
    async fn until(&self, id: MeetingId, is_so: impl Fn(&Meeting) -> bool) -> Meeting {
        let mut last = None;
        let meeting = within(PATIENCE, async || {
            last = self.load(id).await;
            last.clone().filter(|meeting| is_so(meeting))
        });
        let meeting = meeting.await;
        meeting.unwrap_or_else(|| panic!("it never came to be so: {last:#?}"))
    }

    /// Waits until nothing lies in `queue`.
    async fn until_empty(&self, queue: QueueName) {
        // A broker's queues are looked at one after the other: a message that moves meanwhile is missed once.
        let mut empty_looks = 0;
        eventually(&format!("an empty {queue:?}"), async || {
            empty_looks = match self.lying(queue).await {
                0 => empty_looks + 1,
                _ => 0,
            };
            (empty_looks == 5).then_some(())
        })
        .await;
    }

    /// Waits until plugNmeet was asked for a room.
    async fn until_called(&self) {
        eventually("a call for a room", async || {
            (self.peers.world().creates > 0).then_some(())
        })
        .await;
    }

    async fn lying(&self, queue: QueueName) -> u64 {
        let depths = self.queue.depths().await.unwrap();
        // What waits for its time in common places of a broker is of chat: nothing else is delayed here.
        let shared = match queue {
            QueueName::Chat | QueueName::ChatLater => depths.shared_delayed,
            QueueName::Events | QueueName::Conference => 0,
        };
        let mut depths = depths.queues.into_iter();
        let (_, depth) = depths.find(|(name, _)| *name == queue).unwrap();
        depth.ready + depth.delayed + depth.in_flight + shared
    }
}

/// The same over restarts.
fn signer() -> EnvelopeSigner {
    let signer = EnvelopeSigner::new(&"the house's secret".to_owned().into(), &[]);
    signer.set_reads_unsigned(false);
    signer
}

fn meeting(number: u128) -> MeetingId {
    MeetingId::from_uuid(Uuid::from_u128(number))
}

fn is_carded(meeting: &Meeting) -> bool {
    meeting.state() == State::Open
        && meeting
            .post(&PostKey::Card)
            .is_some_and(|row| row.post.is_some() && row.rendered == meeting.version)
}

fn request(number: u128, received_at: Timestamp) -> Event {
    let channel = format!("channel{number}");
    Event {
        id: EventId::from_uuid(Uuid::from_u128(number)),
        origin: Origin::relay(format!("request {number}")),
        received_at,
        fact: Fact::MeetingRequested {
            meeting: meeting(number),
            place: Conversation {
                server: ServerName::default_server(),
                team: None,
                team_name: "eng".to_owned(),
                channel: channel.parse().unwrap(),
                channel_name: channel,
                thread: None,
                kind: ConversationKind::Channel,
            },
            by: Person {
                user_id: "ana".parse().unwrap(),
                user_name: "ana".to_owned(),
            },
            via: TriggerSource::SlashCommand { hook: None },
            rule: RuleChoice {
                title: "Weekly sync".to_owned(),
                title_source: None,
                moderators: Moderators::Everyone,
                start_deadline: 900 * SECOND,
                notify: Default::default(),
            },
            always_new: false,
            told: None,
        },
    }
}

fn event_posting(event: Event, now: Timestamp) -> Posting {
    Posting {
        queue: QueueName::Events,
        message: Envelope::first(Body::Event(event), now),
        delay: Duration::ZERO,
    }
}

fn own_event(fact: Fact, key: impl std::fmt::Display, now: Timestamp) -> Event {
    Event {
        id: EventId::from_uuid(Uuid::now_v7()),
        origin: Origin::relay(key),
        received_at: now,
        fact,
    }
}

/// A job of chat, due at once.
fn job_posting(meeting: MeetingId, round: u32, owed: &Owed, now: Timestamp) -> Posting {
    let id = JobId {
        meeting,
        job: owed.job.clone(),
        round,
    };
    let since = owed.since;
    Posting {
        queue: QueueName::ChatLater,
        message: Envelope::first(Body::Job { id, since }, now),
        delay: Duration::ZERO,
    }
}
