//! Property tests with whole requests that nobody sends: each gets an answer, none becomes an event, and no answer
//! repeats a value.

use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Builder;

use super::{IngressBench, NOW, meeting};
use crate::any::{CANARY, bytes, json};
use crate::domain::State;
use crate::ingress::inbound::fresh_id;
use crate::ingress::sink::TraceParent;

const KEYS: [&str; 6] = ["token", "text", "user_id", "channel_id", "event", "CANARY"];

fn path() -> impl Strategy<Value = String> {
    let known = select(vec![
        "/mattermost/outgoing",
        "/mattermost/command",
        "/api/mattermost/command",
        "/plugnmeet/webhook",
        "/join/",
        "/artifact/",
        "/healthz",
        "/",
    ]);
    (
        known,
        "(CANARY|[A-Za-z0-9_.-]{0,200}|%[0-9a-f]{2}){0,2}(/file)?(\\?[a-z=&%0-9]{0,20})?",
    )
        .prop_map(|(known, more)| format!("{known}{more}"))
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let name = select(vec![
        "content-type",
        "content-length",
        "content-encoding",
        "authorization",
        "hash-token",
        "cookie",
        "traceparent",
        "sec-fetch-site",
        "x-request-id",
    ]);
    let value = prop_oneof![
        select(vec![
            "application/json",
            "application/x-www-form-urlencoded",
            "application/webhook+json; charset=utf-8",
            "identity",
            "99999999999999999999",
            "__Host-meetrelay_guest=g-abcdefghijklmnopqrst.CANARY",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,80}",
        "(CANARY|Bearer |[.;=, ]){0,6}",
    ];
    prop::collection::vec((name, value), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases((ProptestConfig::default().cases / 2).max(1)))]

    #[test]
    fn any_request_is_answered_and_none_is_taken(
        method in select(vec!["GET", "HEAD", "POST", "POST", "PUT", "BREW"]),
        path in path(),
        headers in headers(),
        body in prop_oneof![bytes(), json(&KEYS).prop_map(String::into_bytes)],
    ) {
        let bench = IngressBench::new(Some(meeting(State::Open)));
        let mut request = warp::test::request().method(method).path(&path).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let answer = runtime.block_on(request.reply(&bench.ingress().filter()));
        let status = answer.status().as_u16();
        prop_assert!(matches!(status, 200 | 400 | 401 | 404 | 405 | 413 | 415), "{status}");
        prop_assert!(status != 200 || path.starts_with("/healthz"), "{path}");
        let text = format!("{:?} {:?}", answer.headers(), answer.body());
        prop_assert!(!text.contains(CANARY), "{text}");
        prop_assert!(bench.sink.take().is_empty());
    }

    #[test]
    fn any_trace_is_none_or_of_the_known_form(value in "[0-9a-fA-F-]{0,60}|00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}") {
        if let Some(trace) = TraceParent::parse(&value) {
            prop_assert_eq!(trace.to_string().len(), 55);
        }
    }

    #[test]
    fn any_time_makes_an_id(millis in any::<i64>()) {
        let _ = fresh_id(crate::domain::Timestamp::from_millis(millis));
        let _ = fresh_id(NOW);
    }
}
