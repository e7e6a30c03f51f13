//! How meetings are found and listed.

use meetrelay::domain::apply::Effect;
use meetrelay::domain::choice::CANDIDATES_MAX;
use meetrelay::domain::{Fact, PostKey, PostRow, State, Timestamp};
use meetrelay::ports::MeetingFilter;

use super::bench::Bench;
use super::events::*;

pub(crate) async fn request_and_alias_lead_to_the_meeting(bench: &impl Bench) {
    let store = bench.open().await;
    let (first, alias) = (start("town", second(0)), start("town", second(1)));
    let applied = apply(&store, &[first.clone(), alias.clone()]).await;
    let (id, _) = applied[0].meeting.unwrap();
    for request in [first.event.id, alias.event.id] {
        let found = store.meeting_of_request(request.into()).await.unwrap();
        assert_eq!(found.unwrap().id, id);
    }
}

pub(crate) async fn session_alone_leads_to_the_meeting(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = open(&store, "town", "s1", second(0)).await;
    open(&store, "square", "s2", second(0)).await;
    let join = joined(session("s1", None, second(1)), "ben", second(1));
    let applied = apply_one(&store, join).await;
    assert_eq!(applied.meeting.unwrap().0, meeting.id);
}

pub(crate) async fn breakout_session_alone_leads_to_the_meeting(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = open(&store, "town", "s1", second(0)).await;
    let alone = |sid: &str| joined(session(sid, None, second(1)), "ben", second(1));
    assert_eq!(apply_one(&store, alone("b1")).await.effect, Effect::Foreign);
    // By its room's name, and by what the event says of it.
    let numbered = format!("{}-1", meeting.room).parse().unwrap();
    let mut said = session("b2", Some(&"other-name".parse().unwrap()), second(2));
    said.breakout_of = Some(meeting.room.clone());
    let named = [session("b1", Some(&numbered), second(2)), said];
    for session in named {
        apply_one(&store, joined(session, "cai", second(2))).await;
    }
    for sid in ["b1", "b2"] {
        let applied = apply_one(&store, alone(sid)).await;
        assert_eq!(applied.meeting.unwrap().0, meeting.id, "{sid}");
    }
    let meeting = store.meeting(meeting.id).await.unwrap().unwrap();
    assert_eq!(meeting.people.len(), 0, "a breakout room changes no card");
}

pub(crate) async fn room_leads_to_the_meeting_of_an_unknown_session(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await;
    let by_room = session("s1", Some(&meeting.room), second(1));
    let applied = apply_one(&store, joined(by_room, "ben", second(1))).await;
    assert_eq!(applied.meeting.unwrap().0, meeting.id);
    // From then on the session is enough.
    let alone = session("s1", None, second(2));
    let applied = apply_one(&store, joined(alone, "cai", second(2))).await;
    assert_eq!(applied.meeting.unwrap().0, meeting.id);
}

pub(crate) async fn artifact_leads_to_its_meeting(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = open(&store, "town", "s1", second(0)).await;
    open(&store, "square", "s2", second(0)).await;
    for artifact in ["rec1", "rec2"] {
        let made = recorded(session("s1", None, second(1)), artifact, second(1));
        apply_one(&store, made).await;
        let found = store.meeting_of_artifact(&artifact.parse().unwrap()).await;
        assert_eq!(found.unwrap().unwrap().id, meeting.id);
    }
}

pub(crate) async fn unknown_things_are_nothing(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await;
    let stranger = start("square", second(0)).event.id;
    assert_eq!(store.meeting(drawn()).await.unwrap(), None);
    let found = store.meeting_of_request(stranger.into()).await.unwrap();
    assert_eq!(found, None);
    let artifact = "rec1".parse().unwrap();
    assert_eq!(store.meeting_of_artifact(&artifact).await.unwrap(), None);
    let post = store.post(meeting.id, &PostKey::Card).await.unwrap();
    assert_eq!(post, None);
    assert_eq!(store.history(drawn()).await.unwrap(), []);
    assert_eq!(store.dead_letter("no").await.unwrap(), None);
    assert_eq!(store.setting("no").await.unwrap(), None);
}

pub(crate) async fn place_finds_the_newest_running_meeting_only(bench: &impl Bench) {
    let store = bench.open().await;
    let older = open(&store, "town", "s1", second(0)).await;
    let beside = own(request_new(drawn(), "town", "ben"), second(1));
    let (newer, _) = apply_one(&store, beside).await.meeting.unwrap();
    apply_one(&store, room_created(newer, "s2", second(1))).await;
    let asked = async |at| {
        let applied = apply_one(&store, start("town", second(at))).await;
        applied.meeting.unwrap().0
    };
    assert_eq!(asked(2).await, newer);
    apply_one(&store, ended(session("s2", None, second(3)), second(3))).await;
    assert_eq!(asked(4).await, older.id, "it runs still");
    apply_one(&store, ended(session("s1", None, second(5)), second(5))).await;
    let third = asked(6).await;
    assert!(third != older.id && third != newer);
    let mut in_thread = start("town", second(7));
    if let Fact::MeetingRequested { place, .. } = &mut in_thread.event.fact {
        place.thread = Some("root".parse().unwrap());
    }
    let fourth = apply_one(&store, in_thread).await.meeting.unwrap().0;
    assert_ne!(fourth, third, "a thread is a place of its own");
}

pub(crate) async fn listing_is_filtered_and_newest_first(bench: &impl Bench) {
    let store = bench.open().await;
    let over = open(&store, "town", "s1", second(0)).await;
    apply_one(&store, ended(session("s1", None, second(1)), second(1))).await;
    let town = open(&store, "town", "s2", second(2)).await;
    apply_one(
        &store,
        joined(session("s2", None, second(3)), "ben", second(3)),
    )
    .await;
    let square = begun(&store, "square", second(4)).await;
    let list = async |running_only, limit| {
        let filter = MeetingFilter {
            running_only,
            limit,
        };
        let listed = store.meetings(filter).await.unwrap();
        listed.iter().map(|line| line.id).collect::<Vec<_>>()
    };
    assert_eq!(list(false, 10).await, [square.id, town.id, over.id]);
    assert_eq!(list(false, 2).await, [square.id, town.id]);
    assert_eq!(list(true, 10).await, [square.id, town.id]);
    let filter = MeetingFilter {
        limit: 2,
        ..MeetingFilter::default()
    };
    let line = store.meetings(filter).await.unwrap().remove(1);
    assert_eq!(line.title, "town meeting");
    assert_eq!(line.state, State::Live);
    assert_eq!(line.room, town.room.as_str());
    assert_eq!(line.channel_name, "town-name");
    assert_eq!(line.starter, "ana");
    assert_eq!(line.requested_at, second(2));
    assert_eq!(line.request, town.requests[0].id);
}

pub(crate) async fn f22_channel_holds_what_runs_in_its_threads(bench: &impl Bench) {
    let store = bench.open().await;
    let over = open(&store, "town", "s1", second(0)).await;
    apply_one(&store, ended(session("s1", None, second(1)), second(1))).await;
    let outside = begun(&store, "town", second(2)).await;
    let mut in_thread = start("town", second(3));
    if let Fact::MeetingRequested { place, .. } = &mut in_thread.event.fact {
        place.thread = Some("root".parse().unwrap());
    }
    let inside = apply_one(&store, in_thread).await.meeting.unwrap().0;
    // Channels whose ids begin alike are others.
    begun(&store, "town2", second(4)).await;
    begun(&store, "tow", second(5)).await;
    let mut town = place("town");
    let running = store.running_in(&town).await.unwrap();
    let ids: Vec<_> = running.iter().map(|meeting| meeting.id).collect();
    assert_eq!(ids, [inside, outside.id], "not {}", over.id);
    assert_eq!([running[0].number, running[1].number], [2, 1]);
    town.thread = Some("root".parse().unwrap());
    assert_eq!(store.running_in(&town).await.unwrap(), running);
    assert_eq!(store.running_in(&place("market")).await.unwrap(), []);
}

pub(crate) async fn running_meetings_of_a_channel_stay_capped(bench: &impl Bench) {
    let store = bench.open().await;
    let starts: Vec<_> = (0..60)
        .map(|number| {
            let fact = super::events::request_new(super::events::drawn(), "town", "ana");
            own(fact, second(number))
        })
        .collect();
    apply(&store, &starts).await;
    let running = store.running_in(&place("town")).await.unwrap();
    assert_eq!(running.len(), CANDIDATES_MAX);
    assert_eq!(running[0].requested_at, second(59));
    assert_eq!(running[0].number, 60);
}

pub(crate) async fn listing_of_thousands_stays_capped(bench: &impl Bench) {
    const MEETINGS: i64 = 5_000;
    let store = bench.open().await;
    let starts: Vec<_> = (0..MEETINGS)
        .map(|number| start(&format!("c{number}"), second(number)))
        .collect();
    for batch in starts.chunks(500) {
        apply(&store, batch).await;
    }
    for running_only in [false, true] {
        let filter = MeetingFilter {
            running_only,
            limit: usize::MAX,
        };
        let listed = store.meetings(filter).await.unwrap();
        assert_eq!(listed.len(), 500);
        assert_eq!(listed[0].requested_at, second(MEETINGS - 1));
        assert_eq!(listed[499].requested_at, second(MEETINGS - 500));
    }
    assert_eq!(store.count_running().await.unwrap(), MEETINGS as u64);
    let due = store.due_meetings(second(1_000_000), 1000).await.unwrap();
    assert_eq!(due.len(), 1000);
}

pub(crate) async fn due_meetings_come_longest_first(bench: &impl Bench) {
    let store = bench.open().await;
    let mut begun_at = Vec::new();
    for number in [3, 1, 2] {
        let meeting = begun(&store, &format!("c{number}"), second(number * 100)).await;
        begun_at.push((meeting.wake_at.unwrap(), meeting.id));
    }
    begun_at.sort();
    let ids: Vec<_> = begun_at.iter().map(|(_, id)| (*id, 0)).collect();
    let due = async |at: Timestamp, limit| store.due_meetings(at, limit).await.unwrap();
    assert_eq!(due(second(100_000), 10).await, ids);
    assert_eq!(due(second(100_000), 2).await, ids[..2]);
    assert_eq!(due(second(100_000), 0).await, []);
    // At its very time it is due, and not a moment before.
    let (first, _) = begun_at[0];
    assert_eq!(due(first, 10).await, ids[..1]);
    let before = Timestamp::from_millis(first.millis() - 1);
    assert_eq!(due(before, 10).await, []);
}

pub(crate) async fn meeting_that_owes_nothing_is_never_due(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await;
    let shown = PostRow {
        post: Some("p1".parse().unwrap()),
        rendered: 1000,
        ..PostRow::default()
    };
    let card = PostKey::Card;
    store.put_post(meeting.id, &card, shown).await.unwrap();
    let gone = Fact::EndTried {
        meeting: meeting.id,
        gone: true,
    };
    apply_one(&store, own(gone, second(1))).await;
    let meeting = store.meeting(meeting.id).await.unwrap().unwrap();
    assert_eq!(meeting.state(), State::Cancelled);
    assert_eq!(meeting.wake_at, None);
    let due = store
        .due_meetings(Timestamp::from_millis(i64::MAX), 10)
        .await;
    assert_eq!(due.unwrap(), []);
}

pub(crate) async fn woken_meeting_is_due_again_later_in_another_round(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = begun(&store, "town", second(0)).await;
    let at = meeting.wake_at.unwrap();
    let due = store.due_meetings(at, 10).await.unwrap();
    assert_eq!(due, [(meeting.id, 0)]);
    let woken = Fact::Woken {
        meeting: meeting.id,
        round: 0,
    };
    apply_one(&store, own(woken, at)).await;
    assert_eq!(store.due_meetings(at, 10).await.unwrap(), []);
    let later = store.meeting(meeting.id).await.unwrap().unwrap();
    assert!(later.wake_at > Some(at));
    let due = store
        .due_meetings(later.wake_at.unwrap(), 10)
        .await
        .unwrap();
    assert_eq!(due, [(meeting.id, 1)]);
}

pub(crate) async fn running_meetings_are_counted(bench: &impl Bench) {
    let store = bench.open().await;
    assert_eq!(store.count_running().await.unwrap(), 0);
    open(&store, "town", "s1", second(0)).await;
    begun(&store, "square", second(1)).await;
    assert_eq!(store.count_running().await.unwrap(), 2);
    apply_one(&store, ended(session("s1", None, second(2)), second(2))).await;
    assert_eq!(store.count_running().await.unwrap(), 1);
}
