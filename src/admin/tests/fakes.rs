//! A store that answers from constants and records the repairs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::domain::apply::{Aim, Applied, Effect, Fresh, Policy, decide};
use crate::domain::owed::Schedule;
use crate::domain::{
    ArtifactId, Conversation, ConversationKind, DeliveryMethod, Event, EventId, Fact, Meeting,
    MeetingId, Moderators, Origin, Person, PostKey, PostRow, RequestId, ResponseHook, RuleChoice,
    ServerName, State, Timestamp, TriggerSource,
};
use crate::ports::{
    Attempt, DeadFilter, DeadKind, DeadLetter, Duty, Ending, Incoming, Lease, Logged, Lookup,
    MeetingFilter, MeetingSummary, Note, PublishError, QueueName, StoreError,
};
use crate::repair::recording::{RecordingQueue, body_of};

pub(in crate::admin) const MEETING: &str = "01900000-0000-7000-8000-000000000000";

pub(in crate::admin) struct Bench {
    pub(in crate::admin) readiness: Arc<Readiness>,
    admin: Arc<Admin>,
    token: AdminToken,
    bearer: String,
    fake: Arc<Fake>,
    queue: Arc<RecordingQueue>,
}

pub(in crate::admin) fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let readiness = Arc::new(Readiness::new(Arc::clone(&metrics)));
    let fake = Arc::new(Fake::default());
    let queue = Arc::new(RecordingQueue::default());
    let store = Arc::clone(&fake) as Arc<dyn Store>;
    let clock = Arc::new(NewYear);
    let envelopes = Some(queue.envelopes());
    let admin = Arc::new(Admin {
        store: Arc::clone(&store),
        repairs: Repairs::new(store, envelopes, clock.clone(), 1000),
        readiness: Arc::clone(&readiness),
        metrics,
        clock,
        schedule: schedule(),
        links: links(),
    });
    let token = AdminToken::unknown();
    let path = folder.path().join("admin-token");
    token.renew(None, &path).unwrap();
    let known = std::fs::read_to_string(path).unwrap();
    Bench {
        readiness,
        admin,
        token,
        bearer: format!("Bearer {}", known.trim()),
        fake,
        queue,
    }
}

impl Bench {
    pub(in crate::admin) fn routes(
        &self,
    ) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static
    {
        self.routes_at(false)
    }

    /// The routes over TCP, at a loopback address or another.
    pub(in crate::admin) fn routes_at(
        &self,
        is_loopback: bool,
    ) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static
    {
        let token = self.token.clone();
        let access = Access::Tcp { token, is_loopback };
        routes(Arc::clone(&self.admin), access)
    }

    /// The routes through the socket.
    pub(in crate::admin) fn routes_of_socket(
        &self,
    ) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static
    {
        routes(Arc::clone(&self.admin), Access::Socket)
    }

    pub(in crate::admin) async fn get(&self, path: &str) -> (StatusCode, String) {
        let reply = warp::test::request().path(path).reply(&self.routes()).await;
        let text = String::from_utf8(reply.body().to_vec()).unwrap();
        (reply.status(), text)
    }

    pub(in crate::admin) async fn api(&self, method: &str, path: &str) -> (StatusCode, Value) {
        let request = warp::test::request().method(method).path(path);
        let reply = request
            .header("authorization", &self.bearer)
            .reply(&self.routes())
            .await;
        let body = serde_json::from_slice(reply.body()).unwrap();
        (reply.status(), body)
    }

    /// The notes of repairs.
    pub(in crate::admin) fn done(&self) -> Vec<String> {
        self.fake.done.lock().unwrap().clone()
    }

    /// The kinds of the events that were published.
    pub(in crate::admin) fn published(&self) -> Vec<&'static str> {
        self.queue.kinds.lock().unwrap().clone()
    }

    /// The filter of the last listing.
    pub(in crate::admin) fn filter(&self) -> DeadFilter {
        self.fake.filter.lock().unwrap().clone()
    }

    pub(in crate::admin) fn fail_publishing(&self, error: PublishError) {
        *self.queue.error.lock().unwrap() = Some(error);
    }

    pub(in crate::admin) fn make_store_unavailable(&self) {
        self.fake.is_unavailable.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Fake {
    is_unavailable: AtomicBool,
    done: Mutex<Vec<String>>,
    filter: Mutex<DeadFilter>,
}

impl Fake {
    fn check_available(&self) -> Result<(), StoreError> {
        match self.is_unavailable.load(Ordering::Relaxed) {
            true => Err(StoreError::Unavailable("locked".to_owned())),
            false => Ok(()),
        }
    }
}

pub(in crate::admin) const NEW_YEAR: Timestamp = Timestamp::from_seconds(1_767_225_600);

fn letters() -> Vec<DeadLetter> {
    // The clock is a minute past `NEW_YEAR`, so this request is an hour older than its start_deadline.
    let late = request(NEW_YEAR.minus(Duration::from_secs(3600 + 900 - 60)));
    let letter = |id: &str, kind, body: &[u8]| DeadLetter {
        id: id.to_owned(),
        queue: "chat".to_owned(),
        kind,
        meeting: None,
        reason: "it was refused".to_owned(),
        buried_at: NEW_YEAR,
        attempts: 6,
        body: body.to_vec(),
    };
    let body = br#"{"key":"command:CANARYkey","fact":{"title":"weekly","via":{"via":"slash_command","hook":"CANARYhook"}},
        "list":[{"response_url":"https://chat/hooks/commands/CANARY"}]}"#;
    vec![
        letter("a/job:1", DeadKind::Job, body),
        letter("garbage", DeadKind::Unreadable, b"\xff\x00{"),
        letter("late", DeadKind::Event, &body_of(late, NEW_YEAR)),
    ]
}

pub(in crate::admin) fn schedule() -> Schedule {
    Schedule {
        delivery_method: DeliveryMethod::Posts,
        first_card_after: Duration::from_secs(2),
        end_again_after: Duration::from_secs(15),
        poll_first_after: Duration::from_secs(60),
        poll_every: Duration::from_secs(120),
        artifact_polls: Arc::new([]),
    }
}

/// The clock is one minute past `NEW_YEAR`.
struct NewYear;

impl Clock for NewYear {
    fn now(&self) -> Timestamp {
        NEW_YEAR.plus(Duration::from_secs(60))
    }
}

pub(in crate::admin) fn links() -> Links {
    let secret = "a signing secret of 32 bytes: 012".to_owned().into();
    let base = url::Url::parse("https://relay.example.org").unwrap();
    Links::new(&base, crate::token::Signer::new(&secret, &[]))
}

/// A slash command.
fn request(received_at: Timestamp) -> Event {
    Event {
        id: MEETING.parse().unwrap(),
        origin: Origin::relay("test"),
        received_at,
        fact: Fact::MeetingRequested {
            meeting: MEETING.parse().unwrap(),
            place: Conversation {
                server: ServerName::default_server(),
                team: None,
                team_name: String::new(),
                channel: "channelid".parse().unwrap(),
                channel_name: "town-square".to_owned(),
                thread: None,
                kind: ConversationKind::Channel,
            },
            by: Person {
                user_id: "userid".parse().unwrap(),
                user_name: "ana".to_owned(),
            },
            via: TriggerSource::SlashCommand {
                hook: ResponseHook::parse("CANARYhook"),
            },
            rule: RuleChoice {
                title: "weekly".to_owned(),
                title_source: None,
                moderators: Moderators::Everyone,
                start_deadline: Duration::from_secs(900),
                notify: Default::default(),
            },
            always_new: false,
            told: None,
        },
    }
}

/// The meeting that apply makes of the request.
fn meeting() -> Meeting {
    let policy = Policy {
        schedule: schedule(),
        publish_ahead: Duration::from_secs(600),
        wake_after: Arc::new([Duration::from_secs(60)]),
    };
    let (meeting, _) = decide(
        None,
        Aim::at(None),
        &request(NEW_YEAR),
        &Fresh { room: [0; 13] },
        &policy,
        NEW_YEAR,
    );
    meeting.unwrap()
}

#[async_trait]
impl Store for Fake {
    async fn meeting(&self, id: MeetingId) -> Result<Option<Meeting>, StoreError> {
        Ok((id.to_string() == MEETING).then(meeting))
    }
    async fn running_in(&self, _: &Conversation) -> Result<Vec<Meeting>, StoreError> {
        Ok(Vec::new())
    }
    async fn meetings(&self, filter: MeetingFilter) -> Result<Vec<MeetingSummary>, StoreError> {
        self.check_available()?;
        let MeetingFilter {
            running_only,
            limit,
            ..
        } = filter;
        Ok(vec![MeetingSummary {
            id: MEETING.parse().unwrap(),
            title: format!("running only: {running_only}, limit {limit}"),
            state: State::Live,
            room: "mm-room".to_owned(),
            channel_name: "town-square".to_owned(),
            starter: "ana".to_owned(),
            requested_at: NEW_YEAR,
            request: MEETING.parse().unwrap(),
        }])
    }
    async fn history(&self, _: MeetingId) -> Result<Vec<Logged>, StoreError> {
        Ok(vec![Logged {
            event: MEETING.to_owned(),
            kind: "meeting_requested".to_owned(),
            source: "mattermost:default".to_owned(),
            effect: Effect::Applied,
            received_at: NEW_YEAR,
            applied_at: NEW_YEAR,
        }])
    }
    async fn dead_letters(&self, filter: DeadFilter) -> Result<Vec<DeadLetter>, StoreError> {
        self.check_available()?;
        *self.filter.lock().unwrap() = filter;
        Ok(letters())
    }
    async fn dead_letter(&self, id: &str) -> Result<Option<DeadLetter>, StoreError> {
        self.check_available()?;
        Ok(letters().into_iter().find(|letter| letter.id == id))
    }
    async fn count_dead_letters(&self) -> Result<u64, StoreError> {
        Ok(letters().len() as u64)
    }

    // The admin API never calls the methods below that are unreachable.
    async fn apply(
        &self,
        _: Vec<Incoming>,
        _: Policy,
        _: Timestamp,
    ) -> Result<Vec<Applied>, StoreError> {
        unreachable!()
    }
    async fn meeting_of_request(&self, _: RequestId) -> Result<Option<Meeting>, StoreError> {
        unreachable!()
    }
    async fn meeting_of_artifact(&self, _: &ArtifactId) -> Result<Option<Meeting>, StoreError> {
        unreachable!()
    }
    async fn due_meetings(
        &self,
        _: Timestamp,
        _: usize,
    ) -> Result<Vec<(MeetingId, u32)>, StoreError> {
        unreachable!()
    }
    async fn post(&self, _: MeetingId, _: &PostKey) -> Result<Option<PostRow>, StoreError> {
        unreachable!()
    }
    async fn put_post(&self, _: MeetingId, _: &PostKey, _: PostRow) -> Result<u64, StoreError> {
        unreachable!()
    }
    async fn settled_events(&self, _: Vec<EventId>) -> Result<Vec<EventId>, StoreError> {
        unreachable!()
    }
    async fn find(&self, reference: &str) -> Result<Lookup, StoreError> {
        self.check_available()?;
        Ok(match reference {
            MEETING | "mm-room" | "postid" => Lookup {
                meeting: MEETING.parse().ok(),
                ..Lookup::default()
            },
            "foreign" => Lookup {
                event: Some(Logged {
                    event: "foreign".to_owned(),
                    kind: "session_ended".to_owned(),
                    source: "plugnmeet:default".to_owned(),
                    effect: Effect::Foreign,
                    received_at: NEW_YEAR,
                    applied_at: NEW_YEAR.plus(Duration::from_millis(12)),
                }),
                ..Lookup::default()
            },
            "garbage" => Lookup {
                letter: letters().into_iter().find(|letter| letter.id == "garbage"),
                ..Lookup::default()
            },
            _ => Lookup::default(),
        })
    }
    async fn log_attempt(&self, _: Attempt) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn attempts(&self, meeting: MeetingId) -> Result<Vec<Attempt>, StoreError> {
        Ok(vec![Attempt {
            meeting,
            job: format!("{meeting}:CreateRoom:room:0"),
            number: 1,
            queue: QueueName::Conference,
            due_at: NEW_YEAR.plus(Duration::from_millis(10)),
            began_at: NEW_YEAR.plus(Duration::from_millis(13)),
            took: Duration::from_millis(40),
            ending: Ending::Again,
            detail: "plugNmeet answers 500".to_owned(),
        }])
    }
    async fn log_note(&self, note: Note) -> Result<(), StoreError> {
        let Note {
            action,
            subject,
            by,
            ..
        } = note;
        let line = format!("{action} {subject} by {by}");
        self.done.lock().unwrap().push(line);
        Ok(())
    }
    async fn notes(&self, about: &str) -> Result<Vec<Note>, StoreError> {
        let note = Note {
            at: NEW_YEAR.plus(Duration::from_secs(30)),
            by: "root@relay1".to_owned(),
            action: "replay".to_owned(),
            subject: "a/job:1".to_owned(),
            meeting: None,
        };
        Ok(if about == MEETING { vec![note] } else { vec![] })
    }
    async fn lease_posts(
        &self,
        _: MeetingId,
        _: &str,
        _: Timestamp,
        _: Duration,
    ) -> Result<(Lease, Option<Meeting>), StoreError> {
        unreachable!()
    }
    async fn take_lease(
        &self,
        _: Duty,
        _: &str,
        _: Timestamp,
        _: Duration,
    ) -> Result<Lease, StoreError> {
        unreachable!()
    }
    async fn drop_lease(&self, _: Duty, _: &str) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn mark_redelivered(&self, _: &str) -> Result<u32, StoreError> {
        unreachable!()
    }
    async fn clear_mark(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
    async fn bury(&self, _: DeadLetter) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn remove_dead_letter(&self, _: &str, _: Timestamp) -> Result<bool, StoreError> {
        Ok(true)
    }
    async fn count_running(&self) -> Result<u64, StoreError> {
        unreachable!()
    }
    async fn setting(&self, _: &str) -> Result<Option<String>, StoreError> {
        unreachable!()
    }
    async fn put_setting(&self, _: &str, _: &str) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn setting_or_insert(&self, _: &str, _: &str) -> Result<String, StoreError> {
        unreachable!()
    }
    async fn prune(&self, _: Timestamp) -> Result<u64, StoreError> {
        unreachable!()
    }
    async fn close(&self) {}
}
