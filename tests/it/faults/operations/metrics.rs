//! Strangers cannot make series (O9): labels come from closed sets.

use std::collections::BTreeSet;

use reqwest::Method;

use crate::harness::{World, client};

async fn series(world: &World) -> BTreeSet<String> {
    let url = format!("{}/metrics", world.relay.ports.admin_url());
    let text = client()
        .get(url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[tokio::test]
async fn o9_random_paths_methods_headers_and_names_make_no_new_series() {
    let world = World::start().await;
    let before = series(&world).await;
    let http = client();
    let base = world.relay.ports.public_url();
    let join = format!("{base}/join");
    for number in 0..60 {
        let method = Method::from_bytes(format!("CANARY{number}").as_bytes()).unwrap();
        for (method, url) in [
            (Method::GET, format!("{base}/canary-{number}")),
            (Method::GET, format!("{join}/canary-{number}")),
            (
                Method::POST,
                format!("{base}/mattermost/outgoing?canary={number}"),
            ),
            (method, format!("{base}/plugnmeet/webhook")),
        ] {
            let request = http
                .request(method, url)
                .header("user-agent", format!("canary-{number}"))
                .header("host", format!("canary-{number}.example"))
                .header("content-type", format!("canary/{number}"))
                .header("traceparent", format!("canary-{number}"))
                .body(format!("token=canary-{number}"));
            request.send().await.unwrap();
        }
    }
    world.card_of("ana", "dev", "canary").await;
    let after = series(&world).await;
    let new: Vec<&String> = after.difference(&before).collect();
    assert_eq!(new, Vec::<&String>::new());
    assert!(!after.iter().any(|name| name.contains("canary")));
    world.finish().await;
}
