//! Where calls go: peers that cannot be reached, redirects, other people's addresses, proxies (W5, W10, W11, W17).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use world::Fault;

use super::liar::{After, Liar};
use crate::harness::{Setup, World, client};

const UNREACHABLE: &str = r#"outcome="unreachable",target="mattermost"}"#;

/// Something that must never be called: counts who comes.
struct Trap {
    address: String,
    visits: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Trap {
    async fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let visits = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&visits);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self {
            address,
            visits,
            _serving: serving,
        }
    }

    fn assert_unvisited(&self) {
        assert_eq!(self.visits.load(Ordering::Relaxed), 0, "{}", self.address);
    }
}

/// Waits until calls to the chat server are counted as unreachable.
async fn await_unreachable(world: &World) {
    loop {
        let metrics = world.relay.metrics().await;
        let is_counted = |line: &str| line.contains(UNREACHABLE) && !line.ends_with("} 0");
        if metrics.lines().any(is_counted) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn w5_peers_that_cannot_be_reached_are_told_apart_and_tried_again() {
    let plain = Liar::start().await;
    plain.lie("HTTP/1.1 400 Bad Request\r\n\r\n", After::Close);
    let reset = Liar::start().await;
    reset.lie("", After::Reset);
    // Taken and given back: nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", closed.local_addr().unwrap());
    for (what, url) in [
        ("a name that is not there", "http://chat.invalid".to_owned()),
        ("a closed port", closed),
        ("a reset", reset.url("http")),
        ("plain HTTP on a TLS port", plain.url("https")),
    ] {
        let world = Setup::default()
            .set("MATTERMOST__URL", &url)
            .set("MATTERMOST__CALL_TIMEOUT", "1s")
            .start()
            .await;
        world.chat.say("ana", "dev", "meet now: out of reach").await;
        // The other peer's part is done.
        world.room().await;
        let counted = tokio::time::timeout(crate::harness::PATIENCE, await_unreachable(&world));
        assert!(
            counted.await.is_ok(),
            "{what}: {}",
            world.relay.last_words()
        );
        world.relay.await_metric("meetrelay_dead_letters 0").await;
        world.finish().await;
    }
}

#[tokio::test]
async fn w10_redirects_are_not_followed() {
    let trap = Trap::set().await;
    let world = Setup::default().start().await;
    let chat = &world.chat;
    let port = trap.address.split(':').nth(1).unwrap();
    let redirects = [
        (301, format!("http://{}/", trap.address)),
        (302, format!("http://{}/api/v4/posts", trap.address)),
        (303, format!("//{}/", trap.address)),
        (307, format!("http://localhost:{port}/")),
        (308, "http://169.254.169.254/latest/meta-data".to_owned()),
    ];
    let redirect = |(status, location): &(u16, String)| Fault::Answer {
        status: *status,
        body: String::new(),
        headers: vec![("location".to_owned(), location.clone())],
    };
    let channel = |peer: &str, status: u16| {
        let name = format!("{peer}-{status}");
        let kind = world::mattermost::ChannelKind::Public;
        chat.add_channel(&name, &name, kind, &["ana", "meetrelay"]);
        name
    };
    for (number, one) in redirects.iter().enumerate() {
        let channel = channel("chat", one.0);
        chat.faults().set("posts.create", redirect(one));
        chat.say("ana", &channel, "meet now: elsewhere").await;
        let line = format!("meetrelay_dead_letters {}", number + 1);
        world.relay.await_metric(&line).await;
    }
    chat.faults().clear();
    for one in &redirects {
        // plugNmeet's redirect says that its address is wrong; the person is told that no room was made.
        let channel = channel("conference", one.0);
        world.conference.faults().set("room.create", redirect(one));
        chat.say("ana", &channel, "meet now: elsewhere").await;
        let card = world.card(&channel, "").await;
        world
            .see("the refusal", |chat| {
                let shown = chat.post(&card.id)?.attachments()[0].to_string();
                (!shown.contains("Join the meeting") && shown.contains("ref ")).then_some(())
            })
            .await;
        world.conference.faults().clear();
    }
    assert_eq!(world.conference.rooms().len(), redirects.len());
    trap.assert_unvisited();
    world.finish().await;
}

/// Rebinding needs a name that somebody else chose. The relay calls names of its configuration alone, private
/// addresses among them, because that is where peers live; so what is shown is that no address of a body is called.
#[tokio::test]
async fn w11_no_address_of_a_request_is_ever_called() {
    let trap = Trap::set().await;
    let world = World::start().await;
    let url = format!(
        "http://{}/hooks/commands/abcdefghijklmnopqrstuvwxyz",
        trap.address
    );
    let form = [
        ("token", world.command_token.as_str()),
        ("channel_id", &world.chat.channel("dev").id),
        ("channel_name", "dev"),
        ("user_id", &world.chat.user("ana").id),
        ("user_name", "ana"),
        ("text", "start Elsewhere"),
        ("response_url", &url),
        ("site_url", &url),
    ];
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let to = format!("{}/mattermost/command", world.relay.ports.public_url());
    let answer = client()
        .post(to)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("host", trap.address.as_str())
        .header("x-forwarded-host", trap.address.as_str())
        .header("referer", &url)
        .body(form)
        .send()
        .await
        .unwrap();
    let answer = answer.text().await.unwrap();
    assert!(
        answer.contains("/join/") && !answer.contains(&trap.address),
        "{answer}"
    );
    world.card("dev", "Elsewhere").await;
    // Told a second time it would be answered late, through the response URL.
    let lost = r#"meetrelay_answers_lost_total{reason="foreign_response_url"} 1"#;
    world.relay.await_metric(lost).await;
    trap.assert_unvisited();
    world.finish().await;
}

#[tokio::test]
async fn w17_proxies_of_the_environment_are_not_used() {
    let trap = Trap::set().await;
    let proxy = format!("http://{}", trap.address);
    let mut setup = Setup::default();
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        setup = setup.variable(name, &proxy);
    }
    let world = setup.variable("NO_PROXY", "").start().await;
    world.chat.say("ana", "dev", "meet now: directly").await;
    world.card("dev", "directly").await;
    trap.assert_unvisited();
    world.finish().await;
}
