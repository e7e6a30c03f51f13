//! Clocks that differ or jump (I17), and secrets that change while links and signatures are about (I19).

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;
use world::plugnmeet::sign_webhook;

use crate::harness::{Setup, World, client};

/// A relay whose clock the test holds.
struct Clock {
    _folder: TempDir,
    file: PathBuf,
}

impl Clock {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("offset");
        Self {
            _folder: folder,
            file,
        }
    }

    fn setup(&self) -> Setup {
        Setup::default().variable("MEETRELAY_CLOCK_FILE", self.file.to_str().unwrap())
    }

    /// The relay's clock is so far ahead of the world's.
    fn set_ahead(&self, seconds: i64) {
        // In one step: the relay must never read a half.
        let next = self.file.with_extension("next");
        std::fs::write(&next, (seconds * 1000).to_string()).unwrap();
        std::fs::rename(next, &self.file).unwrap();
    }
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

/// An event of a room that the relay does not know: taken with 200, no more.
fn foreign_event(id: &str) -> String {
    format!(
        r#"{{"event":"participant_joined","room":{{"sid":"SID-{id}","identity":"foreign-{id}","metadata":"{{}}"}},"participant":{{"sid":"PA-{id}","identity":"u"}},"id":"EV-{id}","created_at":"{}"}}"#,
        now()
    )
}

/// Sends an event that was signed with `secret` at `signed_at`; the status of the answer.
async fn send(world: &World, id: &str, secret: &str, signed_at: i64) -> u16 {
    let body = foreign_event(id);
    let key = &world.conference.options().api_key;
    let token = sign_webhook(key, secret, body.as_bytes(), signed_at);
    let url = format!("{}/plugnmeet/webhook", world.relay.ports.public_url());
    let request = client()
        .post(url)
        .header("content-type", "application/webhook+json")
        .header("hash-token", token)
        .body(body);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn i17_webhooks_are_taken_within_the_tolerance_of_clocks_and_refused_beyond() {
    let clock = Clock::new();
    let world = clock.setup().start().await;
    let secret = world.conference.options().api_secret.clone();
    // A signature is good for 5 min, and clocks may differ by 1 min.
    for (ahead, status) in [
        (0, 200),
        (30, 200),
        (-30, 200),
        (4 * 60, 200),
        (-4 * 60, 401),
        (10 * 60, 401),
        (-10 * 60, 401),
        (0, 200),
    ] {
        clock.set_ahead(ahead);
        let answer = send(&world, &format!("a{ahead}"), &secret, now()).await;
        assert_eq!(answer, status, "the relay's clock is {ahead} s ahead");
    }
    clock.set_ahead(0);
    world.finish().await;
}

#[tokio::test]
async fn i17_clock_that_jumps_back_stops_no_work_and_doubles_none() {
    let clock = Clock::new();
    // An hour wrong at the start, until somebody sets it.
    clock.set_ahead(3600);
    let world = clock.setup().start().await;
    let card = world.card_of("ana", "dev", "before the jump").await;
    clock.set_ahead(0);
    world.conference.double_webhooks("", None);
    let room = world.room().await;
    world.join(&room, "Ana");
    world.card_of("ana", "weekly", "after the jump").await;
    assert!(world.conference.end_room(&room.room_id));
    world
        .see("the end", |chat| {
            let post = chat.post(&card.id)?;
            (!post.attachments()[0]
                .to_string()
                .contains("Join the meeting"))
            .then_some(())
        })
        .await;
    assert_eq!(world.cards("dev").len(), 1);
    assert_eq!(world.cards("weekly").len(), 1);
    let log = world.relay.log();
    assert!(!log.contains("panicked"), "{log}");
    world.finish().await;
}

/// Posts one form of an outgoing webhook that starts nothing; the status of the answer.
async fn outgoing(world: &World, token: &str) -> u16 {
    let form = [
        ("token", token),
        ("team_id", "c99rtnz5rtdspqciuhuyz7sjwr"),
        ("team_domain", "eng"),
        ("channel_id", "xhdff4b1sbnh7dhtep45om9fjh"),
        ("channel_name", "dev"),
        ("user_id", "xbmhqyui6ffwj83c5jue3k39wy"),
        ("user_name", "alice"),
        ("post_id", "qjtrt465cbfymx6kwqszs7nh1w"),
        ("text", "hello"),
    ];
    let url = format!("{}/mattermost/outgoing", world.relay.ports.public_url());
    let answer = client().post(url).form(&form).send().await;
    answer.unwrap().status().as_u16()
}

#[tokio::test]
async fn i19_old_and_new_tokens_hold_during_the_overlap_and_the_old_one_ends_with_it() {
    let mut world = World::start().await;
    let set = |tokens: &'static str| {
        move |text: String| {
            let lines = text.lines().map(|line| match line.split_once(" = ") {
                Some(("outgoing_tokens", _)) => format!("outgoing_tokens = {tokens}"),
                _ => line.to_owned(),
            });
            lines.collect::<Vec<_>>().join("\n")
        }
    };
    let steps = [
        (r#"["the-old-one"]"#, 200, 401),
        (r#"["the-old-one", "the-new-one"]"#, 200, 200),
        (r#"["the-new-one"]"#, 401, 200),
    ];
    for (tokens, old, new) in steps {
        world.relay.configure(set(tokens));
        assert!(world.relay.reload().await, "{tokens}");
        assert_eq!(outgoing(&world, "the-old-one").await, old, "old, {tokens}");
        assert_eq!(outgoing(&world, "the-new-one").await, new, "new, {tokens}");
    }
    world.finish().await;
}

#[tokio::test]
async fn i19_webhooks_of_both_api_secrets_are_taken_during_the_overlap_and_calls_signed_with_the_new()
 {
    let mut world = World::start().await;
    let now_in_use = world.conference.options().api_secret.clone();
    let line = format!("api_secret = {now_in_use:?}");
    let (new, both) = (
        now_in_use.as_str(),
        format!("{line}\nprevious_api_secrets = [\"the-old-one\"]"),
    );
    assert_eq!(send(&world, "1", "the-old-one", now()).await, 401);
    world.relay.configure(|text| text.replace(&line, &both));
    assert!(world.relay.reload().await);
    assert_eq!(send(&world, "2", "the-old-one", now()).await, 200);
    assert_eq!(send(&world, "3", new, now()).await, 200);
    // The fake takes calls of the one secret only.
    world.card_of("ana", "dev", "signed anew").await;
    world.relay.configure(|text| text.replace(&both, &line));
    assert!(world.relay.reload().await);
    assert_eq!(send(&world, "4", "the-old-one", now()).await, 401);
    assert_eq!(send(&world, "5", new, now()).await, 200);
    world.finish().await;
}

/// The address of the join link on a card, as people open it.
fn join_link(post: &world::mattermost::Post) -> String {
    let text = post.attachments()[0].to_string();
    let at = text.find("/join/").expect("a card has a link");
    let token: String = text[at..]
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_'))
        .collect();
    token
}

async fn open(world: &World, path: &str) -> u16 {
    let url = format!("{}{path}", world.relay.ports.public_url());
    client().get(url).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn i19_links_of_every_earlier_signing_secret_stay_good_until_that_is_dropped() {
    let mut world = World::start().await;
    // Without a configured secret: signed with the one that the relay made for itself.
    world.chat.say("ana", "dev", "meet now: first").await;
    let first = join_link(&world.card("dev", "first").await);
    let with = |present: &str, previous: &str| {
        format!(
            "[server]\nsigning_secret = \"{present}\"\nprevious_signing_secrets = [{previous}]\n"
        )
    };
    let [one, two] = ["one", "two"].map(|name| format!("secret-{name}-of-32-bytes-and-some-more"));
    let before = std::cell::RefCell::new("[server]\n".to_owned());
    let set = |next: String| {
        let last = before.replace(next.clone());
        move |text: String| text.replacen(&last, &next, 1)
    };
    world.relay.configure(set(with(&one, "")));
    assert!(world.relay.reload().await);
    assert_eq!(open(&world, &first).await, 200, "its own secret counts on");
    world.chat.say("ana", "weekly", "meet now: second").await;
    let second = join_link(&world.card("weekly", "second").await);
    world
        .relay
        .configure(set(with(&two, &format!("\"{one}\""))));
    assert!(world.relay.reload().await);
    for link in [&first, &second] {
        assert_eq!(open(&world, link).await, 200, "{link}");
    }
    world.relay.configure(set(with(&two, "")));
    assert!(world.relay.reload().await);
    assert_eq!(open(&world, &second).await, 404, "its secret is dropped");
    assert_eq!(open(&world, &first).await, 200, "its own secret counts on");
    // A restart finds the same.
    world.relay.stop().await;
    world.relay.start_again().await;
    assert_eq!(open(&world, &first).await, 200);
    assert_eq!(open(&world, &second).await, 404);
    world.finish().await;
}
