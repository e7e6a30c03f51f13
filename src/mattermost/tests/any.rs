//! Property tests with answers that Mattermost never sends.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::any::{CANARY, assert_harmless, bytes, damaged, json};
use crate::http::stub::Recorded;
use crate::http::{HttpAnswer, Unobserved, log_text};

static HTTP: LazyLock<Http> =
    LazyLock::new(|| Http::new(HttpSettings::default(), Arc::new(Unobserved)).unwrap());

const KEYS: [&str; 15] = [
    "id",
    "request_id",
    "status_code",
    "message",
    "posts",
    "user_id",
    "channel_id",
    "create_at",
    "delete_at",
    "props",
    "meetrelay",
    "key",
    "roles",
    "type",
    "username",
];

fn recordings() -> Vec<Vec<u8>> {
    let names = Recorded::names("mattermost-11/rest").into_iter();
    let bodies = names.map(|name| Recorded::read(&format!("mattermost-11/rest/{name}")).body);
    bodies.filter(|body| !body.is_empty()).collect()
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        bytes(),
        json(&KEYS).prop_map(String::into_bytes),
        damaged(recordings()),
    ]
}

fn answer(status: u16, body: Vec<u8>) -> HttpAnswer {
    HttpAnswer {
        status,
        date: None,
        retry_after: None,
        rate_limit: None,
        headers: Default::default(),
        location: Some("http://CANARY.example/".to_owned()),
        body: body.into(),
    }
}

fn harmless(error: &ChatError) {
    // The error's id is shown, only with the characters of ids, and cut; nothing else is.
    assert_harmless(&error.to_string().replace(CANARY, ""));
    assert_harmless(&log_text(&format!("{error:?}")).replace(CANARY, ""));
}

proptest! {
    #[test]
    fn any_refusal_is_classified_with_our_own_texts(status in 100..1000_u16, body in body()) {
        let answer = answer(status, body);
        let http = &*HTTP;
        if let Err(error) = form::read::<Value>(http, &answer) {
            harmless(&error);
        }
        match form::read_hook(http, &answer, form::SERVER) {
            Ok(()) => {}
            Err(form::HookRefusal::Own(error)) => harmless(&errors::classify(&answer, &error)),
            Err(form::HookRefusal::Strange(error)) => harmless(&error),
        }
        if let Err(error) = form::check_endpoint(http, &answer, form::SERVER) {
            harmless(&error);
        }
    }
}

/// Every reading call gets a few of them over a real connection. That takes longer, so there are fewer cases.
#[tokio::test]
async fn any_answer_of_a_success_is_read_or_refused() {
    let cases = (Config::default().cases / 8).max(1);
    let mut runner = TestRunner::default();
    for _ in 0..cases {
        let body = body().new_tree(&mut runner).unwrap().current();
        let reply = StubReply::new(200, &[("Content-Type", "application/json")], &body);
        let bench = bench(vec![reply; 5]).await;
        let client = &bench.client;
        let errors = [
            client.read_post(&post_id()).await.err(),
            client.channel_kind(&channel()).await.err(),
            client.account(&user()).await.err(),
            client.is_channel_admin(&channel(), &user()).await.err(),
            client.own_account().await.err(),
        ];
        errors.iter().flatten().for_each(harmless);
        let since = Timestamp::from_millis(1_795_246_293_912);
        let bench = bench_of_list(&body).await;
        let found = bench.client.find_posts(&channel(), "m1:card", since).await;
        if let Err(error) = found {
            harmless(&error);
        }
    }
}

/// The own account is known; the list of posts is `body`.
async fn bench_of_list(body: &[u8]) -> Bench {
    bench(vec![me(), StubReply::new(200, &[], body)]).await
}
