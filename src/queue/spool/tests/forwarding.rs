//! Forwarding from the spool to the broker.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backlog_is_forwarded_when_the_broker_is_back() {
    let bench = Bench::new(Behaviour::Unavailable);
    let spool = bench.open();
    let ids = accept(&spool, 300).await;
    assert!(bench.broker.taken().is_empty());
    bench.broker.set(Behaviour::Takes);
    until_taken(&bench, &ids).await;
    until_empty(&spool).await;
    assert_eq!(bench.broker.taken().len(), ids.len(), "none twice");
    assert_eq!(bench.counts.spooled.load(Ordering::SeqCst), 300);
    assert_eq!(bench.counts.forwarded.load(Ordering::SeqCst), 300);
    let at_once = bench.broker.at_once_max.load(Ordering::SeqCst);
    assert!((2..=64).contains(&at_once), "{at_once} at once");
}

#[tokio::test]
async fn broker_that_refuses_is_tried_with_one_message_and_growing_pauses() {
    let bench = Bench::new(Behaviour::Unavailable);
    let spool = bench.open();
    accept(&spool, 50).await;
    let before = bench.broker.asked();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let tries = bench.broker.asked() - before;
    assert!((1..=16).contains(&tries), "{tries} tries");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broker_that_is_unavailable_repeatedly_loses_nothing() {
    let bench = Bench::new(Behaviour::Unavailable);
    let spool = bench.open();
    let mut ids = Vec::new();
    for round in 0..30 {
        bench
            .broker
            .set([Behaviour::Unavailable, Behaviour::Takes, Behaviour::Full][round % 3]);
        ids.extend(accept(&spool, 10).await);
    }
    bench.broker.set(Behaviour::Takes);
    until_taken(&bench, &ids).await;
    until_empty(&spool).await;
}

#[tokio::test]
async fn message_stays_until_it_is_confirmed() {
    let bench = Bench::new(Behaviour::Unavailable);
    let spool = bench.open();
    let ids = accept(&spool, 3).await;
    bench.broker.set(Behaviour::Silent);
    until("it was sent", async || !bench.broker.taken().is_empty()).await;
    assert_eq!(spool.level().await.messages, 3);
    kill(spool).await;
    bench.broker.set(Behaviour::Takes);
    let spool = bench.open();
    until("each was confirmed", async || {
        bench.counts.forwarded.load(Ordering::SeqCst) == 3
    })
    .await;
    until_taken(&bench, &ids).await;
    until_empty(&spool).await;
}

#[tokio::test]
async fn message_that_cannot_be_deleted_is_sent_once() {
    let bench = Bench::new(Behaviour::Unavailable);
    let spool = bench.open();
    let ids = accept(&spool, 1).await;
    let path = own_path(&spool);
    break_deleting(&path);
    bench.broker.set(Behaviour::Takes);
    until_taken(&bench, &ids).await;
    // Longer than it takes until the message is delivered again.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(bench.broker.taken(), ids);
    run(&path, "DROP TRIGGER broken");
    until_empty(&spool).await;
    assert_eq!(bench.broker.taken(), ids);
}

#[tokio::test]
async fn crash_between_confirm_and_deletion_makes_one_duplicate_with_the_same_id() {
    let bench = Bench::new(Behaviour::Unavailable);
    let spool = bench.open();
    let ids = accept(&spool, 1).await;
    let path = own_path(&spool);
    break_deleting(&path);
    bench.broker.set(Behaviour::Takes);
    until_taken(&bench, &ids).await;
    kill(spool).await;
    run(&path, "DROP TRIGGER broken");
    let spool = bench.open();
    until("it came again", async || bench.broker.taken().len() == 2).await;
    until_empty(&spool).await;
    assert_eq!(bench.broker.taken(), [ids[0].clone(), ids[0].clone()]);
}

#[tokio::test]
async fn message_that_the_broker_never_accepts_is_returned_and_delays_no_other() {
    let bench = Bench::new(Behaviour::Unavailable);
    let spool = bench.open();
    let before = accept(&spool, 5).await;
    spool.publish(event("bad")).await.unwrap();
    let after = accept(&spool, 5).await;
    *bench.broker.rejected.lock().unwrap() = Some("bad".to_owned());
    bench.broker.set(Behaviour::Takes);
    until_taken(&bench, &before).await;
    until_taken(&bench, &after).await;
    let returned = ReturnedMessages::receive(&spool, 10).await.unwrap();
    assert_eq!(returned.len(), 1);
    assert_eq!(returned[0].delivery.message.id, "bad");
    assert_eq!(returned[0].delivery.queue, QueueName::Events);
    assert!(returned[0].reason.contains("over the limit"));
    until("it is the only one left", async || {
        spool.level().await.messages == 1
    })
    .await;
    let receipt = returned[0].delivery.receipt;
    ReturnedMessages::settle(&spool, vec![receipt])
        .await
        .unwrap();
    until_empty(&spool).await;
}

#[tokio::test]
async fn message_that_cannot_be_removed_does_not_prevent_removing_others() {
    let bench = Bench::new(Behaviour::Unavailable);
    let spool = bench.open();
    let mut returned = Vec::new();
    for _ in 0..2 {
        *bench.broker.rejected.lock().unwrap() = None;
        bench.broker.set(Behaviour::Unavailable);
        spool.publish(event("bad")).await.unwrap();
        *bench.broker.rejected.lock().unwrap() = Some("bad".to_owned());
        returned.extend(ReturnedMessages::receive(&spool, 10).await.unwrap());
    }
    run(
        &own_path(&spool),
        "CREATE TRIGGER broken BEFORE DELETE ON messages
         WHEN OLD.number = (SELECT min(number) FROM messages)
         BEGIN SELECT RAISE(ABORT, 'the disk is broken'); END",
    );
    let receipts = returned
        .iter()
        .map(|message| message.delivery.receipt)
        .collect();
    assert!(ReturnedMessages::settle(&spool, receipts).await.is_err());
    assert_eq!(spool.level().await.messages, 1);
}

#[tokio::test]
async fn returned_message_that_was_not_settled_is_tried_at_the_next_start() {
    let bench = Bench::new(Behaviour::Unavailable);
    let spool = bench.open();
    spool.publish(event("bad")).await.unwrap();
    *bench.broker.rejected.lock().unwrap() = Some("bad".to_owned());
    bench.broker.set(Behaviour::Takes);
    let returned = ReturnedMessages::receive(&spool, 10).await.unwrap();
    assert_eq!(returned.len(), 1);
    spool.close().await;
    *bench.broker.rejected.lock().unwrap() = None;
    let _spool = bench.open();
    until_taken(&bench, &["bad".to_owned()]).await;
}

#[tokio::test]
async fn close_does_not_wait_for_ever_and_keeps_unconfirmed_messages() {
    let bench = Bench::new(Behaviour::Unavailable);
    let spool = bench.open();
    accept(&spool, 3).await;
    bench.broker.set(Behaviour::Hangs);
    let asked = bench.broker.asked();
    until("a confirm is waited for", async || {
        bench.broker.asked() > asked
    })
    .await;
    let began = Instant::now();
    spool.close().await;
    assert!(began.elapsed() < Duration::from_secs(4));
    assert!(own_path(&spool).join("queue.db").exists());
    let refused = ReturnedMessages::receive(&spool, 1).await.unwrap_err();
    assert_eq!(refused, QueueError::Closed);
    bench.broker.set(Behaviour::Takes);
    let _next = bench.open();
    until("all are there", async || bench.broker.taken().len() == 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_queues_are_forwarded_to_themselves() {
    let bench = Bench::new(Behaviour::Unavailable);
    let spool = bench.open();
    for queue in QueueName::ALL {
        let outgoing = Outgoing {
            queue,
            ..event(queue.as_str())
        };
        spool.publish(outgoing).await.unwrap();
    }
    bench.broker.set(Behaviour::Takes);
    until_empty(&spool).await;
    let mut taken = bench.broker.taken();
    taken.sort();
    assert_eq!(taken, ["chat", "chat.later", "conference", "events"]);
}

/// After this, no message can be removed from the file.
fn break_deleting(path: &Path) {
    run(
        path,
        "CREATE TRIGGER broken BEFORE DELETE ON messages
         BEGIN SELECT RAISE(ABORT, 'the disk is broken'); END",
    );
}
