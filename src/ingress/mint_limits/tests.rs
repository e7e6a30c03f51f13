#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::*;
use crate::domain::{ArtifactKind, RequestId};

fn link(number: u128) -> Link {
    Link::Open(RequestId::from_uuid(Uuid::from_u128(number)))
}

fn person(name: &str) -> Identity {
    name.parse().unwrap()
}

fn refusal(limits: &MintLimits, link: &Link, who: Option<&Identity>, now: Instant) -> OverLimit {
    limits.admit(link, who, now).unwrap_err()
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn s6_one_person_has_ten_tokens_at_once_and_then_one_every_six_seconds() {
    let limits = MintLimits::default();
    let (ana, ben) = (person("ana"), person("ben"));
    let now = Instant::now();
    for number in 0..10 {
        // Another link does not change the person's limit.
        drop(limits.admit(&link(number), Some(&ana), now).unwrap());
    }
    let wait = Duration::from_secs(6);
    let refused = refusal(&limits, &link(11), Some(&ana), now);
    assert_eq!(refused, OverLimit::Person(wait));
    // Other people are not affected, and neither is a request without an identity.
    drop(limits.admit(&link(11), Some(&ben), now).unwrap());
    drop(limits.admit(&link(11), None, now).unwrap());
    let early = now + wait - Duration::from_millis(1);
    assert_eq!(
        refusal(&limits, &link(11), Some(&ana), early),
        OverLimit::Person(Duration::from_millis(1))
    );
    drop(limits.admit(&link(11), Some(&ana), now + wait).unwrap());
    assert_eq!(
        refusal(&limits, &link(11), Some(&ana), now + wait),
        OverLimit::Person(wait)
    );
}

#[tokio::test(start_paused = true)]
async fn s6_large_meeting_comes_in_within_a_minute_and_a_link_is_bounded() {
    let limits = MintLimits::default();
    let now = Instant::now();
    for _ in 0..300 {
        drop(limits.admit(&link(1), None, now).unwrap());
    }
    let wait = Duration::from_millis(200);
    assert_eq!(refusal(&limits, &link(1), None, now), OverLimit::Link(wait));
    // A refusal because of the link does not count against the person.
    let ana = person("ana");
    for _ in 0..50 {
        let refused = refusal(&limits, &link(1), Some(&ana), now);
        assert_eq!(refused, OverLimit::Link(wait));
    }
    drop(limits.admit(&link(2), Some(&ana), now).unwrap());
    let later = now + Duration::from_secs(1);
    for _ in 0..5 {
        drop(limits.admit(&link(1), None, later).unwrap());
    }
    assert_eq!(
        refusal(&limits, &link(1), None, later),
        OverLimit::Link(wait)
    );
}

#[tokio::test(start_paused = true)]
async fn s6_two_at_a_time_for_a_link_and_sixteen_in_all() {
    let limits = MintLimits::default();
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let one = |number| {
        let (limits, running, most) = (&limits, &running, &most);
        async move {
            let admitted = limits.admit(&link(number), None, Instant::now()).unwrap();
            let minting = async {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                tokio::time::sleep(SECOND / 10).await;
                running.fetch_sub(1, Ordering::SeqCst);
            };
            admitted.mint(SECOND, minting).await.unwrap().unwrap();
        }
    };
    join_all((0..10).map(|_| one(1))).await;
    assert_eq!(most.swap(0, Ordering::SeqCst), MINTS_PER_LINK_MAX);
    join_all((0..100).map(one)).await;
    assert_eq!(most.load(Ordering::SeqCst), MINTS_MAX);
    assert!(limits.lock().busy.is_empty(), "nothing is left of it");
}

#[tokio::test(start_paused = true)]
async fn s6_those_who_wait_for_a_link_are_bounded_and_other_links_are_free() {
    let limits = MintLimits::default();
    let now = Instant::now();
    let held: Vec<_> = (0..MINTS_PER_LINK_MAX + WAITING_PER_LINK_MAX)
        .map(|_| limits.admit(&link(1), None, now).unwrap())
        .collect();
    assert_eq!(refusal(&limits, &link(1), None, now), OverLimit::Crowded);
    let artifact = Link::Artifact("rec-1".parse().unwrap(), ArtifactKind::Recording);
    drop(limits.admit(&artifact, None, now).unwrap());
    let one_minting = held[0].mint(SECOND, std::future::pending::<()>());
    let other_minting = held[1].mint(SECOND, std::future::pending::<()>());
    let other_link = async {
        let admitted = limits.admit(&link(2), None, now).unwrap();
        admitted.mint(SECOND, async {}).await.unwrap().unwrap();
    };
    tokio::select! {
        _ = one_minting => panic!("it never ends"),
        _ = other_minting => panic!("it never ends"),
        () = other_link => {}
    }
    drop(held);
    drop(limits.admit(&link(1), None, now).unwrap());
}

#[test]
fn s6_memory_is_bounded_and_the_busiest_are_remembered() {
    let mut buckets = Buckets::new(PERSON_RATE);
    let now = Instant::now();
    for _ in 0..10 {
        buckets.take(&0, now);
    }
    for key in 1..KEYS_MAX + 500 {
        buckets.take(&key, now);
    }
    assert_eq!(buckets.full_at.len(), KEYS_MAX);
    assert!(buckets.wait(&0, now).is_some(), "not forgotten");
    // Keys that were not used for a while are removed first.
    let later = now + Duration::from_secs(30);
    buckets.take(&usize::MAX, later);
    assert_eq!(buckets.full_at.len(), 2);
}

#[test]
fn s6_refusals_are_pages_with_the_time_to_wait() {
    let url = "https://meet.example.org".parse().unwrap();
    let pages = Pages::new(&url, TimeZone::UTC).unwrap();
    let id = EventId::from_uuid(Uuid::from_u128(1));
    for (over, status, seconds, says) in [
        (
            OverLimit::Person(Duration::from_millis(5001)),
            429,
            "6",
            "You have tried this many times within a short time. Wait 6 seconds",
        ),
        (
            OverLimit::Link(Duration::from_millis(200)),
            429,
            "1",
            "This link was used many times within a short time. Wait 1 second,",
        ),
        (OverLimit::Crowded, 503, "2", "Wait 2 seconds"),
    ] {
        let answer = over.page(&pages, id, "https://relay.example.org/join/x");
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(answer.headers()["retry-after"], seconds);
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        assert!(text.contains(says) && text.contains("Try again"), "{text}");
    }
}
