//! The owner is another process, and is killed.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use meetrelay::clock::SystemClock;
use meetrelay::ports::QueueName::{Chat, Events};
use meetrelay::ports::{Queue, Settlement};
use meetrelay::queue::{EmbeddedQueue, EmbeddedSettings};

use super::super::bench::{Bench, receive, to};
use super::FileBench;

/// Names the file for [`owner`].
const PATH: &str = "MEETRELAY_TEST_QUEUE";

/// Not a claim: what the killed process runs. Publishers say `stored <id>` after each acknowledgement, and workers
/// put `<id>` into the other queue and say `moved <id>` after that.
#[test]
#[ignore = "run by the other tests, in a process of its own"]
#[expect(clippy::disallowed_methods, reason = "how a test tells its process")]
fn owner() {
    let Some(path) = std::env::var_os(PATH) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let settings = EmbeddedSettings {
            path: PathBuf::from(path),
            bytes_max: 1 << 30,
        };
        let queue = Arc::new(EmbeddedQueue::open(settings, Arc::new(SystemClock)).unwrap());
        for publisher in 0..8 {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move {
                for number in 0.. {
                    let id = format!("{publisher}-{number}");
                    queue.publish(to(Events, &id)).await.unwrap();
                    say(&format!("stored {id}\n"));
                }
            });
        }
        loop {
            for delivery in queue.receive(Events, 10).await.unwrap() {
                let (receipt, id) = (delivery.receipt, delivery.message.id);
                let next = to(Chat, &id);
                queue
                    .settle(vec![Settlement::Again { receipt, next }])
                    .await
                    .unwrap();
                say(&format!("moved {id}\n"));
            }
        }
    });
}

/// One write, so that lines are whole.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).unwrap();
    out.flush().unwrap();
}

fn start_owner(bench: &FileBench) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "queue_conformance::embedded::killed::owner",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(PATH, bench.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn killed_owner_loses_nothing_that_it_acknowledged() {
    let bench = FileBench::new();
    let (mut stored, mut moved) = (BTreeSet::new(), BTreeSet::new());
    for run in 0..3 {
        let mut owner = start_owner(&bench);
        let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
        let mut note = |line: String| match line.split_once(' ') {
            Some(("stored", id)) => stored.insert(format!("{run}:{id}")),
            Some(("moved", id)) => moved.insert(id.to_owned()),
            _ => false,
        };
        let mut noted = 0;
        while noted < 150 {
            noted += usize::from(note(lines.next().unwrap().unwrap()));
        }
        assert!(bench.refusal().contains("in use by another process"));
        owner.kill().unwrap();
        owner.wait().unwrap();
        // What it said until it was killed counts; its last line may be torn.
        for line in lines.map_while(Result::ok) {
            note(line);
        }
        // Numbers begin again with each owner, so everything is taken out between them.
        let found = drain(&bench).await;
        for id in stored
            .iter()
            .filter_map(|id| id.strip_prefix(&format!("{run}:")))
        {
            assert_eq!(found.iter().filter(|found| *found == id).count(), 1, "{id}");
        }
        assert!(
            moved.iter().all(|id| found.contains(id)),
            "what was moved is there"
        );
        moved.clear();
    }
}

/// Everything in the file, which is empty then.
async fn drain(bench: &FileBench) -> Vec<String> {
    let queue = bench.open().await;
    let mut found = Vec::new();
    for (from, depth) in queue.depths().await.unwrap().queues {
        let mut left = depth.ready;
        while left > 0 {
            let received = receive(&*queue, from, 100).await;
            left -= received.len() as u64;
            assert!(received.iter().all(|delivery| delivery.redelivered));
            let done = received
                .iter()
                .map(|delivery| Settlement::Done(delivery.receipt));
            queue.settle(done.collect()).await.unwrap();
            found.extend(received.into_iter().map(|delivery| delivery.message.id));
        }
    }
    queue.close().await;
    found
}
