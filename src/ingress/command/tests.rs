#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod any;

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};

use crate::domain::{ConversationKind, Fact, State, TriggerSource};
use crate::ingress::inbound::{FORM, Inbound, JSON};
use crate::ingress::reply::Answer;
use crate::ingress::tests::{
    FakeBehavior, IngressBench, OneMeeting, Sink, Storage, meeting, post, recorded_inbound,
    vectors_in,
};
use crate::token::Link;

const HOOK: &str = "http://127.0.0.1:28065/hooks/commands/1w3ncsn8wj8z3qmzkf91xdxuka";

/// A recorded command under one of the configured tokens.
fn recorded(name: &str) -> Inbound {
    let mut inbound = recorded_inbound(name);
    let body = String::from_utf8(inbound.body.unwrap().to_vec()).unwrap();
    let swap = |text: &str| {
        let token = form_urlencoded::parse(text.as_bytes())
            .find(|(key, _)| key == "token")
            .map_or("-".into(), |(_, token)| token);
        text.replace(token.as_ref(), "command-2")
    };
    inbound.query = swap(&inbound.query);
    inbound.body = Ok(swap(&body).into());
    inbound
}

fn typed(text: &str, more: &[(&str, &str)]) -> Inbound {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (key, value) in more {
        form.append_pair(key, value);
    }
    form.append_pair("token", "command-1")
        .append_pair("channel_id", "c1")
        .append_pair("channel_name", "dev")
        .append_pair("user_id", "u1")
        .append_pair("user_name", "ana")
        .append_pair("command", "/plugnmeet")
        .append_pair("text", text)
        .append_pair("response_url", HOOK);
    post(FORM, form.finish())
}

/// The text that the person sees. Asserts that Mattermost would show it.
fn shown(answer: &Answer) -> String {
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/json");
    let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(body["response_type"], "ephemeral");
    assert_eq!(body["username"], "meetrelay");
    body["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_recorded_command_is_answered_to_its_caller() {
    let mut lines = String::new();
    let names = ["mattermost", "mattermost-11"]
        .into_iter()
        .flat_map(|folder| vectors_in(folder, "command-"));
    for name in names {
        let bench = IngressBench::new(None);
        let answer = bench.ingress().command.answer(recorded(&name)).await;
        let first = shown(&answer).lines().next().unwrap().to_owned();
        let said = match bench.sink.take().as_slice() {
            [] => first,
            [event] => match &event.fact {
                Fact::MeetingRequested {
                    place,
                    by,
                    rule,
                    via,
                    ..
                } => format!(
                    "{:?} by {} {:?}, in a thread: {}, late answer: {}",
                    rule.title,
                    by.user_name,
                    place.kind,
                    place.thread.is_some(),
                    matches!(via, TriggerSource::SlashCommand { hook: Some(_) })
                ),
                other => panic!("{other:?}"),
            },
            more => panic!("{more:?}"),
        };
        lines.push_str(&format!("{name}: {said}\n"));
    }
    insta::assert_snapshot!(lines, @r#"
    mattermost/command-direct-message.http: "in DM" by alice Direct, in a thread: false, late answer: true
    mattermost/command-mentions.http: I do not know `join`.
    mattermost/command-no-text.http: "town-square meeting" by alice Channel, in a thread: false, late answer: true
    mattermost/command-private-channel.http: "private" by alice Channel, in a thread: false, late answer: true
    mattermost/command-text.http: "Weekly sync --record" by alice Channel, in a thread: false, late answer: true
    mattermost-11/command-direct-message.http: "Meeting" by alice Direct, in a thread: false, late answer: true
    mattermost-11/command-get.http: "Weekly" by alice Channel, in a thread: false, late answer: true
    mattermost-11/command-group-message.http: "Meeting" by alice Direct, in a thread: false, late answer: true
    mattermost-11/command-mentions.http: "dev meeting" by alice Channel, in a thread: false, late answer: true
    mattermost-11/command-no-text.http: "dev meeting" by alice Channel, in a thread: false, late answer: true
    mattermost-11/command-private-channel.http: No meeting is running here. Start one with `start`.
    mattermost-11/command-text.http: "Weekly: Übung & ‹b›" by alice Channel, in a thread: false, late answer: true
    mattermost-11/command-thread.http: "in thread" by alice Channel, in a thread: true, late answer: true
    "#);
}

#[tokio::test]
async fn start_is_answered_at_once_with_the_persons_own_link() {
    let bench = IngressBench::new(None);
    let inbound = typed("start --record Weekly sync", &[("root_id", "r1")]);
    let id = inbound.id;
    let text = shown(&bench.ingress().command.answer(inbound).await);
    let token = text
        .split("https://relay.example.org/join/")
        .nth(1)
        .unwrap()
        .split(')')
        .next()
        .unwrap();
    assert_eq!(
        bench.links.verify(token),
        Some(Link::Own(id.into(), "u1".parse().unwrap()))
    );
    assert!(
        text.contains("Weekly sync") && text.contains("--record"),
        "{text}"
    );
    let events = bench.sink.take();
    assert_eq!(events[0].id, id);
    assert_eq!(events[0].origin.key, "command:1w3ncsn8wj8z3qmzkf91xdxuka");
    let Fact::MeetingRequested {
        place, always_new, ..
    } = &events[0].fact
    else {
        panic!("{:?}", events[0].fact);
    };
    assert_eq!(place.thread.as_ref().unwrap().as_str(), "r1");
    assert!(!always_new);
    assert_eq!(bench.notes.take(), ["received start accepted"]);
}

#[tokio::test]
async fn start_new_and_end_become_events_of_their_own_kind() {
    let bench = IngressBench::new(None);
    shown(
        &bench
            .ingress()
            .command
            .answer(typed("start --new", &[]))
            .await,
    );
    let text = shown(&bench.ingress().command.answer(typed("end", &[])).await);
    assert!(text.starts_with("I look for the meeting"), "{text}");
    let events = bench.sink.take();
    assert!(matches!(
        events[0].fact,
        Fact::MeetingRequested {
            always_new: true,
            ..
        }
    ));
    assert!(matches!(&events[1].fact, Fact::EndRequested { by, .. } if by.user_name == "ana"));
}

#[tokio::test]
async fn direct_message_is_known_by_its_channels_name_and_promised_no_card() {
    let bench = IngressBench::new(None);
    let inbound = recorded("mattermost-11/command-direct-message.http");
    let text = shown(&bench.ingress().command.answer(inbound).await);
    assert!(
        text.contains("the link for everybody here follows"),
        "{text}"
    );
    let events = bench.sink.take();
    let Fact::MeetingRequested { place, .. } = &events[0].fact else {
        panic!("{:?}", events[0].fact);
    };
    assert_eq!(place.kind, ConversationKind::Direct);
}

#[tokio::test]
async fn response_url_of_another_form_stops_the_late_answer_and_nothing_else() {
    let bench = IngressBench::new(None);
    let inbound = typed(
        "start",
        &[("response_url", "https://evil.example/commands/abc")],
    );
    shown(&bench.ingress().command.answer(inbound).await);
    let events = bench.sink.take();
    assert!(matches!(
        &events[0].fact,
        Fact::MeetingRequested {
            via: TriggerSource::SlashCommand { hook: None },
            ..
        }
    ));
    assert_eq!(
        bench.notes.take(),
        ["noted foreign_response_url", "received start accepted"]
    );
}

#[tokio::test]
async fn list_shows_what_runs_here_with_the_callers_own_links() {
    let bench = IngressBench::new(Some(meeting(State::Live)));
    let ingress = bench.ingress();
    let text = shown(&ingress.command.answer(typed("list all", &[])).await);
    assert!(text.contains("`2` **Weekly") && text.contains("/join/"));
    assert!(text.ends_with("Ignored unknown words: `all`"), "{text}");
    let in_thread = typed("list", &[("root_id", "r1")]);
    let text = shown(&ingress.command.answer(in_thread).await);
    assert!(text.starts_with("No meeting is running here"), "{text}");
    let asked = bench.store.asked.lock().unwrap();
    assert_eq!(asked[0].channel_key(), "default|c1");
}

/// The meeting that the immediate answer named, according to the only event.
fn answered_meeting(bench: &IngressBench) -> Option<crate::domain::MeetingId> {
    let events = bench.sink.take();
    match &events[0].fact {
        Fact::MeetingRequested { told, .. } | Fact::EndRequested { told, .. } => *told,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn second_start_is_answered_at_once_and_only_once() {
    let running = meeting(State::Live);
    let bench = IngressBench::new(Some(running.clone()));
    let ingress = bench.ingress();
    let text = shown(&ingress.command.answer(typed("start Retro", &[])).await);
    assert!(
        text.starts_with("**Weekly ‹sync›** is running here already") && text.contains("/join/"),
        "{text}"
    );
    assert_eq!(answered_meeting(&bench), Some(running.id));
    let text = shown(
        &ingress
            .command
            .answer(typed("start --new Retro", &[]))
            .await,
    );
    assert!(text.starts_with("Starting **Retro**"), "{text}");
    assert_eq!(answered_meeting(&bench), None);
}

#[tokio::test(start_paused = true)]
async fn store_that_does_not_answer_delays_nobody_and_makes_no_text_untrue() {
    for behavior in [FakeBehavior::Refuses, FakeBehavior::Hangs] {
        let mut bench = IngressBench::new(None);
        bench.store = Arc::new(OneMeeting {
            behavior,
            meeting: Some(meeting(State::Live)),
            asked: std::sync::Mutex::default(),
        });
        for (line, begins) in [("start Retro", "Your own link: "), ("end", "I look for")] {
            let began = tokio::time::Instant::now();
            let text = shown(&bench.ingress().command.answer(typed(line, &[])).await);
            assert!(began.elapsed() <= std::time::Duration::from_millis(160));
            assert!(text.starts_with(begins), "{text}");
            assert_eq!(answered_meeting(&bench), None);
        }
    }
}

#[tokio::test]
async fn f1_nothing_is_promised_when_no_late_answer_is_possible() {
    let running = meeting(State::Live);
    let starter = running.starter().unwrap().user_id.as_str().to_owned();
    let bench = IngressBench::new(Some(running));
    let deaf = [("response_url", "")];
    let direct = "a".repeat(26) + "__" + &"b".repeat(26);
    let text = |inbound: Inbound| async { shown(&bench.ingress().command.answer(inbound).await) };
    let said = text(typed("end", &deaf)).await;
    assert!(
        said.contains("**Weekly") && !said.contains("tell"),
        "{said}"
    );
    let said = text(typed("end nonsense", &deaf)).await;
    assert!(said.contains("`nonsense`. Running here:"), "{said}");
    let by_starter = [("user_id", starter.as_str()), deaf[0]];
    let said = text(typed("end", &by_starter)).await;
    assert!(said.starts_with("Ending **Weekly"), "{said}");
    let bench = IngressBench::new(None);
    let said = shown(&bench.ingress().command.answer(typed("end", &deaf)).await);
    assert!(said.starts_with("If a meeting runs here"), "{said}");
    let inbound = typed("start", &[("channel_name", &direct), deaf[0]]);
    let said = shown(&bench.ingress().command.answer(inbound).await);
    assert!(!said.contains("follows"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn list_is_answered_within_a_second_when_the_store_is_unavailable() {
    for behavior in [FakeBehavior::Refuses, FakeBehavior::Hangs] {
        let mut bench = IngressBench::new(None);
        bench.store = Arc::new(OneMeeting {
            behavior,
            meeting: None,
            asked: std::sync::Mutex::default(),
        });
        let inbound = typed("list", &[]);
        let (id, began) = (inbound.id, tokio::time::Instant::now());
        let text = shown(&bench.ingress().command.answer(inbound).await);
        assert!(began.elapsed() < std::time::Duration::from_secs(1));
        assert!(text.ends_with(&format!("ref {id}")), "{text}");
        assert_eq!(
            bench.notes.take(),
            ["noted store_away", "received list rejected"]
        );
    }
}

#[tokio::test]
async fn help_is_given_on_request_and_for_what_is_not_understood() {
    let bench = IngressBench::new(None);
    let text = shown(&bench.ingress().command.answer(typed("help", &[])).await);
    assert!(text.contains("`/plugnmeet start`"), "{text}");
    let text = shown(
        &bench
            .ingress()
            .command
            .answer(typed("dance @all", &[]))
            .await,
    );
    assert!(
        text.contains("dance") && text.contains("`/plugnmeet start`"),
        "{text}"
    );
    assert!(bench.sink.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn command_that_cannot_be_stored_is_answered_200_with_a_reference() {
    for (text, storage) in [
        ("start", Storage::Fails),
        ("start", Storage::Hangs),
        ("end", Storage::Fails),
    ] {
        let mut bench = IngressBench::new(None);
        bench.sink = Sink::new(storage);
        let inbound = typed(text, &[]);
        let (id, began) = (inbound.id, tokio::time::Instant::now());
        let answer = shown(&bench.ingress().command.answer(inbound).await);
        assert!(began.elapsed() < std::time::Duration::from_secs(1));
        assert!(
            answer.ends_with(&format!("ref {id}")) && !answer.contains("/join/"),
            "{answer}"
        );
        assert_eq!(
            bench.notes.take(),
            [
                format!("received {text} rejected"),
                "rejected slash_command backpressure".to_owned()
            ]
        );
    }
}

#[tokio::test]
async fn sixth_start_within_a_minute_is_refused_politely() {
    let bench = IngressBench::new(None);
    let ingress = bench.ingress();
    for number in 0..6 {
        let url = format!("http://127.0.0.1:28065/hooks/commands/h{number}");
        let text = shown(
            &ingress
                .command
                .answer(typed("start", &[("response_url", &url)]))
                .await,
        );
        assert_eq!(text.contains("/join/"), number < 5, "{text}");
    }
    assert_eq!(bench.sink.take().len(), 5);
}

#[tokio::test]
async fn wrong_calls_are_refused_before_anything_is_said() {
    let bench = IngressBench::new(None);
    let ingress = bench.ingress();
    let mut bare_get = typed("start", &[]);
    (bare_get.method, bare_get.headers) = (Method::GET, HeaderMap::new());
    let mut delete = typed("start", &[]);
    delete.method = Method::DELETE;
    for (inbound, status) in [
        (typed("start", &[("token", "wrong")]), 401),
        (typed("start", &[("token", "outgoing-1")]), 401),
        (bare_get, 401),
        (delete, 405),
        (post(JSON, "{}"), 415),
        (post(FORM, "token=%"), 400),
    ] {
        let answer = ingress.command.answer(inbound).await;
        assert_eq!(answer.status().as_u16(), status);
    }
    assert!(bench.sink.take().is_empty());
    let text = shown(
        &ingress
            .command
            .answer(typed("start", &[("channel_id", "no id")]))
            .await,
    );
    assert!(
        text.contains("field channel_id") && !text.contains("no id"),
        "{text}"
    );
}

#[tokio::test]
async fn debug_output_of_an_accepted_command_holds_no_hook() {
    let bench = IngressBench::new(None);
    shown(&bench.ingress().command.answer(typed("start", &[])).await);
    let events = bench.sink.take();
    assert!(events[0].origin.key.ends_with("1w3ncsn8wj8z3qmzkf91xdxuka"));
    let text = format!("{events:?}");
    assert!(text.contains("command:[redacted]"), "{text}");
    assert!(!text.contains("1w3ncsn8wj8z3qmzkf91xdxuka"), "{text}");
}
