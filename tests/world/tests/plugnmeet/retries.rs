//! Attempts, waits and outcomes of webhooks (src/plugnmeet/README.md, "Webhook delivery"; recorded:
//! webhook-other-retry-503-*, -redirect-302).

use std::time::Duration;

use world::plugnmeet::{Delivery, FakePlugNmeet, Options, Outcome};

use crate::receiver::{Received, Receiver, Script};
use crate::recorded::{create, webhook};
use crate::{DEADLINE, start};

/// A tenth of real time: long enough to tell the waits apart on a busy machine.
const SCALE: f64 = 0.1;

/// One room_created at a receiver with this script: the delivery and what was received.
async fn deliver(script: Script) -> (Delivery, Vec<Received>) {
    let fake = tenth().await;
    let receiver = Receiver::start(script).await;
    create(&fake, "mm-retry-503", Some(receiver.url())).await;
    fake.settle_webhooks(DEADLINE).await;
    (fake.deliveries().remove(0), receiver.all())
}

async fn tenth() -> FakePlugNmeet {
    start(Options {
        time_scale: SCALE,
        ..Options::default()
    })
    .await
}

fn answers(statuses: &[u16]) -> Script {
    statuses
        .iter()
        .map(|status| (*status, None, Duration::ZERO))
        .collect()
}

/// The times of attempts after the first, in the real server's seconds.
fn times(received: &[Received]) -> Vec<f64> {
    received
        .iter()
        .map(|one| one.at.duration_since(received[0].at).as_secs_f64() / SCALE)
        .collect()
}

/// Each attempt is not earlier than told, and less than six seconds (0.6 on this machine's clock) later.
fn assert_times(received: &[Received], wanted: &[f64]) {
    let times = times(received);
    assert_eq!(times.len(), wanted.len(), "{times:?}");
    for (time, wanted) in times.iter().zip(wanted) {
        assert!((*wanted - 0.05..wanted + 6.0).contains(time), "{times:?}");
    }
}

#[tokio::test]
async fn a_failing_receiver_gets_three_identical_attempts_at_0_1_and_3_seconds() {
    for status in [500, 503, 429] {
        let (delivery, received) = deliver(answers(&[status; 5])).await;
        assert_times(&received, &[0.0, 1.0, 3.0]);
        assert_eq!(delivery.outcome, Outcome::GivenUp);
        let statuses: Vec<_> = delivery
            .attempts
            .iter()
            .map(|attempt| attempt.status)
            .collect();
        assert_eq!(statuses, [Some(status); 3]);
        for one in &received {
            assert_eq!(
                (&one.body, one.header("authorization")),
                (&received[0].body, received[0].header("authorization"))
            );
        }
    }
    let bodies: Vec<String> = (1..=3)
        .map(|n| webhook(&format!("webhook-other-retry-503-attempt-{n}")).1)
        .collect();
    assert!(
        bodies.iter().all(|body| *body == bodies[0]),
        "as the recorded attempts"
    );
}

#[tokio::test]
async fn a_second_attempt_that_is_accepted_ends_the_delivery() {
    let (delivery, received) = deliver(answers(&[503])).await;
    assert_eq!((delivery.outcome, received.len()), (Outcome::Accepted, 2));
}

#[tokio::test]
async fn retry_after_is_honoured_for_429_and_503_only() {
    let hinted = |status| {
        vec![
            (
                status,
                Some(("Retry-After", "5".to_owned())),
                Duration::ZERO
            );
            2
        ]
    };
    for status in [429, 503] {
        let (_, received) = deliver(hinted(status)).await;
        assert_times(&received, &[0.0, 5.0, 10.0]);
    }
    let (_, received) = deliver(hinted(500)).await;
    assert_times(&received, &[0.0, 1.0, 3.0]);
}

#[tokio::test]
async fn a_4xx_and_a_501_are_final() {
    for status in [400, 401, 404, 410, 501] {
        let (delivery, received) = deliver(answers(&[status])).await;
        assert_eq!(
            (delivery.outcome, received.len()),
            (Outcome::Refused, 1),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_302_turns_into_a_get_without_body_that_keeps_both_tokens() {
    let to = Some(("Location", "/hook/redirected".to_owned()));
    let (delivery, received) = deliver(vec![(302, to, Duration::ZERO)]).await;
    let (recorded, body) = webhook("webhook-other-redirect-302-followed-as-get");
    let second = &received[1];
    assert_eq!(
        (second.method.as_str(), second.path.as_str()),
        ("GET", "/hook/redirected")
    );
    assert_eq!(
        (second.body.as_str(), delivery.outcome),
        (body.as_str(), Outcome::Accepted)
    );
    for (name, _) in recorded {
        assert!(!second.header(&name).is_empty(), "{name}");
    }
    assert_eq!(
        second.header("hash-token"),
        received[0].header("hash-token")
    );
}

#[tokio::test]
async fn a_307_repeats_the_post() {
    let to = Some(("Location", "/hook/moved".to_owned()));
    let (_, received) = deliver(vec![(307, to, Duration::ZERO)]).await;
    assert_eq!(
        (received[1].method.as_str(), &received[1].body),
        ("POST", &received[0].body)
    );
}

#[tokio::test]
async fn a_refused_connection_is_tried_three_times() {
    let fake = tenth().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    create(
        &fake,
        "mm-refused",
        Some(&format!("http://127.0.0.1:{port}/hook")),
    )
    .await;
    fake.settle_webhooks(DEADLINE).await;
    let delivery = fake.deliveries().remove(0);
    assert_eq!(delivery.outcome, Outcome::GivenUp);
    assert_eq!(
        delivery
            .attempts
            .iter()
            .map(|attempt| attempt.status)
            .collect::<Vec<_>>(),
        [None; 3]
    );
}

#[tokio::test]
async fn a_slow_receiver_delays_its_room_and_no_other() {
    let fake = tenth().await;
    let slow = Receiver::start(vec![(200, None, Duration::from_millis(600))]).await;
    let quick = Receiver::start(Vec::new()).await;
    create(&fake, "mm-slow", Some(slow.url())).await;
    slow.wait_for_one().await;
    create(&fake, "mm-quick", Some(quick.url())).await;
    fake.join("mm-slow", "Ana", "ana").unwrap();
    fake.settle_webhooks(DEADLINE).await;
    let (slow, quick) = (slow.all(), quick.all());
    assert!(
        slow[1].at.duration_since(slow[0].at) >= Duration::from_millis(600),
        "the same room waits"
    );
    assert!(quick[0].at < slow[1].at, "another room does not");
}

#[tokio::test]
async fn a_stop_loses_what_is_queued_and_being_retried() {
    let fake = tenth().await;
    let receiver = Receiver::start(answers(&[503])).await;
    create(&fake, "mm-stop", Some(receiver.url())).await;
    fake.join("mm-stop", "Ana", "ana").unwrap();
    fake.wait_for("the first attempt", DEADLINE, |fake| {
        fake.deliveries()[0].attempts.first().copied()
    })
    .await;
    fake.stop().await;
    fake.resume().await.unwrap();
    fake.leave("mm-stop", "ana");
    fake.settle_webhooks(DEADLINE).await;
    let outcomes: Vec<_> = fake
        .deliveries()
        .iter()
        .map(|one| (one.event.clone(), one.outcome))
        .collect();
    assert_eq!(
        outcomes
            .iter()
            .filter(|(_, outcome)| *outcome == Outcome::Lost)
            .count(),
        3,
        "{outcomes:?}"
    );
    assert_eq!(
        outcomes.last().unwrap(),
        &("participant_left".to_owned(), Outcome::Accepted)
    );
}

#[tokio::test]
async fn forced_events_pass_a_blocked_queue() {
    let fake = tenth().await;
    let receiver = Receiver::start(vec![(200, None, Duration::from_millis(600))]).await;
    create(&fake, "mm-forced", Some(receiver.url())).await;
    fake.make_transcript("mm-forced", "1\n").unwrap();
    fake.make_summary("mm-forced", "<p>x</p>").unwrap();
    fake.settle_webhooks(DEADLINE).await;
    let kinds: Vec<bool> = receiver
        .all()
        .iter()
        .map(|one| one.body.contains("MEETING_SUMMARY"))
        .collect();
    let first_queued_artifact = kinds.len() - 2;
    assert!(
        kinds[..first_queued_artifact]
            .iter()
            .filter(|summary| **summary)
            .count()
            == 2,
        "{kinds:?}"
    );
}
