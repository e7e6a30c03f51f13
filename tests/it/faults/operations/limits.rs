//! Limits of the machine: open files (O7), memory (O8).

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::harness::{World, client, stays_true_for};

/// Processor time that the relay has used.
fn used(world: &World) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", world.relay.id())).unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    // User and system time, in hundredths of a second (proc(5)).
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

async fn limit_files(world: &World, files: u32) {
    let status = Command::new("prlimit")
        .arg(format!("--pid={}", world.relay.id()))
        .arg(format!("--nofile={files}:4096"))
        .status()
        .await
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn o7_no_more_open_files_makes_no_busy_loop_and_passes() {
    let world = World::start().await;
    limit_files(&world, 64).await;
    let address = ("127.0.0.1", world.relay.ports.public);
    let mut crowd = Vec::new();
    for _ in 0..80 {
        crowd.push(TcpStream::connect(address).await.unwrap());
    }
    world.relay.await_log("cannot accept connections").await;
    let (before, began) = (used(&world), Instant::now());
    let is_full = async || world.relay.open_files() >= 60;
    stays_true_for(Duration::from_secs(1), "the limit is reached", is_full).await;
    let (spent, passed) = (used(&world) - before, began.elapsed());
    assert!(spent < passed / 2, "{spent:?} of {passed:?} at the limit");
    drop(crowd);
    // The limit stands; only the crowd is gone.
    world.card_of("ana", "dev", "room again").await;
    world.finish().await;
}

/// Most memory that the relay ever had, in MiB.
fn peak(world: &World) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.relay.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024
}

/// A cgroup is not to be had everywhere: the burst is real and the memory that it took is measured instead.
#[tokio::test]
async fn o8_burst_of_ten_thousand_requests_takes_bounded_memory() {
    const REQUESTS: usize = 10_000;
    let world = World::start().await;
    let before = peak(&world);
    let url = format!("{}/mattermost/outgoing", world.relay.ports.public_url());
    let http = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(64)
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap();
    // Each with 4 KiB of text and a token that is none: read in whole before it is refused.
    let body = format!("token=nope&text={}", "x".repeat(4096));
    let answers = futures_util::stream::iter(0..REQUESTS)
        .map(|_| {
            let request = http
                .post(&url)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body.clone());
            async move { request.send().await.map(|answer| answer.status().as_u16()) }
        })
        .buffer_unordered(128)
        .collect::<Vec<_>>()
        .await;
    let refused = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(401)))
        .count();
    assert_eq!(refused, REQUESTS, "every one was answered");
    // Sixty-four bodies of the greatest size at once.
    let large = format!("token=nope&text={}", "x".repeat(1_000_000));
    let answers = futures_util::stream::iter(0..64)
        .map(|_| {
            let request = client()
                .post(&url)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(large.clone());
            async move { request.send().await.map(|answer| answer.status().as_u16()) }
        })
        .buffer_unordered(64)
        .collect::<Vec<_>>()
        .await;
    // A route reads some large bodies at a time and refuses the rest, before it knows who sends them.
    let is_refused = |answer: &Result<u16, _>| matches!(answer, Ok(401 | 503));
    assert!(answers.iter().all(is_refused), "{answers:?}");
    let after = peak(&world);
    assert!(after < before + 160, "{before} MiB became {after} MiB");
    world.card_of("ana", "dev", "after the burst").await;
    world.finish().await;
}
