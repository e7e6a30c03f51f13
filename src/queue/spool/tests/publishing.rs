//! Publishing an event through the spool.

use super::*;

#[tokio::test]
async fn confirmed_event_is_not_spooled() {
    let bench = Bench::new(Behaviour::Takes);
    let spool = bench.open();
    spool.publish(event("a")).await.unwrap();
    assert_eq!(bench.broker.taken(), ["a"]);
    assert_eq!(bench.counts.spooled.load(Ordering::SeqCst), 0);
    assert_eq!(spool.level().await.messages, 0);
}

#[tokio::test]
async fn event_is_spooled_at_once_while_the_broker_reports_that_it_is_unavailable_or_full() {
    for behaviour in [Behaviour::Unavailable, Behaviour::Full] {
        let bench = Bench::new(behaviour);
        let spool = bench.open();
        let began = Instant::now();
        let ids = accept(&spool, 3).await;
        assert!(
            began.elapsed() < CONFIRM_WITHIN,
            "{behaviour:?}: no publish waits"
        );
        let level = spool.level().await;
        assert_eq!(level.messages, 3, "{behaviour:?}");
        assert!(level.has_room && level.bytes > 0, "{level:?}");
        bench.broker.set(Behaviour::Takes);
        until_taken(&bench, &ids).await;
    }
}

#[tokio::test]
async fn only_the_first_event_waits_for_a_broker_that_does_not_answer() {
    let bench = Bench::new(Behaviour::Hangs);
    let spool = bench.open();
    let began = Instant::now();
    spool.publish(event("first")).await.unwrap();
    assert!(began.elapsed() >= CONFIRM_WITHIN);
    let began = Instant::now();
    accept(&spool, 10).await;
    assert!(
        began.elapsed() < CONFIRM_WITHIN,
        "the others go straight to the spool"
    );
    assert_eq!(spool.level().await.messages, 11);
}

#[tokio::test]
async fn events_go_to_the_broker_again_once_it_confirmed_a_forwarded_one() {
    let bench = Bench::new(Behaviour::Hangs);
    let spool = bench.open();
    spool.publish(event("first")).await.unwrap();
    // Ends the publish that hangs, as closing the connection would.
    kill(spool).await;
    bench.broker.set(Behaviour::Takes);
    let spool = bench.open();
    spool.core.is_detoured.store(true, Ordering::Relaxed);
    spool.publish(event("second")).await.unwrap();
    until_taken(&bench, &["first".to_owned(), "second".to_owned()]).await;
    until("the detour has ended", async || {
        !spool.core.is_detoured.load(Ordering::Relaxed)
    })
    .await;
    let spooled = bench.counts.spooled.load(Ordering::SeqCst);
    spool.publish(event("third")).await.unwrap();
    assert_eq!(bench.counts.spooled.load(Ordering::SeqCst), spooled);
}

#[tokio::test]
async fn late_confirm_leaves_a_duplicate_with_the_same_id() {
    let bench = Bench::new(Behaviour::Silent);
    let spool = bench.open();
    spool.publish(event("a")).await.unwrap();
    assert_eq!(bench.broker.taken()[0], "a");
    kill(spool).await;
    bench.broker.set(Behaviour::Takes);
    let spool = bench.open();
    until_empty(&spool).await;
    until("it came again", async || bench.broker.taken().len() >= 2).await;
    assert!(bench.broker.taken().iter().all(|id| id == "a"));
}

#[tokio::test]
async fn event_that_is_too_large_is_refused_and_not_spooled() {
    let bench = Bench::new(Behaviour::Takes);
    *bench.broker.rejected.lock().unwrap() = Some("large".to_owned());
    let spool = bench.open();
    let refused = spool.publish(event("large")).await.unwrap_err();
    assert!(
        matches!(refused, PublishError::TooLarge { .. }),
        "{refused}"
    );
    assert_eq!(spool.level().await.messages, 0);
}

#[tokio::test]
async fn full_spool_refuses_until_it_was_forwarded() {
    let mut bench = Bench::new(Behaviour::Unavailable);
    bench.bytes_max = 64 << 10;
    let spool = bench.open();
    let mut accepted = Vec::new();
    let refused = loop {
        let id = Uuid::now_v7().to_string();
        match spool.publish(event(&id)).await {
            Ok(()) => accepted.push(id),
            Err(refused) => break refused,
        }
        assert!(accepted.len() < 200, "the bound holds");
    };
    let PublishError::Full(why) = refused else {
        panic!("{refused}");
    };
    assert!(
        why.contains("the broker is down") && why.contains("its limit is 65536"),
        "{why}"
    );
    assert!(!spool.level().await.has_room);
    bench.broker.set(Behaviour::Takes);
    until_taken(&bench, &accepted).await;
    until("there is room", async || spool.level().await.has_room).await;
    bench.broker.set(Behaviour::Unavailable);
    accept(&spool, 1).await;
}

#[tokio::test]
async fn refusing_disk_fails_the_publish_and_its_recovery_is_detected() {
    let bench = Bench::new(Behaviour::Unavailable);
    let spool = bench.open();
    let path = own_path(&spool);
    run(
        &path,
        "CREATE TRIGGER broken BEFORE INSERT ON messages
         BEGIN SELECT RAISE(ABORT, 'the disk is broken'); END",
    );
    let refused = spool.publish(event("a")).await.unwrap_err().to_string();
    assert!(refused.contains("the disk is broken"), "{refused}");
    assert!(!spool.level().await.has_room);
    run(&path, "DROP TRIGGER broken");
    assert!(spool.level().await.has_room);
    assert_eq!(spool.level().await.messages, 0, "the trial left nothing");
    accept(&spool, 1).await;
}

#[tokio::test]
async fn refusing_spool_does_not_keep_events_from_a_broker_that_takes_them() {
    let bench = Bench::new(Behaviour::Takes);
    let spool = bench.open();
    run(
        &own_path(&spool),
        "CREATE TRIGGER broken BEFORE INSERT ON messages
         BEGIN SELECT RAISE(ABORT, 'the disk is broken'); END",
    );
    spool.core.is_detoured.store(true, Ordering::Relaxed);
    spool.publish(event("a")).await.unwrap();
    assert_eq!(bench.broker.taken(), ["a"]);
}

#[tokio::test]
async fn spool_that_is_switched_off_returns_the_brokers_answer() {
    let mut bench = Bench::new(Behaviour::Unavailable);
    bench.bytes_max = 0;
    let spool = bench.open();
    let refused = spool.publish(event("a")).await.unwrap_err();
    assert_eq!(
        refused,
        PublishError::Unavailable("the broker is down".to_owned())
    );
    assert_eq!(spool.level().await, SpoolLevel::default());
    bench.broker.set(Behaviour::Takes);
    spool.publish(event("a")).await.unwrap();
    assert!(bench.entries_found().is_empty(), "no folder is made");
}

#[tokio::test]
async fn every_call_but_publish_goes_to_the_broker() {
    let bench = Bench::new(Behaviour::Unavailable);
    let spool = bench.open();
    let refused = spool.publish_all(vec![event("a")]).await.unwrap_err();
    assert!(matches!(refused, PublishError::Unavailable(_)), "{refused}");
    accept(&spool, 1).await;
    assert_eq!(spool.depths().await.unwrap(), Depths::default());
}
