//! Property tests with answers that plugNmeet never sends.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::any::{CANARY, assert_harmless, bytes, damaged, json};
use crate::http::HttpAnswer;
use crate::http::stub::Recorded;

const KEYS: [&str; 16] = [
    "status",
    "msg",
    "status_code",
    "token",
    "is_active",
    "room_info",
    "sid",
    "creation_time",
    "metadata",
    "extra_data",
    "relay_meeting_id",
    "total_artifacts",
    "artifacts_list",
    "artifact_id",
    "recordings_list",
    "type",
];

fn recordings() -> Vec<Vec<u8>> {
    let names = Recorded::names("plugnmeet/recorded").into_iter();
    names
        .filter(|name| name.starts_with("api-"))
        .map(|name| Recorded::read(&format!("plugnmeet/recorded/{name}")).body)
        .filter(|body| !body.is_empty())
        .collect()
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        bytes(),
        json(&KEYS).prop_map(String::into_bytes),
        json(&KEYS).prop_map(|room| {
            format!(r#"{{"status":true,"room_info":{room},"token":{room},"is_active":{room}}}"#)
                .into_bytes()
        }),
        damaged(recordings()),
    ]
}

/// plugNmeet's own text of a failure is shown on one line, masked and cut.
fn harmless(error: &ConferenceError) {
    assert_harmless(&error.to_string().replace(CANARY, ""));
}

proptest! {
    #[test]
    fn any_answer_is_read_or_refused(status in prop_oneof![Just(200_u16), 100..1000_u16], body in body()) {
        let answer = HttpAnswer {
            status,
            date: None,
            retry_after: None,
            rate_limit: None,
            headers: Default::default(),
            location: None,
            body: body.into(),
        };
        let read = || answer::envelope(&answer);
        harmless(&answer::foreign_answer(&answer));
        match read() {
            Err(error) => harmless(&error),
            Ok(envelope) => harmless(&envelope.failure()),
        }
        let errors = [
            read().and_then(answer::AnswerBody::token).err(),
            read().and_then(answer::AnswerBody::activity).err(),
            read().and_then(answer::AnswerBody::end).err(),
            read().and_then(|envelope| create::read(envelope, meeting())).err(),
        ];
        errors.iter().flatten().for_each(harmless);
    }
}

/// The lists and files are read page by page over a real connection. That takes longer, so there are fewer cases.
#[tokio::test]
async fn any_list_and_file_is_read_or_refused() {
    let cases = (Config::default().cases / 8).max(1);
    let mut runner = TestRunner::default();
    for _ in 0..cases {
        let body = body().new_tree(&mut runner).unwrap().current();
        let reply = StubReply::new(200, &[("Content-Type", "application/json")], &body);
        let bench = bench(vec![reply; 40]).await;
        let found = bench.client.artifacts(&"s1".parse().unwrap()).await;
        match found {
            Ok(found) => assert!(found.len() <= 400, "{}", found.len()),
            Err(error) => harmless(&error),
        }
        let result = bench.client.summary_text(&"a1".parse().unwrap()).await;
        if let Err(error) = result {
            harmless(&error);
        }
    }
}
