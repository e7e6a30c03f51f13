#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;
use warp::http::StatusCode;

use super::*;
use crate::admin::reference::{made_at, read};
use crate::admin::tests::fakes::{MEETING, NEW_YEAR, bench, links};

#[test]
fn every_form_of_a_reference_is_understood() {
    let request = "01900000-0000-7000-8000-000000000000";
    let links = links();
    let verify = |token: &str| links.verify(token);
    let link = links.join_open(request.parse().unwrap());
    let own = links.join_own(request.parse().unwrap(), &"ana".parse().unwrap());
    let artifact = links.artifact(
        &"SID-42".parse().unwrap(),
        crate::domain::ArtifactKind::Summary,
    );
    for (text, id) in [
        (request, request),
        ("  mm-abcdefghijklm\n", "mm-abcdefghijklm"),
        (
            "https://chat.example.org/eng/pl/xh3k7o9p1tgp8xy6bqkf3q9w4r",
            "xh3k7o9p1tgp8xy6bqkf3q9w4r",
        ),
        ("https://chat.example.org/_redirect/pl/xh3k?x", "xh3k"),
        (
            "The relay cannot take this now, please try again. ref 0190-id",
            "0190-id",
        ),
        ("ref `0190-id`.", "0190-id"),
        (&link, request),
        (&format!("[Join]({own})"), request),
        (&format!("{artifact}/file"), "SID-42"),
        (link.rsplit('/').next().unwrap(), request),
    ] {
        assert_eq!(read(text, verify).unwrap().ids[0], id, "{text}");
    }
    let upper = read("0190ABCD-0000-7000-8000-000000000000", verify).unwrap();
    assert_eq!(upper.ids[1], "0190abcd-0000-7000-8000-000000000000");
    let job = read(&format!("{request}:CreateRoom:room:0"), verify).unwrap();
    assert_eq!(job.meeting, request.parse().ok());
    for wrong in [
        "what is this",
        "https://relay.example.org/join/AAAA",
        "  ' ",
    ] {
        assert!(read(wrong, verify).is_err(), "{wrong}");
    }
}

#[test]
fn only_ids_of_the_relay_hold_their_time() {
    let at = |id: &str| made_at(id, NEW_YEAR).map(Timestamp::millis);
    assert_eq!(
        at("0190e2a4-5b00-7000-8000-000000000000"),
        Some(0x0190_e2a4_5b00)
    );
    for other in [
        "mm-room",
        "9f0c1b52-7a1e-4e3d-9a1b-2f6f0c1d2e3f",
        "ffffffff-ffff-7000-8000-000000000000",
    ] {
        assert_eq!(at(other), None, "{other}");
    }
}

async fn why(reference: &str) -> (StatusCode, Value) {
    bench()
        .api("GET", &format!("/api/why?ref={reference}"))
        .await
}

#[tokio::test]
async fn history_of_a_meeting_is_ordered_and_has_its_lags() {
    for reference in [MEETING, "mm-room", "https:%2F%2Fchat%2Feng%2Fpl%2Fpostid"] {
        let (status, why) = why(reference).await;
        assert_eq!(status, StatusCode::OK, "{why}");
        assert_eq!(why["meeting"]["state"], "creating");
        let whats: Vec<_> = why["timeline"]
            .as_array()
            .unwrap()
            .iter()
            .map(|moment| {
                (
                    moment["what"].as_str().unwrap(),
                    moment["offset_ms"].as_i64().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            whats,
            [
                ("event", 0),
                ("buried", 0),
                ("buried", 0),
                ("buried", 0),
                ("attempt", 13),
                ("note", 30_000)
            ]
        );
        let attempt = &why["timeline"][4];
        assert_eq!(attempt["job"], "CreateRoom:room");
        assert_eq!(
            (&attempt["lag_ms"], &attempt["took_ms"]),
            (&Value::from(3), &Value::from(40))
        );
        assert_eq!(attempt["detail"], "plugNmeet answers 500");
        let owed: Vec<_> = why["owed"]
            .as_array()
            .unwrap()
            .iter()
            .map(|owed| owed["job"].clone())
            .collect();
        assert_eq!(owed, ["CreateRoom:room", "RefreshCard:1"]);
        assert!(!why.to_string().contains("CANARY"), "{why}");
    }
}

#[tokio::test]
async fn what_has_no_meeting_is_explained() {
    let (_, foreign) = why("foreign").await;
    assert_eq!(
        (&foreign["is"], &foreign["meeting"]),
        (&Value::from("event"), &Value::Null)
    );
    assert!(
        foreign["told"][0]
            .as_str()
            .unwrap()
            .contains("no meeting of this relay"),
        "{foreign}"
    );
    assert_eq!(foreign["timeline"][0]["lag_ms"], 12);
    let (_, letter) = why("garbage").await;
    assert_eq!(letter["is"], "dead_letter");
    assert!(
        letter["told"][0]
            .as_str()
            .unwrap()
            .contains("it was refused"),
        "{letter}"
    );
}

#[tokio::test]
async fn unknown_id_says_how_old_it_is_and_where_to_look() {
    // One id was made 61 s before the bench's now, the other 1 s before it.
    let at = |millis: i64| {
        let hex = format!("{:012x}", NEW_YEAR.millis() + 60_000 - millis);
        format!("{}-{}-7000-8000-000000000000", &hex[..8], &hex[8..])
    };
    let (_, old) = why(&at(61_000)).await;
    let old = old["told"].to_string();
    assert!(
        old.contains("made 1m 1s ago") && old.contains("never accepted"),
        "{old}"
    );
    let (_, young) = why(&at(1000)).await;
    let young = young["told"].to_string();
    assert!(
        young.contains("may still be in the events queue"),
        "{young}"
    );
    let (_, strange) = why("strange").await;
    let strange = strange["told"].to_string();
    assert!(
        strange.contains("not an id that the relay made") && strange.contains("grep strange"),
        "{strange}"
    );
    let (status, _) = why("https:%2F%2Frelay%2Fjoin%2FAAAA").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(why("").await.0, StatusCode::BAD_REQUEST);
}
