//! Figures, by hand: `cargo test --test it queue_conformance::embedded::speed -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use meetrelay::ports::QueueName::{ChatLater, Events};
use meetrelay::ports::Settlement;

use super::super::bench::{Bench, later, receive};
use super::{FileBench, of_length};

#[expect(clippy::print_stderr, reason = "what the measurement is for")]
fn report(line: &str) {
    eprintln!("{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn publishes_of_64_callers() {
    const CALLERS: usize = 64;
    const EACH: usize = 500;
    let bench = FileBench::new();
    let queue = bench.open().await;
    let began = Instant::now();
    let callers = (0..CALLERS).map(|_| {
        let queue = queue.clone();
        tokio::spawn(async move {
            let mut slowest = Duration::ZERO;
            for number in 0..EACH {
                let began = Instant::now();
                queue.publish(of_length(number, 1024)).await.unwrap();
                slowest = slowest.max(began.elapsed());
            }
            slowest
        })
    });
    let slowest = join_all(callers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .max()
        .unwrap();
    let count = (CALLERS * EACH) as f64;
    let rate = count / began.elapsed().as_secs_f64();
    report(&format!(
        "{rate:.0} publishes/s of 1 KiB by {CALLERS} callers, slowest {slowest:?}"
    ));
    let began = Instant::now();
    let mut left = CALLERS * EACH;
    while left > 0 {
        let received = receive(&*queue, Events, 64).await;
        left -= received.len();
        let done = received
            .iter()
            .map(|delivery| Settlement::Done(delivery.receipt));
        queue.settle(done.collect()).await.unwrap();
    }
    report(&format!(
        "{:.0} received and settled/s by 64",
        count / began.elapsed().as_secs_f64()
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn million_messages_open_fast_and_take_no_memory() {
    const COUNT: usize = 1_000_000;
    let bench = FileBench::new();
    let queue = bench.open().await;
    for batch in 0..COUNT / 10_000 {
        let number = |number| batch * 10_000 + number;
        let at_once = (0..9_000).map(|n| of_length(number(n), 400));
        let delayed = (9_000..10_000).map(|n| later(ChatLater, number(n), Duration::from_secs(1)));
        queue
            .publish_all(at_once.chain(delayed).collect())
            .await
            .unwrap();
    }
    queue.close().await;
    drop(queue);
    let (began, before) = (Instant::now(), resident_bytes());
    let queue = bench.open().await;
    let opened = began.elapsed();
    let began = Instant::now();
    let depths = queue.depths().await.unwrap();
    let counted = began.elapsed();
    let began = Instant::now();
    let received = receive(&*queue, Events, 64).await.len();
    let more = resident_bytes().saturating_sub(before) >> 20;
    report(&format!(
        "opened in {opened:?}, depths in {counted:?} {depths:?}, {received} received in {:?}, {more} MiB more",
        began.elapsed()
    ));
    assert!(opened < Duration::from_secs(10) && more < 64);
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}
