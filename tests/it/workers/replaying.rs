//! What a replay does, and what it leaves alone.

use meetrelay::domain::{Job, Refusal};
use meetrelay::envelope;
use meetrelay::ports::{ConferenceError, DeadKind, DeadLetter};
use meetrelay::repair::{RepairError, Replayed};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

async fn replayed(house: &House, id: &str, reset_age: bool) -> Result<Replayed, RepairError> {
    house.repairs().replay(id, "ana@desk", reset_age).await
}

fn letter(envelope: &Envelope, kind: DeadKind, meeting: Option<MeetingId>) -> DeadLetter {
    DeadLetter {
        id: envelope.id(),
        queue: "events".to_owned(),
        kind,
        meeting,
        reason: "a test buried it".to_owned(),
        buried_at: Timestamp::from_millis(1),
        attempts: 1,
        body: envelope::encode(envelope).unwrap().body.to_vec(),
    }
}

/// A request that was accepted `age` ago and lies among the dead letters.
async fn buried_request(house: &House, number: u128, age: Duration) -> DeadLetter {
    let now = house.deps.clock.now();
    let event = request(number, now.minus(age));
    let letter = letter(
        &Envelope::first(Body::Event(event), now),
        DeadKind::Event,
        None,
    );
    house.store.bury(letter.clone()).await.unwrap();
    letter
}

#[tokio::test]
async fn event_replayed_twice_makes_one_card() {
    let house = House::new().await;
    let _workers = house.start();
    let letter = buried_request(&house, 1, Duration::ZERO).await;
    replayed(&house, &letter.id, false).await.unwrap();
    house.until(meeting(1), is_carded).await;
    // The process died between publishing and removing: the letter is still there.
    house.store.bury(letter.clone()).await.unwrap();
    replayed(&house, &letter.id, false).await.unwrap();
    house.ask(2).await;
    house.until(meeting(2), is_carded).await;
    house.until_empty(QueueName::Events).await;
    house.until_empty(QueueName::ChatLater).await;
    assert_eq!(house.peers.world().creates, 2, "one room for each meeting");
    assert_eq!(house.store.count_dead_letters().await, Ok(0));
    let notes = house.store.notes(&letter.id).await.unwrap();
    let notes: Vec<_> = notes
        .iter()
        .map(|note| (note.by.as_str(), note.action.as_str()))
        .collect();
    assert_eq!(notes, [("ana@desk", "replay"), ("ana@desk", "replay")]);
}

#[tokio::test]
async fn request_past_its_worth_is_answered_as_too_late() {
    let house = House::new().await;
    let _workers = house.start();
    let letter = buried_request(&house, 1, HOUR).await;
    let told = replayed(&house, &letter.id, false).await.unwrap();
    assert!(
        told.too_late
            .is_some_and(|over| over >= HOUR - 901 * SECOND)
    );
    let failed = |meeting: &Meeting| {
        meeting.refused == Some(Refusal::TooLate)
            && meeting
                .post(&PostKey::Card)
                .is_some_and(|card| card.rendered == meeting.version)
    };
    house.until(meeting(1), failed).await;
    assert_eq!(house.peers.world().creates, 0);
}

#[tokio::test]
async fn request_replayed_as_of_now_makes_its_meeting_under_its_old_id() {
    let house = House::new().await;
    let _workers = house.start();
    let letter = buried_request(&house, 1, HOUR).await;
    let told = replayed(&house, &letter.id, true).await.unwrap();
    assert_eq!((told.event, told.too_late), (Some(letter.id.clone()), None));
    house.until(meeting(1), is_carded).await;
    // The same trigger by another way is known: its key was kept.
    let mut double = request(1, house.deps.clock.now());
    double.id = EventId::from_uuid(Uuid::now_v7());
    house.post(double).await;
    house.until_empty(QueueName::Events).await;
    assert_eq!(house.peers.world().creates, 1);
}

#[tokio::test]
async fn create_given_up_is_tried_anew_only_when_that_is_asked_for() {
    let house = House::new().await;
    let workers = house.start();
    // Applied an hour late: failed, and its create lies among the dead letters.
    let now = house.deps.clock.now();
    house.post(request(1, now.minus(HOUR))).await;
    let failed = |meeting: &Meeting| meeting.refused == Some(Refusal::TooLate);
    let failed = house.until(meeting(1), failed).await;
    let body = Body::Job {
        id: JobId {
            meeting: failed.id,
            job: Job::CreateRoom,
            round: failed.round,
        },
        since: failed.requested_at,
    };
    let letter = letter(&Envelope::first(body, now), DeadKind::Job, Some(failed.id));
    house.store.bury(letter.clone()).await.unwrap();
    let told = replayed(&house, &letter.id, false).await.unwrap();
    assert!(told.too_late.is_some());
    house.until_empty(QueueName::Events).await;
    let still = house.load(meeting(1)).await.unwrap();
    assert_eq!(still.refused, Some(Refusal::TooLate));
    assert_eq!(house.peers.world().creates, 0);
    house.store.bury(letter.clone()).await.unwrap();
    let told = replayed(&house, &letter.id, true).await.unwrap();
    assert_eq!(told.too_late, None);
    house.until(meeting(1), is_carded).await;
    assert!(workers.drain(std::future::pending()).await);
}

#[tokio::test]
async fn replay_begins_the_count_of_suspicion_anew() {
    let house = House::new().await;
    let letter = buried_request(&house, 1, Duration::ZERO).await;
    for _ in 0..10 {
        house.store.mark_redelivered(&letter.id).await.unwrap();
    }
    replayed(&house, &letter.id, false).await.unwrap();
    assert_eq!(house.store.mark_redelivered(&letter.id).await, Ok(1));
}

/// Work on a job is counted under its own name, whichever message calls for it.
#[tokio::test]
async fn replayed_job_has_all_its_tries_in_every_round() {
    let house = House::new().await;
    let workers = house.start();
    house.ask(1).await;
    let now = house.deps.clock.now();
    let asked = house.until(meeting(1), is_carded).await;
    workers.drain(std::future::pending()).await;
    let id = JobId {
        meeting: asked.id,
        job: Job::CreateRoom,
        round: 0,
    };
    let body = Body::Job {
        id: id.clone(),
        since: now,
    };
    let letter = letter(&Envelope::first(body, now), DeadKind::Job, Some(asked.id));
    house.store.bury(letter.clone()).await.unwrap();
    let mark = format!("{}:{}", id.meeting, id.job.key());
    for _ in 0..10 {
        house.store.mark_redelivered(&mark).await.unwrap();
    }
    replayed(&house, &letter.id, false).await.unwrap();
    assert_eq!(house.store.mark_redelivered(&mark).await, Ok(1));
}

/// Before the next wake the job comes in its old round, and as its first try.
#[tokio::test]
async fn refused_create_that_is_replayed_in_its_round_opens_its_meeting() {
    let house = House::new().await;
    house.peers.world().create_fails = Some(ConferenceError::Refused {
        why: "another server".to_owned(),
    });
    let _workers = house.start();
    house.ask(1).await;
    let refused = house
        .until(meeting(1), |meeting| {
            meeting.refused == Some(Refusal::Refused) && !meeting.given_up.is_empty()
        })
        .await;
    assert_eq!(refused.round, 0);
    house.peers.world().create_fails = None;
    let id = JobId {
        meeting: refused.id,
        job: Job::CreateRoom,
        round: 0,
    };
    replayed(&house, &id.to_string(), false).await.unwrap();
    let open = house.until(meeting(1), is_carded).await;
    assert_eq!(open.round, 0);
}

#[tokio::test]
async fn letters_that_cannot_be_replayed_stay_and_say_why() {
    let house = House::new().await;
    let unreadable = DeadLetter {
        id: "garbage".to_owned(),
        kind: DeadKind::Unreadable,
        body: b"\xff{".to_vec(),
        ..buried_request(&house, 1, Duration::ZERO).await
    };
    house.store.bury(unreadable).await.unwrap();
    let id = JobId {
        meeting: meeting(7),
        job: Job::CreateRoom,
        round: 0,
    };
    let since = house.deps.clock.now();
    let body = Body::Job { id, since };
    let orphan = letter(
        &Envelope::first(body, since),
        DeadKind::Job,
        Some(meeting(7)),
    );
    house.store.bury(orphan.clone()).await.unwrap();
    for (id, words) in [
        ("garbage", "cannot be read by this version"),
        (orphan.id.as_str(), "does not have the meeting"),
        ("none", "there is no dead letter none"),
    ] {
        let error = replayed(&house, id, false).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(house.store.count_dead_letters().await, Ok(3));
    assert_eq!(house.lying(QueueName::Events).await, 0);
}

#[tokio::test]
async fn old_wish_to_end_ends_no_meeting_that_began_since_unless_it_counts_as_of_now() {
    let house = House::new().await;
    let _workers = house.start();
    house.ask(1).await;
    let running = house.until(meeting(1), is_carded).await;
    let now = house.deps.clock.now();
    let starter = running.starter().unwrap().clone();
    let fact = Fact::EndRequested {
        place: running.place.clone(),
        by: starter,
        via: TriggerSource::SlashCommand { hook: None },
        words: String::new(),
        told: None,
    };
    let event = own_event(fact, "an old end", now.minus(HOUR));
    let letter = letter(
        &Envelope::first(Body::Event(event), now),
        DeadKind::Event,
        None,
    );
    house.store.bury(letter.clone()).await.unwrap();
    let error = replayed(&house, &letter.id, false).await.unwrap_err();
    assert!(matches!(error, RepairError::OldEnd(_)), "{error}");
    assert_eq!(house.load(meeting(1)).await.unwrap().end, None);
    replayed(&house, &letter.id, true).await.unwrap();
    house
        .until(meeting(1), |meeting| meeting.end.is_some())
        .await;
}

#[tokio::test]
async fn job_is_not_replayed_before_its_meeting_knows_that_it_was_given_up() {
    let house = House::new().await;
    let workers = house.start();
    house.ask(1).await;
    let known = house.until(meeting(1), is_carded).await;
    assert!(workers.drain(std::future::pending()).await);
    let now = house.deps.clock.now();
    let body = Body::Job {
        id: JobId {
            meeting: known.id,
            job: Job::RefreshCard { version: 9 },
            round: known.round,
        },
        since: now,
    };
    let fresh = DeadLetter {
        buried_at: now,
        ..letter(&Envelope::first(body, now), DeadKind::Job, Some(known.id))
    };
    house.store.bury(fresh.clone()).await.unwrap();
    let error = replayed(&house, &fresh.id, false).await.unwrap_err();
    assert!(matches!(error, RepairError::TooSoon(_)), "{error}");
    assert_eq!(house.store.count_dead_letters().await, Ok(1));
}
