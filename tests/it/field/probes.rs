//! What load balancers and monitors ask.

use crate::harness::{World, client};

#[tokio::test]
async fn f12_head_is_answered_as_get_without_a_body() {
    let world = World::start().await;
    let ports = world.relay.ports;
    let (admin, public) = (ports.admin_url(), ports.public_url());
    for url in [
        format!("{admin}/livez"),
        format!("{admin}/readyz"),
        format!("{admin}/readyz?verbose"),
        format!("{admin}/startupz"),
        format!("{admin}/metrics"),
        format!("{public}/healthz"),
    ] {
        let got = client().get(&url).send().await.unwrap();
        assert_eq!(got.status(), 200, "GET {url}");
        let headed = client().head(&url).send().await.unwrap();
        assert_eq!(headed.status(), 200, "HEAD {url}");
        assert_eq!(
            headed.headers().get("content-type"),
            got.headers().get("content-type"),
            "{url}"
        );
        assert_eq!(headed.bytes().await.unwrap().len(), 0, "HEAD {url}");
    }
    for path in ["/api/meetings", "/nowhere"] {
        let url = format!("{admin}{path}");
        let got = client().get(&url).send().await.unwrap();
        let headed = client().head(&url).send().await.unwrap();
        assert_eq!(headed.status(), got.status(), "{url}");
    }
    world.finish().await;
}
