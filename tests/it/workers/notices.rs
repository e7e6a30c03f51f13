//! Meetings shown by posts that can be neither edited nor looked up: by an incoming webhook, and through response URLs.

use std::collections::VecDeque;

use super::*;
use meetrelay::domain::post::Frozen;
use meetrelay::domain::{
    ArtifactKind, DeliveryMethod, EndSaid, PostRow, Rendered, RequestId, ResponseHook,
    event::SessionRef, presentation::HOOK_LIFE,
};
use meetrelay::ports::{ChatError, ConferenceError, Incoming};
use peers::Fate;

/// A house whose way out is an incoming webhook.
async fn noticing() -> House {
    let mut house = House::new().await;
    house.settings.policy.schedule.delivery_method = DeliveryMethod::Notices;
    house.peers.world().delivery_method = Some(DeliveryMethod::Notices);
    house
}

fn lost() -> Fate {
    Fate::Lost
}

fn away() -> Fate {
    Fate::Refused(ChatError::Unreachable {
        why: "refused".to_owned(),
        sent: false,
    })
}

fn messages(house: &House) -> Vec<String> {
    let notices = &house.peers.world().notices;
    notices.iter().map(|n| n.message.clone()).collect()
}

fn is_told(meeting: &Meeting, key: &PostKey) -> bool {
    meeting.post(key).is_some_and(PostRow::is_posted)
}

/// The start is told, and the room's session known: either comes first.
fn is_open_and_told(meeting: &Meeting) -> bool {
    is_told(meeting, &PostKey::Card) && meeting.newest_session().is_some()
}

/// What plugNmeet says of the room's session.
async fn say(house: &House, meeting: &Meeting, make: impl Fn(SessionRef) -> Fact) {
    let sid = meeting.newest_session().unwrap().sid.clone();
    let session = SessionRef {
        sid,
        room: Some(meeting.room.clone()),
        breakout_of: None,
        created_at: None,
        said_at: Timestamp::from_seconds(1_795_269_780),
    };
    let fact = make(session);
    let key = format!("{fact:?}");
    house
        .post(own_event(fact, key, house.deps.clock.now()))
        .await;
}

async fn end(house: &House, meeting: &Meeting) {
    say(house, meeting, |session| Fact::SessionEnded {
        ended_at: session.said_at,
        said: EndSaid::SessionEnded,
        session,
    })
    .await;
}

async fn record(house: &House, meeting: &Meeting, id: &str) {
    say(house, meeting, |session| Fact::ArtifactCreated {
        session,
        artifact: id.parse().unwrap(),
        kind: ArtifactKind::Recording,
    })
    .await;
}

#[tokio::test]
async fn meeting_is_told_by_one_start_one_end_and_one_notice_a_recording() {
    let house = noticing().await;
    let _workers = house.start();
    let id = house.ask(1).await;
    let open = house.until(id, is_open_and_told).await;
    record(&house, &open, "rec").await;
    let key = PostKey::Artifact("rec".parse().unwrap());
    house.until(id, |m| is_told(m, &key)).await;
    end(&house, &open).await;
    end(&house, &open).await;
    house.until(id, |m| is_told(m, &PostKey::Final)).await;
    house.until_empty(QueueName::Events).await;
    house.until_empty(QueueName::ChatLater).await;
    let told = messages(&house);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].contains("**Weekly sync**"), "{told:?}");
    assert_eq!(told[1], "@ana The recording of **Weekly sync** is ready");
    assert!(told[2].starts_with("**Weekly sync** ended"), "{told:?}");
    assert!(house.peers.world().posts.is_empty());
    assert_eq!(house.store.count_dead_letters().await, Ok(0));
}

#[tokio::test]
async fn failure_is_told_by_one_notice() {
    let mut house = noticing().await;
    house.settings.policy.schedule.first_card_after = 3600 * SECOND;
    house.peers.world().create_fails = Some(ConferenceError::Refused {
        why: "no".to_owned(),
    });
    let _workers = house.start();
    let id = house.ask(1).await;
    house.until(id, |m| is_told(m, &PostKey::Final)).await;
    assert_eq!(messages(&house), ["**Weekly sync** could not be started"]);
}

#[tokio::test]
async fn notice_that_was_certainly_not_posted_is_tried_until_it_is() {
    let house = noticing().await;
    let throttled = Fate::Refused(ChatError::Throttled {
        after: Some(50 * MILLIS),
    });
    let turned_away = Fate::Refused(ChatError::TurnedAway {
        why: "503".to_owned(),
        after: None,
    });
    house.peers.world().fates = VecDeque::from([away(), throttled, turned_away, away()]);
    let _workers = house.start();
    let id = house.ask(1).await;
    let meeting = house.until(id, |m| is_told(m, &PostKey::Card)).await;
    assert_eq!(house.peers.world().tried_at.len(), 5);
    assert_eq!(messages(&house).len(), 1);
    assert_eq!(meeting.post(&PostKey::Card).unwrap().sent, 1);
}

#[tokio::test]
async fn refusal_that_may_be_trouble_is_tried_a_bounded_number_of_times() {
    let house = noticing().await;
    let failed = || {
        Fate::Refused(ChatError::Failed {
            why: "the webhook is unknown".to_owned(),
        })
    };
    house.peers.world().fates = (0..100).map(|_| failed()).collect();
    let _workers = house.start();
    let id = house.ask(1).await;
    house.until(id, |m| !m.given_up.is_empty()).await;
    house.until_empty(QueueName::ChatLater).await;
    let tries = house.peers.world().tried_at.len();
    // The job may have been published twice, once for its time and once for the room; each copy counts its own.
    let most = house.settings.retry.attempts_max as usize;
    assert!((most..=2 * most).contains(&tries), "{tries}");
    let letters = house
        .store
        .dead_letters(meetrelay::ports::DeadFilter::newest(10))
        .await
        .unwrap();
    assert!(letters[0].reason.contains("the webhook is unknown"));
}

#[tokio::test]
async fn notice_of_unknown_outcome_is_repeated_exactly_once_after_its_pause() {
    let house = noticing().await;
    house.peers.world().fates = VecDeque::from([lost(), lost(), lost()]);
    let _workers = house.start();
    let id = house.ask(1).await;
    let meeting = house.until(id, |m| is_told(m, &PostKey::Card)).await;
    house.until_empty(QueueName::ChatLater).await;
    let tries = house.peers.world().tried_at.len();
    assert_eq!(tries, 2, "the second one counts as posted");
    let row = meeting.post(&PostKey::Card).unwrap();
    let waited = row.posted_at.unwrap().since(row.first_tried_at.unwrap());
    assert!(waited >= house.settings.notice_again_after, "{waited:?}");
    assert_eq!(messages(&house).len(), 2, "and this is how it doubles");
    assert!(meeting.given_up.is_empty());
}

#[tokio::test]
async fn crash_before_the_answer_is_an_unknown_outcome() {
    let house = noticing().await;
    house.peers.world().post_takes = 3600 * SECOND;
    let workers = house.start();
    let id = house.ask(1).await;
    let is_begun = |m: &Meeting| m.post(&PostKey::Card).is_some_and(|row| row.sent == 1);
    let begun = house.until(id, is_begun).await;
    // Nobody waits for the call.
    assert!(!workers.drain(std::future::ready(())).await);
    let again_at = begun.post(&PostKey::Card).unwrap().again_at.unwrap();
    let settings = house.settings.clone();
    let mut house = house.restarted().await;
    house.settings = settings;
    house.peers.world().post_takes = Duration::ZERO;
    let _workers = house.start();
    let meeting = house.until(id, |m| is_told(m, &PostKey::Card)).await;
    let row = meeting.post(&PostKey::Card).unwrap();
    assert_eq!(row.sent, 2);
    assert!(row.posted_at.unwrap() >= again_at);
    assert_eq!(messages(&house).len(), 1);
}

#[tokio::test]
async fn end_asked_by_another_is_refused_where_nobody_can_be_asked() {
    let house = noticing().await;
    let _workers = house.start();
    let id = house.ask(1).await;
    let meeting = house.until(id, |m| is_told(m, &PostKey::Card)).await;
    let ask = |number: u128, user: &str| {
        let mut event = request(number, house.deps.clock.now());
        event.fact = Fact::EndRequested {
            place: meeting.place.clone(),
            by: Person {
                user_id: user.parse().unwrap(),
                user_name: user.to_owned(),
            },
            via: TriggerSource::SlashCommand {
                hook: ResponseHook::parse("endhook"),
            },
            words: String::new(),
            told: None,
        };
        event
    };
    house.post(ask(2, "bob")).await;
    let asked: RequestId = EventId::from_uuid(Uuid::from_u128(2)).into();
    let key = PostKey::Answer(asked);
    let is_answered = |m: &Meeting| m.post(&key).is_some_and(|row| row.answered);
    let meeting = house.until(id, is_answered).await;
    assert!(meeting.end.is_none());
    let answers = house.peers.world().answers.clone();
    assert!(
        answers[0].contains("only the person who started it can"),
        "{answers:?}"
    );
    house.post(ask(3, "ana")).await;
    house.until(id, |m| m.end.is_some()).await;
}

#[tokio::test]
async fn second_phrase_is_told_by_one_notice_a_minute() {
    let house = noticing().await;
    let _workers = house.start();
    let id = house.ask(1).await;
    house.until(id, |m| is_told(m, &PostKey::Card)).await;
    for number in [2, 3] {
        let mut event = request(number, house.deps.clock.now());
        let Fact::MeetingRequested { via, place, .. } = &mut event.fact else {
            unreachable!()
        };
        *via = TriggerSource::OutgoingWebhook {
            post: format!("trigger{number}").parse().unwrap(),
            caught_up: false,
            placed: false,
        };
        place.channel = "channel1".parse().unwrap();
        house.post(event).await;
        let key = PostKey::Answer(EventId::from_uuid(Uuid::from_u128(number)).into());
        let is_answered = |m: &Meeting| m.post(&key).is_some_and(|row| row.answered);
        house.until(id, is_answered).await;
    }
    let told = messages(&house);
    let lines = told.iter().filter(|t| t.contains("already")).count();
    assert_eq!(lines, 1, "{told:?}");
}

/// Somebody types `/plugnmeet start` in a direct message.
async fn ask_directly(house: &House, received_at: Timestamp) -> MeetingId {
    let mut event = request(1, received_at);
    let Fact::MeetingRequested { via, place, .. } = &mut event.fact else {
        unreachable!()
    };
    *via = TriggerSource::SlashCommand {
        hook: ResponseHook::parse("hook"),
    };
    place.kind = ConversationKind::Direct;
    house.post(event).await;
    meeting(1)
}

#[tokio::test]
async fn direct_message_is_told_start_end_and_what_uses_are_left_for() {
    for delivery_method in [DeliveryMethod::Posts, DeliveryMethod::Notices] {
        let mut house = House::new().await;
        house.settings.policy.schedule.delivery_method = delivery_method;
        house.peers.world().delivery_method = Some(delivery_method);
        let _workers = house.start();
        let id = ask_directly(&house, house.deps.clock.now()).await;
        let open = house.until(id, is_open_and_told).await;
        end(&house, &open).await;
        for number in 1..=5 {
            record(&house, &open, &format!("rec{number}")).await;
        }
        let meeting = house.until(id, |m| m.hook_uses() == 5).await;
        house.until_empty(QueueName::Events).await;
        house.until_empty(QueueName::ChatLater).await;
        let shown: Vec<Rendered> = house.peers.world().shown.clone();
        let shown: Vec<String> = shown.into_iter().map(|s| s.message).collect();
        assert_eq!(shown.len(), 5, "{shown:?}");
        assert!(shown[1].starts_with("**Weekly sync** ended"), "{shown:?}");
        assert!(shown[2..].iter().all(|s| s.contains("recording")));
        assert!(messages(&house).is_empty() && house.peers.world().posts.is_empty());
        assert!(meeting.given_up.is_empty());
    }
}

#[tokio::test]
async fn response_url_that_has_run_out_ends_the_telling_without_a_dead_letter() {
    let house = House::new().await;
    let _workers = house.start();
    let id = ask_directly(&house, house.deps.clock.now()).await;
    let open = house.until(id, is_open_and_told).await;
    house.peers.world().fates = VecDeque::from([Fate::Refused(ChatError::NotFound {
        why: "expired".to_owned(),
    })]);
    record(&house, &open, "rec").await;
    end(&house, &open).await;
    let lapsed = |m: &Meeting| {
        let row = m.post(&PostKey::Final);
        row.is_some_and(|row| row.frozen == Some(Frozen::Lapsed))
    };
    house.until(id, lapsed).await;
    house.until_empty(QueueName::ChatLater).await;
    assert_eq!(house.peers.world().shown.len(), 1);
    assert_eq!(house.store.count_dead_letters().await, Ok(0));
}

#[tokio::test]
async fn start_that_waited_half_an_hour_is_shown_nowhere() {
    let house = House::new().await;
    let now = house.deps.clock.now();
    // The request is old, and its start was owed in time: Mattermost was away.
    let then = now.minus(HOOK_LIFE);
    let mut event = request(1, then);
    let Fact::MeetingRequested {
        via, place, rule, ..
    } = &mut event.fact
    else {
        unreachable!()
    };
    *via = TriggerSource::SlashCommand {
        hook: ResponseHook::parse("hook"),
    };
    place.kind = ConversationKind::Direct;
    rule.start_deadline = 3600 * SECOND;
    let incoming = Incoming {
        event: event.clone(),
        fresh: meetrelay::domain::apply::Fresh { room: [1; 13] },
    };
    let policy = house.settings.policy.clone();
    house
        .store
        .apply(vec![incoming], policy, then)
        .await
        .unwrap();
    house.post(event).await;
    let _workers = house.start();
    let lapsed = |m: &Meeting| {
        let row = m.post(&PostKey::Card);
        row.is_some_and(|row| row.frozen == Some(Frozen::Lapsed))
    };
    house.until(meeting(1), lapsed).await;
    assert!(house.peers.world().tried_at.is_empty());
}
