//! How long a peer asks to wait, in every spelling (W2).

use std::time::Duration;

use world::Fault;
use world::mattermost::ChannelKind;

use crate::harness::Setup;

fn busy(retry_after: &str) -> Fault {
    Fault::Answer {
        status: 503,
        body: r#"{"id":"api.context.busy.app_error","message":"Busy.","detailed_error":"","request_id":"x","status_code":503}"#.to_owned(),
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("retry-after".to_owned(), retry_after.to_owned()),
        ],
    }
}

#[tokio::test]
async fn w2_retry_after_in_every_spelling_delays_as_long_as_is_allowed_and_never_gives_up() {
    let world = Setup::default()
        .set("RETRY__HINT_MAX", "2s")
        .set("BREAKER__FAILURES", "1000")
        .start()
        .await;
    // The schedule of these tests begins with at most 100 ms.
    for (number, (hint, least)) in [
        ("1", 1000),
        ("1.5", 1500),
        ("86400", 2000),
        ("1e99", 2000),
        ("Tue, 31 Dec 2999 23:59:59 GMT", 2000),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
        ("-1", 0),
        ("soon", 0),
        ("", 0),
        ("0", 0),
    ]
    .into_iter()
    .enumerate()
    {
        let channel = format!("wait-{number}");
        let people = ["ana", "meetrelay"];
        let chat = &world.chat;
        let id = chat.add_channel(&channel, &channel, ChannelKind::Public, &people);
        chat.faults().next("posts.create", 1, busy(hint));
        chat.say("ana", &channel, "meet now: when there is room")
            .await;
        world.card(&channel, "when there is room").await;
        let tried: Vec<i64> = chat
            .requests()
            .into_iter()
            .filter(|request| request.operation == "posts.create" && request.body.contains(&id))
            .map(|request| request.at_ms)
            .collect();
        assert_eq!(tried.len(), 2, "{hint:?}");
        let waited = Duration::from_millis((tried[1] - tried[0]).unsigned_abs());
        let least = Duration::from_millis(least);
        // Clocks of whole milliseconds, and a machine with other work.
        assert!(
            waited + Duration::from_millis(20) >= least,
            "{hint:?}: {waited:?}"
        );
        assert!(
            waited < least + Duration::from_secs(5),
            "{hint:?}: {waited:?}"
        );
        assert_eq!(world.cards(&channel).len(), 1);
    }
    world.relay.await_metric("meetrelay_dead_letters 0").await;
    world.finish().await;
}
