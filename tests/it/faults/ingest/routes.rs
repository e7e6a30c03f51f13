//! Methods and paths that are not there (I11).

use super::door::{Door, FORM, OUTGOING};
use super::raw::request;

#[tokio::test]
async fn i11_wrong_methods_and_paths_are_refused_alike() {
    let door = Door::open().await;
    for (method, path) in [
        ("GET", OUTGOING),
        ("PUT", OUTGOING),
        ("BREW", "/mattermost/command"),
        ("DELETE", "/api/mattermost/command"),
        ("GET", "/plugnmeet/webhook"),
        ("POST", "/healthz"),
        ("DELETE", "/join/CANARY"),
        ("POST", "/artifact/CANARY"),
    ] {
        let answer = door.refuses(path, request(method, path, "", ""), 405).await;
        assert!(answer.text.contains("\r\nallow: "), "{}", answer.text);
    }
    let form = format!("Content-Type: {FORM}\r\n");
    let mut shapes = Vec::new();
    for path in [
        "/",
        "/CANARY",
        "/mattermost",
        "/mattermost/",
        "/mattermost/outgoing/CANARY",
        "/mattermost%2foutgoing",
        "/mattermost/%6futgoing/x",
        "/mattermost/../mattermost/outgoing",
        "/MATTERMOST/OUTGOING",
        "/join/../../etc/passwd",
        "/join/%2e%2e%2fetc%2fpasswd",
        "/artifact/a/b",
        "/metrics",
        "/readyz",
        "/api/meetings",
        "/api/dead-letters",
        "/hooks/CANARY",
    ] {
        for method in ["GET", "POST"] {
            let asked = request(method, path, &form, door.form(&[]));
            let answer = door.say(asked).await;
            assert_eq!(answer.status, 404, "{method} {path}: {:.500}", answer.text);
            assert!(answer.is_closed);
            door.assert_quiet(path, &answer.text);
            shapes.push(answer.shape());
        }
    }
    // Neither does a link of a good form say whether it was ever given out.
    for path in [
        "/join/CANARY",
        "/join/AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "/artifact/CANARY",
    ] {
        let answer = door.say(request("GET", path, "", "")).await;
        assert_eq!(answer.status, 404, "{path}");
        shapes.push(answer.shape());
    }
    let is_same = shapes.iter().all(|shape| *shape == shapes[0]);
    assert!(is_same, "nothing tells one from another: {shapes:#?}");
    door.ends().await;
}
