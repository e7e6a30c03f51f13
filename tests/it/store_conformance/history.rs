//! What is kept for a person who asks why: every event, every attempt, what was done by hand.

use std::time::Duration;

use meetrelay::domain::apply::Effect;
use meetrelay::domain::{EventId, MeetingId, Origin, PostKey, PostRow, ServerName};
use meetrelay::ports::{
    Attempt, DETAIL_BYTES_MAX, DeadKind, DeadLetter, Ending, Lookup, Note, QueueName,
};
use uuid::Uuid;

use super::bench::{Bench, reopen};
use super::events::*;

fn attempt(meeting: MeetingId, number: u32) -> Attempt {
    Attempt {
        meeting,
        job: format!("{meeting}:create_room::0"),
        number,
        queue: QueueName::Conference,
        due_at: second(1),
        began_at: second(2),
        took: Duration::from_millis(345),
        ending: Ending::Again,
        detail: "503 Service Unavailable".to_owned(),
    }
}

fn note(subject: &str, meeting: Option<MeetingId>, at: i64) -> Note {
    Note {
        at: second(at),
        by: "root@host".to_owned(),
        action: "replay".to_owned(),
        subject: subject.to_owned(),
        meeting,
    }
}

fn letter(id: String, meeting: Option<MeetingId>) -> DeadLetter {
    DeadLetter {
        id,
        queue: "events".to_owned(),
        kind: DeadKind::Event,
        meeting,
        reason: "refused for good".to_owned(),
        buried_at: second(1),
        attempts: 1,
        body: b"body".to_vec(),
    }
}

pub(crate) async fn every_event_is_found_by_its_id_whatever_became_of_it(bench: &impl Bench) {
    let store = bench.open().await;
    let asked = start("town", second(0));
    let mut double = asked.clone();
    double.event.id = EventId::from_uuid(Uuid::now_v7());
    let mut conflict = start("square", second(2));
    conflict.event.origin = asked.event.origin.clone();
    let foreign = ended(session("nobodys", None, second(3)), second(3));
    let batch = [&asked, &double, &asked, &conflict, &foreign].map(Clone::clone);
    let applied = apply(&store, &batch).await;
    // The same again, as after a crash before the acknowledgement.
    apply(&store, &batch).await;
    let (meeting, _) = applied[0].meeting.unwrap();
    for (incoming, effect, of) in [
        (&asked, Effect::Applied, Some(meeting)),
        (&double, Effect::Duplicate, Some(meeting)),
        (&conflict, Effect::Conflict, Some(meeting)),
        (&foreign, Effect::Foreign, None),
    ] {
        let id = incoming.event.id.to_string();
        let found = store.find(&id).await.unwrap();
        assert_eq!(found.meeting, of, "{effect:?}");
        let line = found.event.expect("it is logged");
        assert_eq!((line.event, line.effect), (id, effect));
        assert_eq!(line.received_at, incoming.event.received_at);
    }
    let history = store.history(meeting).await.unwrap();
    let told: Vec<_> = history.iter().map(|line| line.effect).collect();
    let once = [Effect::Applied, Effect::Duplicate, Effect::Conflict];
    assert_eq!(told, once, "each event has one line");
}

pub(crate) async fn meeting_is_found_by_every_id_that_belongs_to_it(bench: &impl Bench) {
    let store = bench.open().await;
    let mut asked = start("town", second(0));
    asked.event.origin = Origin::mattermost(&ServerName::default_server(), "post:asked");
    let (id, _) = apply_one(&store, asked).await.meeting.unwrap();
    let record = recorded(session("s1", None, second(2)), "r1", second(2));
    apply(&store, &[room_created(id, "s1", second(1)), record]).await;
    let row = PostRow {
        post: Some("card".parse().unwrap()),
        ..PostRow::default()
    };
    store.put_post(id, &PostKey::Card, row).await.unwrap();
    begun(&store, "square", second(0)).await;
    let meeting = store.meeting(id).await.unwrap().unwrap();
    let request = meeting.first_request().unwrap().id.to_string();
    for reference in [
        id.to_string().as_str(),
        &request,
        meeting.room.as_str(),
        "s1",
        "r1",
        "card",
        "asked",
    ] {
        let found = store.find(reference).await.unwrap();
        assert_eq!(found.meeting, Some(id), "{reference}");
        assert_eq!(found.letter, None);
    }
    for unknown in ["", "nothing", "post:asked", "' OR 1 = 1 --"] {
        let found = store.find(unknown).await.unwrap();
        assert_eq!(found, Lookup::default(), "{unknown}");
    }
}

pub(crate) async fn dead_letter_is_found_by_its_id_and_leads_to_its_meeting(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await.id;
    let ours = letter("letter of ours".to_owned(), Some(meeting));
    let nobodys = letter("letter of nobody".to_owned(), None);
    for letter in [&ours, &nobodys] {
        store.bury(letter.clone()).await.unwrap();
        let found = store.find(&letter.id).await.unwrap();
        assert_eq!(found.meeting, letter.meeting);
        assert_eq!(found.letter.as_ref(), Some(letter));
    }
}

pub(crate) async fn settled_events_are_those_with_a_line_or_a_letter(bench: &impl Bench) {
    let store = bench.open().await;
    let (applied, buried, lost) = (
        start("town", second(0)),
        start("square", second(0)),
        start("park", second(0)),
    );
    let discarded = start("lake", second(0));
    for (incoming, action) in [(&discarded, "discard"), (&lost, "replay")] {
        let done = Note {
            action: action.to_owned(),
            ..note(&incoming.event.id.to_string(), None, 1)
        };
        store.log_note(done).await.unwrap();
    }
    apply_one(&store, applied.clone()).await;
    let id = buried.event.id.to_string();
    store.bury(letter(id, None)).await.unwrap();
    let ids = [&lost, &buried, &applied, &discarded].map(|incoming| incoming.event.id);
    let mut settled = store.settled_events(ids.to_vec()).await.unwrap();
    settled.sort();
    let mut expected = [&applied, &buried, &discarded].map(|incoming| incoming.event.id);
    expected.sort();
    assert_eq!(settled, expected);
    assert_eq!(store.settled_events(vec![]).await.unwrap(), []);
}

pub(crate) async fn attempt_comes_back_whole_and_in_order(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await.id;
    let other = begun(&store, "square", second(0)).await.id;
    let mut kept = Vec::new();
    for (number, ending) in (1..).zip(Ending::ALL) {
        let attempt = Attempt {
            ending,
            queue: QueueName::ALL[number as usize - 1],
            ..attempt(meeting, number)
        };
        store.log_attempt(attempt.clone()).await.unwrap();
        store.log_attempt(attempt.clone()).await.unwrap();
        kept.extend([attempt.clone(), attempt]);
    }
    store.log_attempt(attempt(other, 9)).await.unwrap();
    let store = reopen(bench, store).await;
    assert_eq!(store.attempts(meeting).await.unwrap(), kept);
    let long = Attempt {
        detail: "ä".repeat(DETAIL_BYTES_MAX),
        ..attempt(other, 10)
    };
    store.log_attempt(long).await.unwrap();
    let found = store.attempts(other).await.unwrap();
    assert_eq!(found[1].detail, "ä".repeat(DETAIL_BYTES_MAX / 2));
}

pub(crate) async fn newest_attempts_of_a_meeting_are_kept(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await.id;
    let other = begun(&store, "square", second(0)).await.id;
    store.log_attempt(attempt(other, 1)).await.unwrap();
    for number in 1..=510 {
        store.log_attempt(attempt(meeting, number)).await.unwrap();
    }
    let kept = store.attempts(meeting).await.unwrap();
    assert_eq!(kept.len(), 500);
    assert_eq!((kept[0].number, kept[499].number), (11, 510));
    assert_eq!(store.attempts(other).await.unwrap().len(), 1);
}

pub(crate) async fn notes_are_found_by_meeting_and_by_subject(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await.id;
    let (first, second, third) = (
        note("letter one", Some(meeting), 1),
        note("letter two", Some(meeting), 2),
        note("letter three", None, 3),
    );
    for note in [&first, &second, &third] {
        store.log_note(note.clone()).await.unwrap();
    }
    let about = async |what: &str| store.notes(what).await.unwrap();
    assert_eq!(
        about(&meeting.to_string()).await,
        [first.clone(), second.clone()]
    );
    assert_eq!(about("letter two").await, [second]);
    assert_eq!(about("letter three").await, [third]);
    assert_eq!(about("letter four").await, []);
}

pub(crate) async fn old_attempts_and_notes_are_pruned(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(9)).await.id;
    let young = Attempt {
        began_at: second(9),
        ..attempt(meeting, 2)
    };
    for attempt in [attempt(meeting, 1), young.clone()] {
        store.log_attempt(attempt).await.unwrap();
    }
    for note in [note("old", None, 1), note("young", None, 9)] {
        store.log_note(note).await.unwrap();
    }
    assert_eq!(store.prune(second(9)).await.unwrap(), 2);
    assert_eq!(store.attempts(meeting).await.unwrap(), [young]);
    assert_eq!(store.notes("old").await.unwrap(), []);
    assert_eq!(store.notes("young").await.unwrap().len(), 1);
}
