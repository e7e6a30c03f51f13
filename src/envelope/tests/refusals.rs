use crate::domain::apply::{Reply, Saying};
use crate::domain::{ArtifactId, Timestamp};
use crate::domain::{Event, EventId, Fact, MeetingId, Origin, Person, RequestId, ResponseHook};
use crate::envelope::*;

const MEETING: &str = "0199a0b1-0000-7000-8000-000000000001";

fn text_of(bytes: &[u8]) -> String {
    decode(bytes).unwrap_err().to_string()
}

fn woken(rest: &str) -> String {
    format!(
        r#"{{"v":1,"kind":"event","id":"{MEETING}","source":"relay","key":"k","received_at":5{rest}}}"#
    )
}

#[test]
fn each_fault_is_named() {
    let good = format!(r#","body":{{"fact":"woken","meeting":"{MEETING}","round":3}}"#);
    assert!(decode(woken(&good).as_bytes()).is_ok());
    let texts = [
        text_of(b""),
        text_of(b"\xff\xfe"),
        text_of(b"[]"),
        text_of(b"{}"),
        text_of(br#"{"v":"1"}"#),
        text_of(br#"{"v":0}"#),
        text_of(br#"{"v":1}"#),
        text_of(woken("").as_bytes()),
        text_of(woken(r#","body":{"fact":"woken","round":3}"#).as_bytes()),
        text_of(woken(r#","body":{"fact":"hunter2","round":3}"#).as_bytes()),
        text_of(woken(&good).replace("event", "hunter2").as_bytes()),
        text_of(woken(&good).replace(r#""source":"relay","#, "").as_bytes()),
        text_of(
            woken(&good)
                .replace(r#""id":"0199"#, r#""id":"hunter2"#)
                .as_bytes(),
        ),
        text_of(woken(&good).replace(r#""event""#, r#""job""#).as_bytes()),
        text_of(&vec![b' '; MESSAGE_BYTES_MAX + 1]),
        text_of(woken(&format!(r#","x":{}"#, "[".repeat(10_000))).as_bytes()),
    ];
    insta::assert_snapshot!(texts.join("\n"), @r#"
    it is not an envelope: incomplete JSON at line 1, column 0
    it is not an envelope: not JSON at line 1, column 1
    it is not an envelope: JSON of a different structure (expected struct Version with 1 element) at line 1, column 2
    it is not an envelope: JSON of a different structure (missing field `v`) at line 1, column 2
    it is not an envelope: JSON of a different structure (expected u64) at line 1, column 8
    it is not an envelope: it has version 0
    it is not an envelope: JSON of a different structure (missing field `kind`) at line 1, column 7
    it is not an envelope: JSON of a different structure (missing field `body`) at line 1, column 109
    it is not an envelope: JSON of a different structure (missing field `meeting`) at line 0, column 0
    it is not an envelope: JSON of a different structure (a value that this version does not know) at line 1, column 17
    it is not an envelope: its kind is unknown
    it is not an envelope: an event without source and key
    it is not an envelope: its id is not valid
    it is not an envelope: its id is not valid
    it has 262145 bytes, more than 262144
    it is nested deeper than 16 levels
    "#);
}

#[test]
fn newer_version_is_reported_whatever_else_the_message_holds() {
    let newer = br#"{"v":7,"kind":["another","shape"]}"#;
    assert_eq!(decode(newer), Err(DecodeError::Newer(7)));
    let far = format!(r#"{{"v":{}}}"#, u64::MAX);
    assert_eq!(decode(far.as_bytes()), Err(DecodeError::Newer(u64::MAX)));
}

#[test]
fn added_fields_are_skipped() {
    let more = woken(&format!(
        r#","later":{{"a":[1]}},"body":{{"fact":"woken","meeting":"{MEETING}","round":3,"why":"x"}}"#
    ));
    assert!(decode(more.as_bytes()).is_ok());
}

#[test]
fn brackets_in_a_text_do_not_count_as_nesting() {
    let event = Event {
        id: MEETING.parse().unwrap(),
        origin: Origin::relay("k"),
        received_at: Timestamp::from_millis(5),
        fact: Fact::JobGivenUp {
            meeting: MEETING.parse::<MeetingId>().unwrap(),
            job: format!("\"\\{}", "[{".repeat(1000)),
        },
    };
    let envelope = Envelope::first(Body::Event(event), Timestamp::default());
    assert_eq!(decode(&encode(&envelope).unwrap().body), Ok(envelope));
}

#[test]
fn response_hook_that_is_a_path_is_refused() {
    let reply = Body::Reply(reply());
    let body = encode(&Envelope::first(reply, Timestamp::default()))
        .unwrap()
        .body;
    let forged = String::from_utf8(body.to_vec())
        .unwrap()
        .replace("verysecret", "../../api/v4");
    let error = decode(forged.as_bytes()).unwrap_err().to_string();
    assert!(!error.contains("api"), "{error}");
}

#[test]
fn reply_under_another_id_is_refused() {
    let body = encode(&Envelope::first(Body::Reply(reply()), Timestamp::default()))
        .unwrap()
        .body;
    let forged = String::from_utf8(body.to_vec())
        .unwrap()
        .replace("\"tell:01", "\"tell:02");
    assert!(matches!(
        decode(forged.as_bytes()),
        Err(DecodeError::Malformed(_))
    ));
}

#[test]
fn too_long_envelope_is_not_written() {
    let event = Event {
        id: MEETING.parse::<EventId>().unwrap(),
        origin: Origin::relay("k"),
        received_at: Timestamp::from_millis(5),
        fact: Fact::SummaryRead {
            meeting: MEETING.parse().unwrap(),
            artifact: "a".parse::<ArtifactId>().unwrap(),
            text: "x".repeat(MESSAGE_BYTES_MAX),
        },
    };
    let error = encode(&Envelope::first(Body::Event(event), Timestamp::default())).unwrap_err();
    assert!(matches!(error, PublishError::TooLarge { bytes } if bytes > MESSAGE_BYTES_MAX));
}

#[test]
fn debug_shows_no_hook() {
    let envelope = Envelope::first(Body::Reply(reply()), Timestamp::default());
    let message = encode(&envelope).unwrap();
    assert!(message.body.windows(10).any(|part| part == b"verysecret"));
    for text in [format!("{envelope:?}"), format!("{message:?}")] {
        assert!(!text.contains("verysecret"), "{text}");
    }
}

#[test]
fn trace_of_version_0_is_carried_and_no_other() {
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert!(is_trace(trace));
    for other in [
        "",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-01",
    ] {
        assert!(!is_trace(other), "{other}");
        let envelope = Envelope {
            trace: Some(other.to_owned()),
            ..Envelope::first(Body::Reply(reply()), Timestamp::default())
        };
        assert_eq!(
            decode(&encode(&envelope).unwrap().body).unwrap().trace,
            None
        );
    }
}

fn reply() -> Reply {
    Reply {
        request: MEETING.parse::<RequestId>().unwrap(),
        hook: ResponseHook::parse("verysecret").unwrap(),
        to: Person {
            user_id: "u".parse().unwrap(),
            user_name: "ana".to_owned(),
        },
        saying: Saying::NothingToEnd,
    }
}
