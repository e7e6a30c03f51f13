//! What a first card costs the store.

use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use meetrelay::domain::apply::Applied;
use meetrelay::domain::{ArtifactId, PostRow, RequestId};
use meetrelay::ports::{
    Attempt, DeadFilter, DeadLetter, Duty, Incoming, Lease, Logged, Lookup, MeetingFilter,
    MeetingSummary, Note, StoreError,
};

/// A store that notes the name of each call.
struct Counting {
    inner: Arc<SqliteStore>,
    calls: Mutex<Vec<&'static str>>,
}

impl Counting {
    fn note(&self, call: &'static str) {
        self.calls.lock().unwrap().push(call);
    }
}

#[tokio::test]
async fn first_card_costs_six_calls_of_the_store() {
    let mut house = House::new().await;
    let counting = Arc::new(Counting {
        inner: Arc::clone(&house.store),
        calls: Mutex::default(),
    });
    // The room's job has loaded the meeting long before its card is due, and calls the store again afterwards.
    house.settings.policy.schedule.first_card_after = 300 * MILLIS;
    house.peers.world().create_takes = 3 * SECOND;
    // The test's own looks are not counted.
    let deps = Deps {
        store: Arc::clone(&counting) as _,
        ..house.deps.clone()
    };
    let workers = Workers::start(deps, house.settings.clone());
    let id = house.ask(1).await;
    let is_shown = |m: &Meeting| m.post(&PostKey::Card).is_some_and(|row| row.post.is_some());
    house.until(id, is_shown).await;
    house.until_empty(QueueName::Chat).await;
    let calls = counting.calls.lock().unwrap().clone();
    workers.drain(std::future::pending()).await;
    let leased = calls.iter().position(|call| *call == "lease_posts");
    let of_card = &calls[leased.unwrap() - 1..];
    assert_eq!(
        of_card,
        [
            "meeting",
            "lease_posts",
            "put_post",
            "put_post",
            "drop_lease",
            "log_attempt"
        ]
    );
}

#[async_trait]
impl Store for Counting {
    async fn apply(
        &self,
        batch: Vec<Incoming>,
        policy: Policy,
        now: Timestamp,
    ) -> Result<Vec<Applied>, StoreError> {
        self.note("apply");
        self.inner.apply(batch, policy, now).await
    }

    async fn meeting(&self, id: MeetingId) -> Result<Option<Meeting>, StoreError> {
        self.note("meeting");
        self.inner.meeting(id).await
    }

    async fn meeting_of_request(&self, request: RequestId) -> Result<Option<Meeting>, StoreError> {
        self.note("meeting_of_request");
        self.inner.meeting_of_request(request).await
    }

    async fn meeting_of_artifact(&self, id: &ArtifactId) -> Result<Option<Meeting>, StoreError> {
        self.note("meeting_of_artifact");
        self.inner.meeting_of_artifact(id).await
    }

    async fn running_in(&self, place: &Conversation) -> Result<Vec<Meeting>, StoreError> {
        self.note("running_in");
        self.inner.running_in(place).await
    }

    async fn meetings(&self, filter: MeetingFilter) -> Result<Vec<MeetingSummary>, StoreError> {
        self.note("meetings");
        self.inner.meetings(filter).await
    }

    async fn due_meetings(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(MeetingId, u32)>, StoreError> {
        self.note("due_meetings");
        self.inner.due_meetings(now, limit).await
    }

    async fn history(&self, meeting: MeetingId) -> Result<Vec<Logged>, StoreError> {
        self.note("story");
        self.inner.history(meeting).await
    }

    async fn settled_events(&self, events: Vec<EventId>) -> Result<Vec<EventId>, StoreError> {
        self.note("settled_events");
        self.inner.settled_events(events).await
    }

    async fn find(&self, reference: &str) -> Result<Lookup, StoreError> {
        self.note("find");
        self.inner.find(reference).await
    }

    async fn log_attempt(&self, attempt: Attempt) -> Result<(), StoreError> {
        self.note("log_attempt");
        self.inner.log_attempt(attempt).await
    }

    async fn attempts(&self, meeting: MeetingId) -> Result<Vec<Attempt>, StoreError> {
        self.note("attempts");
        self.inner.attempts(meeting).await
    }

    async fn log_note(&self, note: Note) -> Result<(), StoreError> {
        self.note("log_note");
        self.inner.log_note(note).await
    }

    async fn notes(&self, about: &str) -> Result<Vec<Note>, StoreError> {
        self.note("notes");
        self.inner.notes(about).await
    }

    async fn post(&self, meeting: MeetingId, key: &PostKey) -> Result<Option<PostRow>, StoreError> {
        self.note("post");
        self.inner.post(meeting, key).await
    }

    async fn put_post(
        &self,
        meeting: MeetingId,
        key: &PostKey,
        row: PostRow,
    ) -> Result<u64, StoreError> {
        self.note("put_post");
        self.inner.put_post(meeting, key, row).await
    }

    async fn lease_posts(
        &self,
        meeting: MeetingId,
        owner: &str,
        now: Timestamp,
        length: Duration,
    ) -> Result<(Lease, Option<Meeting>), StoreError> {
        self.note("lease_posts");
        self.inner.lease_posts(meeting, owner, now, length).await
    }

    async fn take_lease(
        &self,
        duty: Duty,
        owner: &str,
        now: Timestamp,
        length: Duration,
    ) -> Result<Lease, StoreError> {
        self.note("take_lease");
        self.inner.take_lease(duty, owner, now, length).await
    }

    async fn drop_lease(&self, duty: Duty, owner: &str) -> Result<(), StoreError> {
        self.note("drop_lease");
        self.inner.drop_lease(duty, owner).await
    }

    async fn mark_redelivered(&self, message: &str) -> Result<u32, StoreError> {
        self.note("mark_redelivered");
        self.inner.mark_redelivered(message).await
    }

    async fn clear_mark(&self, message: &str) -> Result<(), StoreError> {
        self.note("clear_mark");
        self.inner.clear_mark(message).await
    }

    async fn bury(&self, letter: DeadLetter) -> Result<(), StoreError> {
        self.note("bury");
        self.inner.bury(letter).await
    }

    async fn dead_letters(&self, filter: DeadFilter) -> Result<Vec<DeadLetter>, StoreError> {
        self.note("dead_letters");
        self.inner.dead_letters(filter).await
    }

    async fn dead_letter(&self, id: &str) -> Result<Option<DeadLetter>, StoreError> {
        self.note("dead_letter");
        self.inner.dead_letter(id).await
    }

    async fn remove_dead_letter(&self, id: &str, buried_at: Timestamp) -> Result<bool, StoreError> {
        self.note("remove_dead_letter");
        self.inner.remove_dead_letter(id, buried_at).await
    }

    async fn count_dead_letters(&self) -> Result<u64, StoreError> {
        self.note("count_dead_letters");
        self.inner.count_dead_letters().await
    }

    async fn count_running(&self) -> Result<u64, StoreError> {
        self.note("count_running");
        self.inner.count_running().await
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.note("setting");
        self.inner.setting(name).await
    }

    async fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        self.note("put_setting");
        self.inner.put_setting(name, value).await
    }

    async fn setting_or_insert(&self, name: &str, value: &str) -> Result<String, StoreError> {
        self.note("setting_or_insert");
        self.inner.setting_or_insert(name, value).await
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.note("prune");
        self.inner.prune(before).await
    }

    async fn close(&self) {
        self.note("close");
        self.inner.close().await
    }
}
