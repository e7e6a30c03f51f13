use super::*;

#[tokio::test]
async fn delay_is_kept_to_the_millisecond() {
    let bench = Bench::new();
    let queue = bench.open();
    queue.publish(later("a", 5_000)).await.unwrap();
    bench.clock.set(1_004_999);
    assert!(receive(&queue, 1).await.is_empty());
    bench.clock.set(1_005_000);
    assert_eq!(ids(&receive(&queue, 1).await), ["a"]);
}

#[tokio::test]
async fn delay_of_weeks_survives_restarts() {
    const WEEK: i64 = 7 * 24 * 3_600_000;
    let bench = Bench::new();
    bench.open().publish(later("a", WEEK as u64)).await.unwrap();
    bench.clock.set(1_000_000 + WEEK - 1);
    assert!(receive(&bench.open(), 1).await.is_empty());
    bench.clock.set(1_000_000 + WEEK);
    assert_eq!(ids(&receive(&bench.open(), 1).await), ["a"]);
}

#[tokio::test]
async fn clock_set_back_hides_nothing_that_is_not_delayed() {
    let bench = Bench::new();
    let queue = bench.open();
    queue.publish(later("before", 0)).await.unwrap();
    bench.clock.set(1_000);
    queue.publish(later("after", 0)).await.unwrap();
    assert_eq!(ids(&receive(&queue, 10).await), ["before", "after"]);
    drop(queue);
    assert_eq!(ids(&receive(&bench.open(), 10).await), ["before", "after"]);
}

#[tokio::test]
async fn clock_set_back_does_not_pass_over_a_delayed_message() {
    let bench = Bench::new();
    let queue = bench.open();
    queue.publish(later("first", 5_000)).await.unwrap();
    bench.clock.set(1_010_000);
    assert_eq!(ids(&receive(&queue, 1).await), ["first"]);
    bench.clock.set(1_000_000);
    queue.publish(later("second", 1_000)).await.unwrap();
    assert!(receive(&queue, 1).await.is_empty());
    bench.clock.set(1_001_000);
    assert_eq!(ids(&receive(&queue, 1).await), ["second"]);
}

#[tokio::test]
async fn age_counts_from_when_a_message_became_visible() {
    let bench = Bench::new();
    let queue = bench.open();
    queue.publish(later("retry", 5_000)).await.unwrap();
    bench.clock.set(1_004_000);
    queue.publish(later("early", 0)).await.unwrap();
    bench.clock.set(1_006_000);
    queue.publish(later("late", 0)).await.unwrap();
    assert_eq!(ids(&receive(&queue, 10).await), ["early", "retry", "late"]);
}

#[tokio::test]
async fn only_messages_that_were_visible_before_the_start_are_marked_as_redelivered() {
    let bench = Bench::new();
    let queue = bench.open();
    for (id, delay) in [("at once", 0), ("due", 10), ("delayed", 5_000)] {
        queue.publish(later(id, delay)).await.unwrap();
    }
    drop(queue);
    bench.clock.set(1_000_010);
    let queue = bench.open();
    queue.publish(later("new", 0)).await.unwrap();
    bench.clock.set(1_005_000);
    let received = receive(&queue, 10).await;
    let marked: Vec<_> = received
        .iter()
        .map(|d| (d.message.id.as_str(), d.redelivered))
        .collect();
    let expected = [
        ("at once", true),
        ("due", true),
        ("new", false),
        ("delayed", false),
    ];
    assert_eq!(marked, expected);
}

#[tokio::test]
async fn waiting_receiver_wakes_when_a_message_is_due() {
    let bench = Bench::new();
    let queue = bench.open();
    queue.publish(later("a", 50)).await.unwrap();
    let clock = Arc::clone(&bench.clock);
    // The timer is computed from the clock's time. When it fires, the clock shows a later time.
    let moving = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        clock.set(1_000_050);
    });
    let received =
        tokio::time::timeout(Duration::from_secs(10), queue.receive(QueueName::Events, 1));
    assert_eq!(ids(&received.await.unwrap().unwrap()), ["a"]);
    moving.await.unwrap();
}
