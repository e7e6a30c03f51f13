//! `Store::apply`.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use meetrelay::domain::apply::{Effect, Saying};
use meetrelay::domain::{
    Fact, Job, Origin, PostKey, PostRow, ResponseHook, RoomId, ServerName, State, TriggerSource,
};
use meetrelay::ports::{Incoming, MeetingFilter, StoreError};

use super::bench::{Bench, reopen};
use super::events::*;

pub(crate) async fn start_makes_a_meeting_that_is_found_again(bench: &impl Bench) {
    let store = bench.open().await;
    let incoming = start("town", second(0));
    let applied = apply_one(&store, incoming.clone()).await;
    assert_eq!(applied.effect, Effect::Applied);
    assert_eq!(applied.event, incoming.event.id);
    assert!(
        applied
            .publish
            .iter()
            .any(|owed| owed.job == Job::CreateRoom)
    );
    let (id, round) = applied.meeting.unwrap();
    let meeting = store.meeting(id).await.unwrap().unwrap();
    assert_eq!(meeting.round, round);
    assert_eq!(meeting.place, place("town"));
    assert_eq!(meeting.requests[0].by, person("ana"));
    let store = reopen(bench, store).await;
    assert_eq!(store.meeting(id).await.unwrap().unwrap(), meeting);
}

pub(crate) async fn double_is_known_by_source_and_key_after_reopening(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = open(&store, "town", "s1", second(0)).await;
    let fact = joined(session("s1", None, second(1)), "ben", second(1))
        .event
        .fact;
    let from = |server: &str, key: &str| {
        let server: ServerName = server.parse().unwrap();
        incoming(Origin::plugnmeet(&server, key), fact.clone(), second(2))
    };
    let first = apply(&store, &[from("a", "1"), from("a", "1")]).await;
    assert_eq!(effects(&first), [Effect::Applied, Effect::Duplicate]);
    let store = reopen(bench, store).await;
    let later = apply(&store, &[from("a", "1"), from("b", "1"), from("a", "2")]).await;
    assert_eq!(
        effects(&later),
        [Effect::Duplicate, Effect::Applied, Effect::Applied]
    );
    assert_eq!(later[0].meeting, Some((meeting.id, meeting.round)));
}

pub(crate) async fn double_repeats_what_is_owed(bench: &impl Bench) {
    let store = bench.open().await;
    let asked = start("town", second(0));
    let first = apply_one(&store, asked.clone()).await;
    assert!(!first.publish.is_empty());
    let double = apply_one(&store, asked.clone()).await;
    assert_eq!(double.effect, Effect::Duplicate);
    assert_eq!(double.publish, first.publish);
    // Once the room is there, the same double calls for no room.
    let (id, _) = first.meeting.unwrap();
    apply_one(&store, room_created(id, "s1", second(1))).await;
    let double = apply_one(&store, asked).await;
    assert!(
        double
            .publish
            .iter()
            .all(|owed| owed.job != Job::CreateRoom)
    );
    assert!(!double.publish.is_empty(), "the card is owed still");
}

pub(crate) async fn two_hooks_of_one_post_are_one_event(bench: &impl Bench) {
    let store = bench.open().await;
    let origin = Origin::mattermost(&ServerName::default_server(), "post:p1");
    let (one, other) = (drawn(), drawn());
    let hook = |id| incoming(origin.clone(), request(id, "town", "ana"), second(0));
    let applied = apply(&store, &[hook(one), hook(other)]).await;
    assert_eq!(effects(&applied), [Effect::Applied, Effect::Duplicate]);
    assert_eq!(applied[1].meeting.unwrap().0, one);
    assert!(applied[1].publish.is_empty(), "doubles do not breed");
    assert_eq!(store.meeting(other).await.unwrap(), None);
    let meeting = store.meeting(one).await.unwrap().unwrap();
    assert_eq!(meeting.requests.len(), 1, "the double is no second request");
}

pub(crate) async fn other_content_is_a_conflict_and_changes_nothing(bench: &impl Bench) {
    let store = bench.open().await;
    let before = open(&store, "town", "s1", second(0)).await;
    let origin = Origin::plugnmeet(&ServerName::default_server(), "1");
    let said = |name: &str| {
        let fact = joined(session("s1", None, second(1)), name, second(1))
            .event
            .fact;
        incoming(origin.clone(), fact, second(1))
    };
    let first = apply_one(&store, said("ben")).await;
    let after_first = store.meeting(before.id).await.unwrap().unwrap();
    assert_eq!(first.effect, Effect::Applied);
    let second = apply_one(&store, said("eve")).await;
    assert_eq!(second.effect, Effect::Conflict);
    assert_eq!(second.meeting, first.meeting);
    let after = store.meeting(before.id).await.unwrap().unwrap();
    assert_eq!(after, after_first);
}

pub(crate) async fn foreign_event_moves_nothing_and_its_double_is_known(bench: &impl Bench) {
    let store = bench.open().await;
    let room = "somebody-elses".parse().unwrap();
    let foreign = joined(session("s9", Some(&room), second(0)), "ben", second(0));
    let unknown = own(Fact::EndOrdered { meeting: drawn() }, second(0));
    let batch = [foreign.clone(), unknown, foreign];
    let applied = apply(&store, &batch).await;
    assert_eq!(
        effects(&applied),
        [Effect::Foreign, Effect::Foreign, Effect::Duplicate]
    );
    assert!(applied.iter().all(|applied| applied.meeting.is_none()));
    assert!(applied.iter().all(|applied| applied.publish.is_empty()));
}

/// Ana wants to end what runs in the channel.
fn end_asked(channel: &str) -> Incoming {
    let fact = Fact::EndRequested {
        place: place(channel),
        by: person("ana"),
        via: TriggerSource::SlashCommand {
            hook: ResponseHook::parse("abc"),
        },
        words: String::new(),
        told: None,
    };
    own(fact, second(4))
}

pub(crate) async fn end_of_nothing_is_told_each_time(bench: &impl Bench) {
    let store = bench.open().await;
    let asked = end_asked("town");
    for effect in [Effect::Applied, Effect::Duplicate] {
        let applied = apply_one(&store, asked.clone()).await;
        assert_eq!(applied.effect, effect);
        assert_eq!(applied.meeting, None);
        assert_eq!(applied.tell.unwrap().saying, Saying::NothingToEnd);
    }
}

/// A morning in one channel: two meetings one after the other, an alias, a breakout room, doubles, a recording.
/// `tag` keeps its names apart from another's.
fn morning(tag: &str) -> Vec<Incoming> {
    let town = format!("town-{tag}");
    let (main, side) = (format!("s1-{tag}"), format!("s1b-{tag}"));
    let first = start(&town, second(0));
    let Fact::MeetingRequested { meeting, .. } = first.event.fact else {
        unreachable!("start is a request");
    };
    let room = RoomId::from_digits(first.fresh.room);
    let breakout: RoomId = format!("{room}-1").parse().unwrap();
    let join = joined(session(&main, Some(&room), second(3)), "ben", second(3));
    let record = format!("rec-{tag}");
    vec![
        first.clone(),
        start(&town, second(1)),
        room_created(meeting, &main, second(2)),
        join.clone(),
        first,
        joined(session(&side, Some(&breakout), second(4)), "cai", second(4)),
        joined(session(&side, None, second(5)), "dan", second(5)),
        join,
        ended(session(&main, None, second(6)), second(6)),
        start(&town, second(7)),
        recorded(session(&main, None, second(8)), &record, second(8)),
        start(&format!("square-{tag}"), second(9)),
        own(Fact::EndOrdered { meeting }, second(10)),
    ]
}

pub(crate) async fn batch_ends_where_single_events_end(bench: &impl Bench) {
    let store = bench.open().await;
    let now = second(10);
    let in_one = store.apply(morning("a"), policy(), now).await.unwrap();
    let mut singly = Vec::new();
    for event in morning("b") {
        singly.extend(store.apply(vec![event], policy(), now).await.unwrap());
    }
    assert_eq!(effects(&in_one), effects(&singly));
    let mut met = HashSet::new();
    for (one, other) in in_one.iter().zip(&singly) {
        assert_eq!(one.publish.len(), other.publish.len());
        let (Some((one, _)), Some((other, _))) = (one.meeting, other.meeting) else {
            panic!("every event of the morning is about a meeting");
        };
        met.insert(one);
        let one = store.meeting(one).await.unwrap().unwrap();
        let other = store.meeting(other).await.unwrap().unwrap();
        assert_eq!(one.state(), other.state());
        assert_eq!(one.version, other.version);
        assert_eq!(one.wake_at, other.wake_at);
        assert_eq!(one.requests.len(), other.requests.len());
        assert_eq!(one.card_view().names, other.card_view().names);
        assert_eq!(one.breakouts.len(), other.breakouts.len());
        assert_eq!(one.artifacts.len(), other.artifacts.len());
    }
    assert_eq!(met.len(), 3, "town twice and the square");
}

pub(crate) async fn batch_answers_in_its_order(bench: &impl Bench) {
    let store = bench.open().await;
    let events = morning("a");
    let applied = apply(&store, &events).await;
    for (event, applied) in events.iter().zip(&applied) {
        assert_eq!(event.event.id, applied.event);
    }
    let doubles: Vec<usize> = (0..applied.len())
        .filter(|index| applied[*index].effect == Effect::Duplicate)
        .collect();
    assert_eq!(doubles, [4, 7]);
    let of = |index: usize| applied[index].meeting.unwrap().0;
    assert_eq!(
        of(1),
        of(0),
        "the second start is offered the first meeting"
    );
    assert_ne!(of(9), of(0), "after the end there is a new one");
    assert_eq!(of(6), of(0), "the breakout's session was known by then");
    let first = store.meeting(of(0)).await.unwrap().unwrap();
    assert_eq!(first.state(), State::Ended);
    assert_eq!(first.card_view().names, ["ben"]);
}

pub(crate) async fn running_meeting_is_kept_when_another_is_begun_beside_it(bench: &impl Bench) {
    let store = bench.open().await;
    let first = open(&store, "town", "s1", second(0)).await;
    let beside = own(request_new(drawn(), "town", "ben"), second(2));
    // The change to the first stands in the batch only when the second is begun.
    let join = joined(session("s1", None, second(1)), "ana", second(1));
    let applied = apply(&store, &[join, beside]).await;
    assert_ne!(applied[0].meeting, applied[1].meeting);
    let first = store.meeting(first.id).await.unwrap().unwrap();
    assert_eq!(first.card_view().names, ["ana"]);
    assert_eq!(first.requests.len(), 1);
}

pub(crate) async fn end_within_a_batch_frees_the_place_for_its_later_events(bench: &impl Bench) {
    let store = bench.open().await;
    let older = open(&store, "town", "s1", second(0)).await;
    let beside = own(request_new(drawn(), "town", "ben"), second(1));
    let (newer, _) = apply_one(&store, beside).await.meeting.unwrap();
    apply_one(&store, room_created(newer, "s2", second(1))).await;
    let end_of = |sid| ended(session(sid, None, second(2)), second(2));
    let batch = [
        end_of("s2"),
        start("town", second(3)),
        end_of("s1"),
        end_asked("town"),
    ];
    let applied = apply(&store, &batch).await;
    assert_eq!(applied[1].meeting.unwrap().0, older.id);
    assert_eq!(applied[3].meeting, None, "by then none runs");
    assert!(applied[3].tell.is_some());
}

pub(crate) async fn failed_batch_writes_nothing(bench: &impl Bench) {
    let store = bench.open().await;
    let known = open(&store, "town", "s1", second(0)).await;
    let good = start("square", second(1));
    let Fact::MeetingRequested { meeting, .. } = good.event.fact else {
        unreachable!("start is a request");
    };
    let join = joined(session("s1", None, second(1)), "ben", second(1));
    // No two meetings have one id.
    let bad = own(request(known.id, "market", "eve"), second(1));
    let batch = vec![good.clone(), join.clone(), bad.clone()];
    let refused = store.apply(batch, policy(), second(1)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    assert_eq!(store.meeting(meeting).await.unwrap(), None);
    let request = good.event.id.into();
    assert_eq!(store.meeting_of_request(request).await.unwrap(), None);
    let unchanged = store.meeting(known.id).await.unwrap().unwrap();
    assert_eq!(unchanged, known);
    assert_eq!(store.history(known.id).await.unwrap().len(), 2);
    assert_eq!(store.count_running().await.unwrap(), 1);
    // Nor were the keys taken: singly, the good ones still count.
    let applied = apply(&store, &[good, join]).await;
    assert_eq!(effects(&applied), [Effect::Applied, Effect::Applied]);
    let refused = store.apply(vec![bad], policy(), second(1)).await;
    let Err(StoreError::Refused(why)) = refused else {
        panic!("{refused:?} is no refusal");
    };
    assert!(why.contains(&known.id.to_string()), "{why}");
}

pub(crate) async fn damaged_meeting_is_refused_by_its_id_and_stops_no_other(bench: &impl Bench) {
    let store = bench.open().await;
    let damaged = open(&store, "town", "s1", second(0)).await;
    let whole = open(&store, "square", "s2", second(0)).await;
    bench.damage(damaged.id).await;
    let says = |error: StoreError| {
        let StoreError::Refused(why) = error else {
            panic!("{error} is no refusal");
        };
        assert!(why.contains(&damaged.id.to_string()), "{why}");
        assert!(!why.contains("secret"), "the value is not told: {why}");
    };
    says(store.meeting(damaged.id).await.unwrap_err());
    let request = damaged.requests[0].id;
    says(store.meeting_of_request(request).await.unwrap_err());
    let join = |sid| joined(session(sid, None, second(1)), "ben", second(1));
    let applied = store.apply(vec![join("s1")], policy(), second(1)).await;
    says(applied.unwrap_err());
    let applied = apply_one(&store, join("s2")).await;
    assert_eq!(applied.meeting.unwrap().0, whole.id);
    let filter = MeetingFilter {
        limit: 10,
        ..MeetingFilter::default()
    };
    assert_eq!(store.meetings(filter).await.unwrap().len(), 2);
}

pub(crate) async fn absurd_rule_stops_nobody_else(bench: &impl Bench) {
    let store = bench.open().await;
    let mut absurd = start("town", second(0));
    if let Fact::MeetingRequested { rule, .. } = &mut absurd.event.fact {
        rule.start_deadline = Duration::MAX;
    }
    let applied = store.apply(vec![absurd.clone()], policy(), second(0)).await;
    if let Err(error) = applied {
        let StoreError::Refused(why) = &error else {
            panic!("one event cannot send the store away: {error}");
        };
        assert!(why.contains(&absurd.event.id.to_string()), "{why}");
    }
    begun(&store, "square", second(1)).await;
}

pub(crate) async fn posts_count_in_what_an_event_owes(bench: &impl Bench) {
    let store = bench.open().await;
    let meeting = open(&store, "town", "s1", second(0)).await;
    let is_refresh = |job: &Job| matches!(job, Job::RefreshCard { .. });
    let woken = |round| {
        let meeting = meeting.id;
        own(Fact::Woken { meeting, round }, second(5))
    };
    let before = apply_one(&store, woken(0)).await;
    assert!(before.publish.iter().any(|owed| is_refresh(&owed.job)));
    let shown = PostRow {
        post: Some("p1".parse().unwrap()),
        rendered: meeting.version,
        ..PostRow::default()
    };
    store
        .put_post(meeting.id, &PostKey::Card, shown)
        .await
        .unwrap();
    let after = apply_one(&store, woken(1)).await;
    assert!(!after.publish.iter().any(|owed| is_refresh(&owed.job)));
}

pub(crate) async fn concurrent_batches_lose_nothing(bench: &impl Bench) {
    const TASKS: usize = 8;
    const EACH: usize = 20;
    let store = bench.open().await;
    let meeting = open(&store, "town", "s1", second(0)).await;
    let tasks = (0..TASKS).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0..EACH {
                let name = format!("n{task}-{number}");
                let join = joined(session("s1", None, second(1)), &name, second(1));
                assert_eq!(apply_one(&store, join).await.effect, Effect::Applied);
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let meeting = store.meeting(meeting.id).await.unwrap().unwrap();
    assert_eq!(meeting.people.len(), TASKS * EACH);
}
