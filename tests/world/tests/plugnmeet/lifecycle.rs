//! Joining, leaving and ending; the client page and the demo's verbs.

use serde_json::{Value, json};
use world::plugnmeet::{Options, Phase};

use crate::receiver::Receiver;
use crate::recorded::{call, client, create, get, read};
use crate::{DEADLINE, fast, start};

async fn token(
    fake: &world::plugnmeet::FakePlugNmeet,
    room_id: &str,
    name: &str,
    user_id: &str,
) -> String {
    let body =
        json!({"room_id": room_id, "user_info": {"name": name, "user_id": user_id}}).to_string();
    let reply = call(fake, "/auth/room/getJoinToken", &body).await.json();
    reply["token"]
        .as_str()
        .unwrap_or_else(|| panic!("{reply}"))
        .to_owned()
}

#[tokio::test]
async fn the_page_joins_with_a_token_and_its_buttons_leave_and_end() {
    let fake = fast().await;
    create(&fake, "mm-page", None).await;
    let token = token(&fake, "mm-page", "Bob <b>", "bob").await;
    let page = get(&format!("{}/?access_token={token}", fake.url())).await;
    assert!(
        page.body.contains("Bob &lt;b&gt;") && page.body.contains("mm-page"),
        "{}",
        page.body
    );
    assert_eq!(
        fake.room("mm-page").unwrap().participants,
        [("bob".to_owned(), "Bob <b>".to_owned())]
    );
    let again = get(&format!("{}/?access_token={token}", fake.url())).await;
    assert!(
        again
            .body
            .contains("notifications.room-disconnected-duplicate-entry"),
        "{}",
        again.body
    );
    let press = async |verb: &str| {
        let form = [("access_token", token.as_str())];
        read(
            client()
                .post(format!("{}/demo/{verb}", fake.url()))
                .form(&form)
                .send()
                .await
                .unwrap(),
        )
        .await
    };
    assert!(press("leave").await.body.contains("You left"));
    assert!(fake.room("mm-page").unwrap().participants.is_empty());
    assert!(press("end").await.body.contains("ends for everyone"));
    fake.wait_for("the end", DEADLINE, |fake| {
        fake.room("mm-page").unwrap().ended
    })
    .await;
}

#[tokio::test]
async fn a_bad_or_late_token_shows_the_clients_notification() {
    let fake = fast().await;
    create(&fake, "mm-late", None).await;
    let token = token(&fake, "mm-late", "Ana", "ana").await;
    assert_eq!(
        fake.join_with_token("abc"),
        Err("notifications.invalid-token")
    );
    fake.skew_clock(0);
    fake.end_room("mm-late");
    fake.wait_for("the end", DEADLINE, |fake| {
        fake.room("mm-late").unwrap().ended
    })
    .await;
    assert_eq!(
        fake.join_with_token(&token),
        Err("notifications.room-not-active")
    );
    create(&fake, "mm-late", None).await;
    assert_eq!(
        fake.join_with_token(&token),
        Err("notifications.user-info-not-found")
    );
}

#[tokio::test]
async fn a_token_expires_after_its_validity_and_a_minute_of_leeway() {
    let validity = std::time::Duration::from_secs(600);
    let fake = start(Options {
        join_token_validity: validity,
        ..Options::default()
    })
    .await;
    create(&fake, "mm-exp", None).await;
    fake.skew_clock(-630);
    let fresh = token(&fake, "mm-exp", "Ana", "ana").await;
    assert!(
        fake.join_with_token(&fresh).is_ok(),
        "30 s over is within the leeway"
    );
    fake.skew_clock(-670);
    let old = token(&fake, "mm-exp", "Bob", "bob").await;
    assert_eq!(
        fake.join_with_token(&old),
        Err("notifications.token-expired")
    );
}

#[tokio::test]
async fn minting_for_a_person_who_is_in_puts_them_out() {
    let fake = fast().await;
    let receiver = Receiver::start(Vec::new()).await;
    create(&fake, "mm-kick", Some(receiver.url())).await;
    fake.join("mm-kick", "Ana", "ana").unwrap();
    token(&fake, "mm-kick", "Ana", "ana").await;
    fake.settle_webhooks(DEADLINE).await;
    assert!(
        receiver
            .one("participant_left")
            .body
            .contains("PARTICIPANT_REMOVED")
    );
}

#[tokio::test]
async fn the_last_leave_ends_the_room_with_room_finished_first() {
    let fake = fast().await;
    let receiver = Receiver::start(Vec::new()).await;
    create(&fake, "mm-leave", Some(receiver.url())).await;
    fake.join("mm-leave", "Ana", "ana").unwrap();
    fake.leave("mm-leave", "ana");
    fake.wait_for("the end", DEADLINE, |fake| {
        fake.room("mm-leave").unwrap().ended
    })
    .await;
    fake.settle_webhooks(DEADLINE).await;
    assert_eq!(
        receiver.events()[3..],
        ["participant_left", "room_finished", "session_ended"]
    );
}

#[tokio::test]
async fn a_return_in_time_keeps_the_room() {
    let departure_timeout = std::time::Duration::from_millis(300);
    let fake = start(Options {
        departure_timeout,
        ..Options::default()
    })
    .await;
    create(&fake, "mm-back", None).await;
    fake.join("mm-back", "Ana", "ana").unwrap();
    fake.leave("mm-back", "ana");
    fake.join("mm-back", "Ana", "ana").unwrap();
    tokio::time::sleep(departure_timeout * 2).await;
    assert_eq!(fake.room("mm-back").unwrap().phase, Phase::Running);
}

#[tokio::test]
async fn a_full_room_lets_nobody_in() {
    let fake = fast().await;
    let metadata = json!({"room_title": "T", "room_features": {}});
    let body =
        json!({"room_id": "mm-full", "max_participants": 1, "metadata": metadata}).to_string();
    call(&fake, "/auth/room/create", &body).await;
    fake.join("mm-full", "Ana", "ana").unwrap();
    assert_eq!(
        fake.join("mm-full", "Bob", "bob"),
        Err("notifications.max-num-participates-exceeded")
    );
}

#[tokio::test]
async fn the_demo_verbs_work_over_http_from_another_origin() {
    let fake = fast().await;
    create(&fake, "mm-demo", None).await;
    let post = async |verb: &str, body: Value| {
        let request = client()
            .post(format!("{}/demo/{verb}", fake.url()))
            .json(&body);
        let reply = request.send().await.unwrap();
        assert_eq!(reply.headers()["access-control-allow-origin"], "*");
        read(reply).await.json()
    };
    let room = json!({"room_id": "mm-demo", "name": "Ana", "user_id": "ana"});
    for verb in [
        "join",
        "recording",
        "summary",
        "transcript",
        "analytics",
        "leave",
        "end",
    ] {
        assert_eq!(post(verb, room.clone()).await["status"], true, "{verb}");
    }
    assert_eq!(
        post("end", json!({"room_id": "mm-none"})).await["status"],
        false
    );
    fake.wait_for("the end", DEADLINE, |fake| {
        fake.room("mm-demo").unwrap().ended
    })
    .await;
    let rooms = get(&format!("{}/demo/rooms", fake.url())).await.json();
    assert_eq!(
        (&rooms[0]["room_id"], &rooms[0]["phase"]),
        (&"mm-demo".into(), &"ended".into())
    );
    fake.unexpected().assert_none();
}
