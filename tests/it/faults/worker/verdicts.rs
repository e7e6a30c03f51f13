//! Which answers are final, and which only delay (W3, W4).

use world::Fault;
use world::mattermost::ChannelKind;

use crate::harness::{BackEnd, Setup};

fn says(status: u16) -> Fault {
    let body = format!(
        r#"{{"id":"app.some.app_error","message":"No.","detailed_error":"","request_id":"x","status_code":{status}}}"#
    );
    Fault::Answer {
        status,
        body,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
    }
}

fn setup() -> Setup {
    Setup::default().set("BREAKER__FAILURES", "1000")
}

#[tokio::test]
async fn w3_final_answers_make_a_dead_letter_at_once_and_passing_ones_do_not() {
    let world = setup().start().await;
    let mut letters = 0;
    for (status, is_final) in [
        (400, true),
        (409, true),
        (410, true),
        (413, true),
        (422, true),
        (408, false),
        (425, false),
        (429, false),
    ] {
        let channel = format!("says-{status}");
        let people = ["ana", "meetrelay"];
        let chat = &world.chat;
        let id = chat.add_channel(&channel, &channel, ChannelKind::Public, &people);
        let times = if is_final { 1000 } else { 2 };
        chat.faults().next("posts.create", times, says(status));
        chat.say("ana", &channel, "meet now: a verdict").await;
        if is_final {
            letters += 1;
            let line = format!("meetrelay_dead_letters {letters}");
            world.relay.await_metric(&line).await;
            chat.faults().clear();
            let tried = chat.requests().into_iter();
            let tried =
                tried.filter(|one| one.operation == "posts.create" && one.body.contains(&id));
            assert_eq!(tried.count(), 1, "{status} is asked once");
        } else {
            world.card(&channel, "a verdict").await;
        }
        assert_eq!(world.cards(&channel).len(), usize::from(!is_final));
    }
    world.finish().await;
}

#[tokio::test]
async fn w4_failures_of_a_server_are_tried_again_with_growing_pauses_and_no_count() {
    // RabbitMQ's shortest delay is 2 s, and twenty of them are long.
    let world = setup().back_end(BackEnd::Embedded).start().await;
    let chat = &world.chat;
    for status in [500, 502, 503, 504, 520] {
        chat.faults().next("posts.create", 4, says(status));
    }
    let id = chat.channel("dev").id;
    chat.say("ana", "dev", "meet now: at last").await;
    // Twenty failures: more than `retry.attempts_max`, which counts for other answers.
    world.card("dev", "at last").await;
    let tried: Vec<i64> = chat
        .requests()
        .into_iter()
        .filter(|one| one.operation == "posts.create" && one.body.contains(&id))
        .map(|one| one.at_ms)
        .collect();
    assert_eq!(tried.len(), 21, "{tried:?}");
    let pauses: Vec<i64> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (first, last) = (&pauses[..5], &pauses[15..]);
    assert!(
        first.iter().sum::<i64>() < last.iter().sum(),
        "they grow: {pauses:?}"
    );
    // `retry.unavailable_max` is 1 s here; jitter adds at most half of it.
    assert!(
        pauses.iter().all(|pause| *pause < 4000),
        "and are bounded: {pauses:?}"
    );
    assert_eq!(world.cards("dev").len(), 1);
    world.relay.await_metric("meetrelay_dead_letters 0").await;
    world.finish().await;
}
