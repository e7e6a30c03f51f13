#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::sync::Arc;

use http::{Method, StatusCode};

use crate::domain::{ConversationKind, Fact, TriggerSource};
use crate::ingress::inbound::{FORM, Inbound, JSON};
use crate::ingress::tests::{IngressBench, Sink, Storage, post, recorded_inbound, vectors_in};
use crate::trigger::MissedPosts;

/// A recorded body under one of the configured tokens.
fn recorded(name: &str) -> Inbound {
    let mut inbound = recorded_inbound(name);
    let body = String::from_utf8(inbound.body.unwrap().to_vec()).unwrap();
    let token = if body.starts_with('{') {
        let object: serde_json::Value = serde_json::from_str(&body).unwrap();
        object["token"].as_str().unwrap().to_owned()
    } else {
        let mut pairs = form_urlencoded::parse(body.as_bytes());
        pairs
            .find(|(key, _)| key == "token")
            .unwrap()
            .1
            .into_owned()
    };
    inbound.body = Ok(body.replace(&token, "outgoing-2").into());
    inbound
}

fn asked(text: &str) -> Inbound {
    let body: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("token", "outgoing-1")
        .append_pair("channel_id", "c1")
        .append_pair("user_id", "u1")
        .append_pair("user_name", "ana")
        .append_pair("post_id", "p1")
        .append_pair("text", text)
        .finish();
    post(FORM, body)
}

#[tokio::test]
async fn every_recorded_post_is_answered_with_nothing_and_starts_what_its_text_asks_for() {
    let mut lines = String::new();
    let names = ["mattermost", "mattermost-11"]
        .into_iter()
        .flat_map(|folder| vectors_in(folder, "outgoing-"));
    for name in names {
        let bench = IngressBench::new(None);
        let answer = bench.ingress().outgoing.answer(recorded(&name)).await;
        assert_eq!(answer.status(), StatusCode::OK, "{name}");
        assert!(answer.body().is_empty(), "{name}");
        let events = bench.sink.take();
        let said = match events.as_slice() {
            [] => "-".to_owned(),
            [event] => match &event.fact {
                Fact::MeetingRequested {
                    rule, by, place, ..
                } => {
                    assert!(event.origin.key.starts_with("post:"));
                    format!(
                        "{:?} by {} in {}",
                        rule.title, by.user_name, place.channel_name
                    )
                }
                other => panic!("{other:?}"),
            },
            more => panic!("{more:?}"),
        };
        lines.push_str(&format!("{name}: {said}\n"));
    }
    insta::assert_snapshot!(lines, @r#"
    mattermost/outgoing-form-leading-spaces.http: "leading spaces" by alice in town-square
    mattermost/outgoing-form-meet-now.http: "town-square meeting" by alice in town-square
    mattermost/outgoing-form-newline-after-word.http: "newline" by alice in town-square
    mattermost/outgoing-form-unicode.http: "weekly sync & review @bob #tag ünïcödé 🎉" by alice in town-square
    mattermost/outgoing-form-word-only.http: "town-square meeting" by alice in town-square
    mattermost/outgoing-json-prefix-match.http: -
    mattermost/outgoing-json.http: -
    mattermost-11/outgoing-form-case.http: "please" by alice in town-square
    mattermost-11/outgoing-form-leading-spaces.http: "town-square meeting" by alice in town-square
    mattermost-11/outgoing-form-meet-now.http: "town-square meeting" by alice in town-square
    mattermost-11/outgoing-form-newline-after-word.http: "town-square meeting" by alice in town-square
    mattermost-11/outgoing-form-thread-reply.http: "in thread" by alice in town-square
    mattermost-11/outgoing-form-title.http: "weekly sync" by alice in town-square
    mattermost-11/outgoing-form-unicode.http: "Übung „Q3“ ☕ 会議 👩\u{200d}💻 & ‹b›=?+%" by alice in town-square
    mattermost-11/outgoing-form-word-only.http: "town-square meeting" by alice in town-square
    mattermost-11/outgoing-json-file-only.http: -
    mattermost-11/outgoing-json-file.http: -
    mattermost-11/outgoing-json-from-bot.http: -
    mattermost-11/outgoing-json-prefix-match.http: -
    mattermost-11/outgoing-json.http: -
    "#);
}

#[tokio::test]
async fn post_becomes_a_request_for_a_meeting_under_its_post_id() {
    let bench = IngressBench::new(None);
    let inbound = recorded("mattermost-11/outgoing-form-title.http");
    let id = inbound.id;
    bench.ingress().outgoing.answer(inbound).await;
    let events = bench.sink.take();
    assert_eq!(events[0].id, id);
    assert_eq!(events[0].origin.source, "mattermost:default");
    assert_eq!(events[0].origin.key, "post:k9u5kqcd5i8dpcwwhon395pgwo");
    let Fact::MeetingRequested {
        place,
        via,
        always_new,
        ..
    } = &events[0].fact
    else {
        panic!("{:?}", events[0].fact);
    };
    assert_eq!(
        (place.kind, &place.thread, *always_new),
        (ConversationKind::Channel, &None, false)
    );
    assert!(
        matches!(via, TriggerSource::OutgoingWebhook { post, caught_up: false, placed: false } if post.as_str() == "k9u5kqcd5i8dpcwwhon395pgwo")
    );
    assert_eq!(bench.notes.take(), ["received post accepted"]);
}

#[tokio::test]
async fn text_that_matches_no_rule_and_own_posts_start_nothing() {
    let bench = IngressBench::new(None);
    let answer = bench
        .ingress()
        .outgoing
        .answer(asked("meet me at noon"))
        .await;
    assert_eq!((answer.status(), answer.body().len()), (StatusCode::OK, 0));
    assert_eq!(
        bench.notes.take(),
        ["received post ignored", "ignored post no_rule"]
    );
    bench.own_user.set("u1".parse().unwrap());
    let answer = bench.ingress().outgoing.answer(asked("meet now")).await;
    assert_eq!((answer.status(), answer.body().len()), (StatusCode::OK, 0));
    assert_eq!(
        bench.notes.take(),
        ["received post ignored", "ignored post own_post"]
    );
    assert!(bench.sink.take().is_empty());
}

#[tokio::test]
async fn sixth_start_of_a_person_within_a_minute_is_ignored_and_counted() {
    let bench = IngressBench::new(None);
    let ingress = bench.ingress();
    for number in 0..6 {
        let mut inbound = asked("meet now");
        let body = String::from_utf8(inbound.body.unwrap().to_vec()).unwrap();
        inbound.body = Ok(body
            .replace("post_id=p1", &format!("post_id=p{number}"))
            .into());
        let answer = ingress.outgoing.answer(inbound).await;
        assert_eq!((answer.status(), answer.body().len()), (StatusCode::OK, 0));
    }
    assert_eq!(bench.sink.take().len(), 5);
    let notes = bench.notes.take();
    assert_eq!(
        notes[5..],
        [
            "received post rejected",
            "rejected outgoing_webhook rate_limited"
        ]
    );
}

#[tokio::test]
async fn wrong_calls_are_answered_with_their_status_and_never_with_a_value() {
    let good = "token=outgoing-1&channel_id=c1&user_id=u1&post_id=p1&text=meet";
    for (kind, body, status, says) in [
        (
            FORM,
            good.replace("outgoing-1", "CANARY"),
            401,
            "unauthorized",
        ),
        (FORM, "channel_id=c1".to_owned(), 401, "unauthorized"),
        (FORM, String::new(), 401, "unauthorized"),
        (JSON, String::new(), 400, "not a JSON object"),
        (JSON, "[\"CANARY\"]".to_owned(), 400, "not a JSON object"),
        (
            JSON,
            r#"{"token":["CANARY"]}"#.to_owned(),
            400,
            "field token",
        ),
        (JSON, r#"{"text":"meet"}"#.to_owned(), 401, "unauthorized"),
        (
            FORM,
            good.replace("channel_id=c1", "channel_id=CANARY+x"),
            400,
            "field channel_id",
        ),
        (FORM, good.replace("user_id=u1&", ""), 400, "field user_id"),
        (
            FORM,
            good.replace("post_id=p1", "post_id="),
            400,
            "field post_id",
        ),
        (
            FORM,
            format!("{good}&timestamp=CANARY"),
            400,
            "field timestamp",
        ),
        (FORM, format!("{good}%"), 400, "not a valid form"),
        ("text/plain", good.to_owned(), 415, "content type"),
        (
            "application/webhook+json",
            good.to_owned(),
            415,
            "content type",
        ),
    ] {
        let bench = IngressBench::new(None);
        let answer = bench
            .ingress()
            .outgoing
            .answer(post(kind, body.clone()))
            .await;
        assert_eq!(answer.status().as_u16(), status, "{body}");
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        assert!(
            text.contains(says) && !text.contains("CANARY"),
            "{body}: {text}"
        );
        assert!(bench.sink.take().is_empty());
    }
    let mut inbound = asked("meet now");
    inbound.method = Method::GET;
    let answer = IngressBench::new(None)
        .ingress()
        .outgoing
        .answer(inbound)
        .await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test(start_paused = true)]
async fn post_that_cannot_be_stored_is_answered_503_with_a_text_for_the_channel() {
    for storage in [Storage::Fails, Storage::Hangs] {
        let mut bench = IngressBench::new(None);
        bench.sink = Sink::new(storage);
        let inbound = asked("meet now");
        let (id, began) = (inbound.id, tokio::time::Instant::now());
        let answer = bench.ingress().outgoing.answer(inbound).await;
        assert!(began.elapsed() <= std::time::Duration::from_millis(901));
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()["content-type"], "application/json");
        let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        assert!(
            body["text"]
                .as_str()
                .unwrap()
                .ends_with(&format!("ref {id}"))
        );
        assert_eq!(
            bench.notes.take(),
            [
                "received post rejected",
                "rejected outgoing_webhook backpressure"
            ]
        );
        assert!(Arc::clone(&bench.sink).take().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn post_that_cannot_be_stored_signals_a_scan_for_missed_posts() {
    for (storage, is_lost) in [(Storage::Fails, true), (Storage::Works, false)] {
        let mut bench = IngressBench::new(None);
        bench.sink = Sink::new(storage);
        let missed_posts = MissedPosts::default();
        bench.missed_posts = Some(missed_posts.clone());
        let answer = bench.ingress().outgoing.answer(asked("meet now")).await;
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        assert_eq!(body.contains("I look for it again"), is_lost, "{body}");
        let noticed =
            tokio::time::timeout(std::time::Duration::from_secs(1), missed_posts.awaited()).await;
        assert_eq!(noticed.is_ok(), is_lost);
    }
}
