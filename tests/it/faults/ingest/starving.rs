//! More than there should be, from a person or from a source (I23).

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::Setup;

use super::door::{Door, FORM, OUTGOING};
use super::raw;
use super::signatures::signed;

/// Far more large bodies than the room for them.
const SLOW_UPLOADS: usize = 60;
const UPLOAD: usize = 1_000_000;

#[tokio::test]
async fn i23_starts_and_ends_are_limited_politely_and_webhooks_never() {
    let door = Door::open().await;
    let chat = &door.world.chat;
    for (line, told) in [
        ("/plugnmeet start --new Again", "/join/"),
        ("/plugnmeet end", "ending"),
    ] {
        for number in 0..7 {
            let answer = chat.command("ana", "dev", line, None).await;
            assert_eq!(answer.status, 200);
            let is_polite = answer.text.contains("Please wait a minute. ref ");
            assert_eq!(
                is_polite,
                number >= 5,
                "{line} {number} ({told}): {}",
                answer.text
            );
        }
        // It is her, here: somebody else may, and she elsewhere.
        for (user, channel) in [("bob", "dev"), ("ana", "weekly")] {
            let answer = chat.command(user, channel, line, None).await;
            assert!(!answer.text.contains("Please wait"), "{}", answer.text);
        }
    }
    // Phrases beyond the limit say nothing: a text would be posted for all to see.
    for number in 0..7 {
        chat.say("alice", "town-square", &format!("meet now: {number}"))
            .await;
    }
    let limited =
        "meetrelay_webhooks_rejected_total{reason=\"rate_limited\",source=\"outgoing_webhook\"} 2";
    door.world.relay.await_metric(limited).await;
    for number in 0..200 {
        let body = json!({
            "event": "participant_joined", "id": format!("many-{number}"),
            "room": {"sid": "SM_many", "room_id": "not-ours"},
            "participant": {"sid": format!("PA_{number}"), "identity": "u1", "name": "U"},
        });
        let request = signed(&door.world, "application/json", body.to_string().as_bytes());
        let answer = door.say(request).await;
        assert_eq!(answer.status, 200, "{number}: {}", answer.text);
    }
    door.world.finish().await;
}

#[tokio::test]
async fn i23_one_source_cannot_use_up_what_others_need() {
    let setup = Setup::default().set("SERVER__REQUEST_TIMEOUT", "3s");
    let door = Door::of(setup).await;
    let relay = &door.world.relay;
    let before = relay.peak_memory();
    // Nobody has said yet who they are, and every body lacks its last byte.
    let head = format!(
        "POST {OUTGOING} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nContent-Length: {UPLOAD}\r\n\r\n"
    );
    let almost = [head.as_bytes(), &vec![b'x'; UPLOAD - 1]].concat();
    let mut uploads: Vec<TcpStream> = Vec::new();
    for _ in 0..SLOW_UPLOADS {
        let mut stream = raw::connect(relay).await;
        stream.write_all(&almost).await.unwrap();
        uploads.push(stream);
    }
    let since = Instant::now();
    let answer = door
        .world
        .chat
        .command("ana", "dev", "/plugnmeet help", None)
        .await;
    assert!(answer.text.contains("/plugnmeet start"), "{answer:?}");
    let event = signed(
        &door.world,
        "application/json",
        br#"{"event":"track_published"}"#,
    );
    assert_eq!(door.say(event).await.status, 200);
    // Even the same source, with what it really sends.
    let ordinary = door.form(&[("text", "nothing for us")]);
    let ordinary = door.say(raw::post(OUTGOING, FORM, ordinary)).await;
    assert_eq!(ordinary.status, 200, "{}", ordinary.text);
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );
    // The few that there is room for are waited for until the deadline of a request; the others are told at once.
    let mut refused = 0;
    for stream in uploads {
        let answer = raw::read(stream).await;
        assert!(answer.is_closed);
        match answer.status {
            408 => {}
            503 => refused += 1,
            _ => panic!("{}", answer.text),
        }
    }
    assert!(refused >= SLOW_UPLOADS - 8, "{refused} were refused");
    let held = relay.peak_memory() - before;
    eprintln!(
        "i23: {SLOW_UPLOADS} uploads of 1 MB made the relay hold {} KiB more",
        held / 1024
    );
    assert!(
        held < 40 * 1024 * 1024,
        "it held {held} bytes for strangers"
    );
    door.ends().await;
}
