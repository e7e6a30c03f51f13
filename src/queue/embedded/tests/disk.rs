//! Disks that refuse writes.

use std::time::Instant;

use super::*;
use crate::ports::Settlement::Done;

async fn run(queue: &EmbeddedQueue, statements: &'static str) {
    let run = |connection: &Connection| Ok(connection.execute_batch(statements)?);
    queue.sqlite().unwrap().write(run).await.unwrap();
}

#[tokio::test]
async fn full_disk_refuses_and_recovers() {
    let bench = Bench::new();
    let queue = bench.open();
    queue.publish(later("before", 0)).await.unwrap();
    // The limit is SQLite's own; its error is that of a full disk.
    let limit = |pages: i64| {
        move |connection: &Connection| {
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
            Ok(())
        }
    };
    queue.sqlite().unwrap().write(limit(1)).await.unwrap();
    let large = Outgoing {
        message: Message {
            id: "large".to_owned(),
            body: Bytes::from(vec![b'x'; 100_000]),
        },
        ..later("large", 0)
    };
    let refused = queue.publish(large.clone()).await.unwrap_err();
    assert!(
        matches!(&refused, PublishError::Full(why) if why.contains("queue.db")),
        "{refused}"
    );
    let received = receive(&queue, 10).await;
    assert_eq!(ids(&received), ["before"]);
    queue.settle(vec![Done(received[0].receipt)]).await.unwrap();
    assert_eq!(depth(&queue).await, (0, 0, 0));
    queue
        .sqlite()
        .unwrap()
        .write(limit(1_000_000))
        .await
        .unwrap();
    queue.publish(large).await.unwrap();
    assert_eq!(ids(&receive(&queue, 10).await), ["large"]);
}

#[tokio::test]
async fn message_whose_settlement_fails_is_delivered_again_after_a_pause() {
    let bench = Bench::new();
    let queue = bench.open();
    queue.publish(later("a", 0)).await.unwrap();
    run(
        &queue,
        "CREATE TRIGGER broken BEFORE DELETE ON messages
         BEGIN SELECT RAISE(ABORT, 'the disk is broken'); END",
    )
    .await;
    let receipt = receive(&queue, 1).await[0].receipt;
    let began = Instant::now();
    let failed = queue.settle(vec![Done(receipt)]).await.unwrap_err();
    assert!(
        matches!(&failed, QueueError::Unavailable(why) if why.contains("broken")),
        "{failed}"
    );
    assert!(began.elapsed() >= Duration::from_secs(1), "no hot loop");
    run(&queue, "DROP TRIGGER broken").await;
    let again = receive(&queue, 1).await;
    assert_eq!(ids(&again), ["a"]);
    assert_ne!(again[0].receipt, receipt);
    queue.settle(vec![Done(again[0].receipt)]).await.unwrap();
    assert_eq!(depth(&queue).await, (0, 0, 0));
}

#[tokio::test]
async fn every_scan_uses_the_index() {
    let bench = Bench::new();
    let queue = bench.open();
    let plans = |connection: &Connection| {
        let queries = [
            "SELECT due FROM messages WHERE queue = '' AND due = 0 AND number > 1 ORDER BY number",
            "SELECT due FROM messages WHERE queue = '' AND (due, number) > (1, 1) AND due <= 9
             ORDER BY due, number",
            "SELECT min(due) FROM messages WHERE queue = '' AND due > 1",
            "SELECT count(*) FROM messages WHERE queue = '' AND due BETWEEN 1 AND 9",
        ];
        let plan = |query: &str| {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}"))?;
            let steps = statement.query_map([], |row| row.get::<_, String>(3))?;
            Ok(steps.collect::<Result<Vec<_>, _>>()?.join("; "))
        };
        queries
            .into_iter()
            .map(plan)
            .collect::<Result<Vec<_>, SqliteError>>()
    };
    for plan in queue.sqlite().unwrap().read(plans).await.unwrap() {
        assert!(
            plan.starts_with("SEARCH messages USING COVERING INDEX messages_in_order"),
            "{plan}"
        );
        assert!(!plan.contains("TEMP"), "{plan}");
    }
}

#[tokio::test]
async fn full_queue_accepts_follow_up_messages_but_no_new_ones() {
    let bench = Bench::new();
    let settings = EmbeddedSettings {
        path: bench.directory.path().join("queue.db"),
        bytes_max: 1 << 16,
    };
    let queue = EmbeddedQueue::open(settings, Arc::clone(&bench.clock) as Arc<dyn Clock>).unwrap();
    let sized = || Outgoing {
        message: Message {
            id: "sized".to_owned(),
            body: Bytes::from(vec![b'x'; 4096]),
        },
        ..later("sized", 0)
    };
    while queue.publish(sized()).await.is_ok() {}
    queue.publish_all(vec![sized(), sized()]).await.unwrap();
    for _ in 0..100 {
        if let Err(error) = queue.publish_all(vec![sized()]).await {
            assert!(matches!(error, PublishError::Full(_)), "{error}");
            return;
        }
    }
    panic!("follow-up messages have no bound");
}
