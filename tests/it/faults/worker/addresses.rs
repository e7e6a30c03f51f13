//! Peers that cannot be reached, and proxies that must not be (W5, W17). Redirects and addresses in bodies: ssrf.rs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::liar::{After, Liar};
use crate::harness::{Setup, World};

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
async fn await_unreachable(world: &World, what: &str) {
    let is_counted = |line: &str| line.contains(UNREACHABLE) && !line.ends_with("} 0");
    let what = format!("calls that are counted as unreachable: {what}");
    let counted = world.relay.eventually(&what, async || {
        let metrics = world.relay.metrics().await;
        metrics.lines().any(is_counted).then_some(())
    });
    counted.await;
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
        await_unreachable(&world, what).await;
        world.relay.await_metric("meetrelay_dead_letters 0").await;
        world.finish().await;
    }
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
    world.card_of("ana", "dev", "directly").await;
    trap.assert_unvisited();
    world.finish().await;
}
