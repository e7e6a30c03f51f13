//! Answers that never come, never end, are too much, or are none (W6 to W9).

use world::mattermost::ChannelKind;

use super::liar::{After, Liar};
use crate::harness::Setup;

/// What an answer may make the relay hold at most; many times the bound on a body, and a fraction of what is sent.
const MEMORY_MAX: u64 = 40 * 1024 * 1024;

/// The relay meets each of these lies while it wants to post a card; it asks again each time, and the card comes when
/// the truth is told.
async fn are_survived(lies: &[(&str, Vec<u8>, After)]) {
    let liar = Liar::start().await;
    let setup = Setup::default().set("MATTERMOST__CALL_TIMEOUT", "500ms");
    let world = liar.world(setup).await;
    for (number, (what, words, after)) in lies.iter().enumerate() {
        let channel = format!("lie-{number}");
        let people = ["ana", "meetrelay"];
        let chat = &world.chat;
        chat.add_channel(&channel, &channel, ChannelKind::Public, &people);
        let memory = world.relay.peak_memory();
        let sent = liar.sent();
        liar.lie(words, after.clone());
        chat.say("ana", &channel, "meet now: in spite of lies")
            .await;
        // The deadline freed its place, and it is tried again. plugNmeet's part is done meanwhile.
        liar.await_told(3).await;
        let rooms = number + 1;
        let made =
            |fake: &world::plugnmeet::FakePlugNmeet| (fake.rooms().len() == rooms).then_some(());
        let patience = crate::harness::PATIENCE;
        world.conference.wait_for("a room", patience, made).await;
        let held = world.relay.peak_memory() - memory;
        assert!(held < MEMORY_MAX, "{what}: it held {held} bytes more");
        let taken = liar.sent() - sent;
        assert!(taken < 200 * 1024 * 1024, "{what}: it took {taken} bytes");
        liar.be_honest(&world);
        world.card(&channel, "in spite of lies").await;
        assert_eq!(world.cards(&channel).len(), 1, "{what}");
    }
    let log = world.relay.log();
    let is_clean = |c: char| c == '\n' || !c.is_control();
    assert!(
        log.chars().all(is_clean),
        "nothing of it reaches a terminal"
    );
    assert!(!log.contains("CANARY"), "and no word of it the log");
    world.finish().await;
}

fn ok(head: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{head}\r\n").into()
}

#[tokio::test]
async fn w6_peer_that_never_answers_is_given_up_at_the_deadline() {
    are_survived(&[("silence", Vec::new(), After::Stall)]).await;
}

#[tokio::test]
async fn w7_stalled_dripping_and_endless_bodies_end_at_the_same_deadline() {
    are_survived(&[
        (
            "a stalled head",
            b"HTTP/1.1 200 OK\r\nX: ".to_vec(),
            After::Stall,
        ),
        (
            "a dripping head",
            b"HTTP/1.1 200 OK\r\nX: ".to_vec(),
            After::Drip,
        ),
        (
            "a stalled body",
            ok("Content-Length: 1000\r\n"),
            After::Stall,
        ),
        (
            "a dripping body",
            ok("Content-Length: 1000\r\n"),
            After::Drip,
        ),
        ("a body without end", ok(""), After::Endless),
    ])
    .await;
}

#[tokio::test]
async fn w8_bodies_beyond_the_bound_are_not_read_on_and_archives_not_unpacked() {
    let bomb = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let packed = [
        ok("Content-Encoding: gzip\r\nContent-Length: 10\r\n"),
        bomb.to_vec(),
    ]
    .concat();
    are_survived(&[
        (
            "200 MB",
            ok("Content-Length: 209715200\r\n"),
            After::Endless,
        ),
        (
            "200 MB, packed",
            ok("Content-Encoding: gzip\r\nContent-Length: 209715200\r\n"),
            After::Endless,
        ),
        (
            "a refusal of 200 MB",
            b"HTTP/1.1 500 X\r\nContent-Length: 209715200\r\n\r\n".to_vec(),
            After::Endless,
        ),
        ("an archive", packed, After::Close),
    ])
    .await;
}

#[tokio::test]
async fn w9_garbage_is_no_answer_and_stands_in_no_log() {
    let long = format!(
        "HTTP/1.1 200 OK\r\nX-CANARY: {}\r\n\r\n{{}}",
        "CANARY".repeat(200_000)
    );
    let many: String = (0..2000).map(|n| format!("X-{n}: CANARY\r\n")).collect();
    let body = b"\x1b[31mCANARY\x1b[0m\0\xff\xfe\r\n\x07{\"id\":\"CANARY";
    let length = format!("Content-Length: {}\r\n", body.len());
    are_survived(&[
        (
            "a garbled status",
            b"CANARY 2OO \x1b[31m\r\n\r\n".to_vec(),
            After::Close,
        ),
        (
            "a status beyond all",
            b"HTTP/1.1 99999 OK\r\n\r\n".to_vec(),
            After::Close,
        ),
        (
            "another protocol",
            b"SSH-2.0-OpenSSH_9 CANARY\r\n".to_vec(),
            After::Stall,
        ),
        ("a header of a megabyte", long.into_bytes(), After::Close),
        (
            "2000 headers",
            [b"HTTP/1.1 200 OK\r\n", many.as_bytes(), b"\r\n"].concat(),
            After::Close,
        ),
        (
            "a body of control characters",
            [ok(&length), body.to_vec()].concat(),
            After::Close,
        ),
        (
            "a cut body",
            [ok("Content-Length: 900\r\n"), b"{\"id\":\"CANARY".to_vec()].concat(),
            After::Close,
        ),
        (
            "a failure of control characters",
            [
                b"HTTP/1.1 502 \x1b[31mCANARY\r\n",
                length.as_bytes(),
                b"\r\n",
                body,
            ]
            .concat(),
            After::Close,
        ),
        (
            "a bad chunk",
            [
                ok("Transfer-Encoding: chunked\r\n"),
                b"zz\r\nCANARY".to_vec(),
            ]
            .concat(),
            After::Close,
        ),
        ("nothing at all", Vec::new(), After::Close),
    ])
    .await;
}
