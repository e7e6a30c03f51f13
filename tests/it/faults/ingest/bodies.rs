//! Bodies: cut short, malformed, of another kind, packed, too large (I1 to I7).

use std::io::Write as _;

use tokio::io::AsyncWriteExt;

use crate::harness::Setup;

use super::door::{COMMAND, Door, FORM, JSON, OUTGOING, WEBHOOK};
use super::raw::{self, post, request};
use super::signatures::signed;

#[tokio::test]
async fn i1_empty_and_truncated_bodies_are_refused_and_their_connections_released() {
    let door = Door::of(Setup::default().set("SERVER__REQUEST_TIMEOUT", "1s")).await;
    door.refuses("empty JSON", post(OUTGOING, JSON, ""), 400)
        .await;
    let empty = signed(&door.world, JSON, b"");
    door.refuses("empty webhook, signed", empty, 400).await;
    // An empty form is a form without a token.
    for path in [OUTGOING, COMMAND] {
        door.refuses("empty form", post(path, FORM, ""), 401).await;
    }
    let whole = String::from_utf8(post(OUTGOING, FORM, door.form(&[]))).unwrap();
    let longer = whole.replace("Content-Length: ", "Content-Length: 9");
    assert_ne!(longer, whole);
    let answer = raw::say_and_hang_up(&door.world.relay, longer.as_bytes()).await;
    // A sender that has hung up may miss the answer.
    assert!([0, 400].contains(&answer.status), "{}", answer.text);
    assert!(answer.is_closed);
    // One that only stalls is told, and released at the deadline.
    door.refuses("stalled", &longer, 408).await;
    door.ends().await;
}

#[tokio::test]
async fn i2_json_that_no_writer_would_write_is_refused() {
    let door = Door::open().await;
    let token = &door.world.outgoing_token;
    let deep = |by: usize| "[".repeat(by) + &"]".repeat(by);
    for (what, value) in [
        ("unfinished", "\"x".to_owned()),
        ("raw NUL", "\"\0\"".to_owned()),
        ("lone surrogate", r#""\ud800""#.to_owned()),
        (
            "two halves in the wrong order",
            r#""\udc00\ud800""#.to_owned(),
        ),
        ("10 000 deep", deep(10_000)),
        ("500 000 deep", deep(500_000)),
        ("1e400", "1e400".to_owned()),
        ("a million digits", "9".repeat(1_000_000)),
        ("not a number", "NaN".to_owned()),
        ("trailing text", r#""x"} {"#.to_owned()),
    ] {
        let body = format!(r#"{{"token":"{token}","timestamp":{value}}}"#);
        door.refuses(what, post(OUTGOING, JSON, &body), 400).await;
        let body = format!(r#"{{"event":"session_ended","created_at":{value}}}"#);
        let request = signed(&door.world, JSON, body.as_bytes());
        door.refuses(what, request, 400).await;
    }
    // Of repeated keys the first counts.
    let body = format!(r#"{{"token":"CANARY","token":"{token}"}}"#);
    door.refuses("doubled key", post(OUTGOING, JSON, &body), 401)
        .await;
    door.refuses(
        "no UTF-8",
        post(OUTGOING, JSON, b"{\"token\":\"\xff\"}"),
        400,
    )
    .await;
    door.ends().await;
}

#[tokio::test]
async fn i3_json_of_the_wrong_shape_is_refused_by_the_fields_name() {
    let door = Door::open().await;
    for body in [
        "[]",
        "\"CANARY\"",
        "17",
        "null",
        "true",
        "[{\"token\":\"CANARY\"}]",
    ] {
        door.refuses(body, post(OUTGOING, JSON, body), 400).await;
        let request = signed(&door.world, JSON, body.as_bytes());
        door.refuses(body, request, 400).await;
    }
    let token = &door.world.outgoing_token;
    for (more, name) in [
        (r#""channel_id":["CANARY"]"#, "channel_id"),
        (r#""channel_id":"CAN/ARY""#, "channel_id"),
        (r#""channel_id":"c1","user_id":true"#, "user_id"),
        (
            r#""channel_id":"c1","user_id":"u1","post_id":{"CANARY":1}"#,
            "post_id",
        ),
        (
            r#""channel_id":"c1","user_id":"u1","post_id":"p1","timestamp":"CANARY""#,
            "timestamp",
        ),
        (r#""channel_id":"c1","user_id":"u1""#, "post_id"),
    ] {
        let body = format!(r#"{{"token":"{token}",{more}}}"#);
        let answer = door.refuses(more, post(OUTGOING, JSON, &body), 400).await;
        assert!(answer.text.contains(name), "{more}: {}", answer.text);
    }
    let body = r#"{"channel_id":"c1","user_id":"u1","post_id":"p1","text":"meet now"}"#;
    for body in [body, "{}", r#"{"token":null}"#, r#"{"token":""}"#] {
        door.refuses("no token", post(OUTGOING, JSON, body), 401)
            .await;
    }
    door.ends().await;
}

#[tokio::test]
async fn i4_forms_are_decoded_strictly_and_the_first_of_repeated_keys_wins() {
    let door = Door::open().await;
    let good = door.form(&[]);
    for (what, more) in [
        ("bad escape", "&text=%zz".to_owned()),
        ("half an escape", "&text=%4".to_owned()),
        ("no UTF-8", "&text=%ff%fe".to_owned()),
        ("overlong UTF-8", "&text=%c0%af".to_owned()),
        ("surrogate", "&text=%ed%a0%80".to_owned()),
        ("100 000 keys", "&x=1".repeat(100_000)),
    ] {
        for path in [OUTGOING, COMMAND] {
            let body = format!("{good}{more}");
            door.refuses(what, post(path, FORM, body), 400).await;
        }
    }
    let body = format!("token=CANARY&{good}");
    door.refuses("first token", post(OUTGOING, FORM, body), 401)
        .await;
    door.took_nothing().await;
    // The last ones are good: a plus is a blank, %2B a plus, and of two texts the first is taken.
    let post_id = door.a_post("dev").await;
    let body = door.form(&[("text", "meet now: 1+1 is two"), ("post_id", &post_id)]);
    assert!(body.contains("1%2B1+is+two"), "{body}");
    let body = format!("{body}&token=CANARY&text=nothing");
    let answer = door.say(post(OUTGOING, FORM, body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    door.world.card("dev", "1+1 is two").await;
    door.world.finish().await;
}

#[tokio::test]
async fn i5_every_source_has_its_content_types_and_others_are_refused() {
    let door = Door::open().await;
    let form = door.form(&[]);
    let body = r#"{"event":"CANARY"}"#;
    for (path, body, kinds) in [
        (
            OUTGOING,
            form.as_str(),
            ["text/plain", "application/webhook+json"],
        ),
        (COMMAND, &form, [JSON, "multipart/form-data; boundary=x"]),
        (WEBHOOK, body, [FORM, "text/json"]),
    ] {
        for kind in kinds {
            door.refuses(kind, post(path, kind, body), 415).await;
        }
        door.refuses("none", request("POST", path, "", body), 415)
            .await;
        door.refuses("empty", post(path, "", body), 415).await;
        let twice = format!("Content-Type: {FORM}\r\nContent-Type: {JSON}\r\n");
        door.refuses("two", request("POST", path, &twice, body), 415)
            .await;
    }
    // What is expected passes that gate, whatever its case and parameters.
    for (path, kind) in [
        (OUTGOING, "Application/JSON; charset=utf-8"),
        (OUTGOING, "application/x-www-form-urlencoded;charset=UTF-8"),
        (WEBHOOK, "application/webhook+json"),
        (WEBHOOK, "application/json; charset=utf-8"),
    ] {
        door.refuses(kind, post(path, kind, "{}"), 401).await;
    }
    door.ends().await;
}

#[tokio::test]
async fn i6_encoded_bodies_are_refused_unread() {
    let door = Door::open().await;
    // Not a real archive: nothing unpacks it. Its length is that of a bomb of a gigabyte.
    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    bomb.resize(1_000_000, 0);
    for path in [OUTGOING, COMMAND, WEBHOOK] {
        let kind = if path == WEBHOOK { JSON } else { FORM };
        for encoding in ["gzip", "br", "deflate, gzip", "CANARY", "identity, gzip"] {
            let headers = format!("Content-Type: {kind}\r\nContent-Encoding: {encoding}\r\n");
            let packed = request("POST", path, &headers, &bomb);
            door.refuses(encoding, packed, 415).await;
        }
        let headers = format!("Content-Type: {kind}\r\nContent-Encoding: identity\r\n");
        door.refuses("identity", request("POST", path, &headers, "{}"), 401)
            .await;
    }
    door.ends().await;
}

#[tokio::test]
async fn i7_body_over_the_limit_is_refused_and_never_cut_to_fit() {
    let door = Door::open().await;
    let limit = 1024 * 1024;
    // What lies within the limit would be a whole request for a meeting.
    let mut body = door.form(&[("padding", "")]).into_bytes();
    body.resize(limit + 1, b'x');
    let told = post(OUTGOING, FORM, &body);
    door.refuses("one byte too many", told, 413).await;
    let head = format!(
        "POST {OUTGOING} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let mut chunked = head.clone().into_bytes();
    for piece in body.chunks(100_000) {
        write!(chunked, "{:x}\r\n", piece.len()).unwrap();
        chunked.extend(piece);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    door.refuses("the same in chunks", chunked, 413).await;
    // A body without end is not read without end.
    let mut stream = raw::connect(&door.world.relay).await;
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    let mut sent = 0_usize;
    while stream.write_all(&chunk).await.is_ok() {
        sent += 1;
        assert!(sent < 2000, "it reads and reads");
    }
    for (path, kind) in [(COMMAND, FORM), (WEBHOOK, JSON)] {
        door.refuses(path, post(path, kind, &body), 413).await;
    }
    door.ends().await;
}
