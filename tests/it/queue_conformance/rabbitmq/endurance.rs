//! What many reconnects leave behind, and how much goes through.

use std::sync::Arc;
use std::time::{Duration, Instant};

use meetrelay::ports::{Queue, QueueName};
use meetrelay::queue::rabbitmq::Role;
use world::broker::Broker;

use super::super::bench::to;
use super::bench::{Counts, VhostBench, settings, start, start_observed};
use crate::harness::within;

#[expect(clippy::print_stderr, reason = "what the measurement is for")]
fn tell(line: &str) {
    eprintln!("{line}");
}

/// Descriptors and threads of this process.
fn held() -> (usize, usize) {
    let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
    (count("/proc/self/fd"), count("/proc/self/task"))
}

fn lapin_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let is_lapin = |task: std::io::Result<std::fs::DirEntry>| {
        let name = std::fs::read_to_string(task.unwrap().path().join("comm"));
        name.is_ok_and(|name| name.starts_with("lapin-io-loop"))
    };
    tasks.map(is_lapin).filter(|is| *is).count()
}

/// Run alone: it counts what the whole process holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement of a minute or two for a process of its own; run with --ignored"]
async fn thousand_reconnects_leave_nothing_behind() {
    const CYCLES: usize = 1000;
    let broker = Broker::start().await.unwrap_or_else(|why| panic!("{why}"));
    let vhost = broker.new_vhost().await;
    let counts = Arc::new(Counts::default());
    let mut settings = settings(&broker.url(&vhost));
    settings.reconnect_max = Duration::from_millis(1);
    let queue = start_observed(settings, counts.clone()).await.unwrap();
    let mut links = queue.link();
    let mut before = None;
    let mut cycles = 0;
    while cycles < CYCLES {
        let up = links.wait_for(|links| links.publisher.is_up && links.consumer.is_up);
        drop(
            tokio::time::timeout(Duration::from_secs(30), up)
                .await
                .unwrap(),
        );
        if cycles >= 20 && before.is_none() {
            before = Some(held());
        }
        broker.close_all_connections().await;
        cycles = counts
            .reconnects(Role::Publisher)
            .min(counts.reconnects(Role::Consumer));
    }
    let up = links.wait_for(|links| links.publisher.is_up && links.consumer.is_up);
    drop(
        tokio::time::timeout(Duration::from_secs(30), up)
            .await
            .unwrap(),
    );
    queue.publish(to(QueueName::Events, "a")).await.unwrap();
    let before = before.unwrap();
    // Threads end a moment after their connections; what is there after ten seconds is judged below.
    within(Duration::from_secs(10), async || {
        (lapin_threads() <= 2 && held().0 <= before.0).then_some(())
    })
    .await;
    let now = held();
    tell(&format!(
        "after {cycles} reconnects: (descriptors, threads) {before:?} -> {now:?}"
    ));
    assert_eq!(lapin_threads(), 2);
    assert!(held().0 <= before.0 + 2, "{before:?} -> {:?}", held());
    queue.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement; run with --ignored --nocapture"]
async fn publishing_speed() {
    let bench = VhostBench::new().await;
    for callers in [1, 64, 256] {
        let queue = Arc::new(start(bench.settings()).await.unwrap());
        let each = 6400 / callers / if callers == 1 { 10 } else { 1 };
        let began = Instant::now();
        let publishing: Vec<_> = (0..callers)
            .map(|caller| {
                let queue = queue.clone();
                tokio::spawn(async move {
                    for number in 0..each {
                        let id = format!("{caller}-{number}");
                        queue.publish(to(QueueName::Events, id)).await.unwrap();
                    }
                })
            })
            .collect();
        for publishing in publishing {
            publishing.await.unwrap();
        }
        let rate = f64::from(callers * each) / began.elapsed().as_secs_f64();
        tell(&format!("{callers} callers: {rate:.0} publishes/s"));
        queue.close().await;
    }
}
