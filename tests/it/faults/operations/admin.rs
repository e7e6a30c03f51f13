//! The admin API and strangers (O12).

use reqwest::{Method, StatusCode};

use crate::harness::{World, client};

#[tokio::test]
async fn o12_admin_api_is_closed_without_its_token_and_to_pages_of_browsers() {
    let world = World::start().await;
    world.card_of("ana", "dev", "guarded").await;
    let listed = world.relay.cli_ok(&["meetings", "list", "--json"]).await;
    let id = listed
        .split("\"id\"")
        .nth(1)
        .unwrap()
        .split('"')
        .nth(1)
        .unwrap()
        .to_owned();
    let base = world.relay.ports.admin_url();
    let end = format!("{base}/api/meetings/{id}/end");
    let token = std::fs::read_to_string(world.data().join("admin-token")).unwrap();
    let wrong = format!("Bearer {}x", token.trim());
    let basic = format!("Basic {}", token.trim());
    for authorization in [
        None,
        Some(""),
        Some("Bearer"),
        Some("Bearer "),
        Some(&*wrong),
        Some(&*basic),
    ] {
        for (method, url) in [
            (Method::GET, format!("{base}/api/meetings")),
            (
                Method::GET,
                format!("{base}/api/dead-letters?token={}", token.trim()),
            ),
            (Method::POST, end.clone()),
        ] {
            let mut request = client().request(method, &url);
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(
                answer.status(),
                StatusCode::UNAUTHORIZED,
                "{authorization:?} {url}"
            );
            let text = answer.text().await.unwrap();
            assert!(
                !text.contains("guarded") && !text.contains(token.trim()),
                "{text}"
            );
        }
    }
    // What a page of another origin can make a browser send: a form, with cookies, never the bearer token.
    let forged = client()
        .post(&end)
        .header("origin", "https://evil.example")
        .header("content-type", "text/plain")
        .header("cookie", format!("token={}", token.trim()))
        .body("x=1");
    assert_eq!(
        forged.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    // And its question whether it may send more is answered with no.
    let preflight = client()
        .request(Method::OPTIONS, &end)
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization");
    let answer = preflight.send().await.unwrap();
    let names: Vec<&str> = answer.headers().keys().map(|name| name.as_str()).collect();
    assert!(
        !names.iter().any(|name| name.starts_with("access-control-")),
        "{names:?}"
    );
    assert!(
        world
            .conference
            .rooms()
            .iter()
            .all(|room| room.is_running())
    );
    world.finish().await;
}
