//! Bad input at the real binary: the right status, nothing stored, nothing secret said.

use reqwest::{Method, StatusCode};

use crate::harness::{World, client};

struct Case {
    what: &'static str,
    method: Method,
    path: &'static str,
    content_type: Option<&'static str>,
    body: Vec<u8>,
    status: u16,
}

fn case(what: &'static str, path: &'static str, body: &str, status: u16) -> Case {
    let content_type = Some("application/x-www-form-urlencoded");
    Case {
        what,
        method: Method::POST,
        path,
        content_type,
        body: body.into(),
        status,
    }
}

#[tokio::test]
async fn bad_requests_get_their_status_and_change_nothing() {
    let world = World::start().await;
    let http = client();
    let json = Some("application/json");
    let cases = [
        case("no token", "/mattermost/outgoing", "text=meet", 401),
        case(
            "wrong token",
            "/mattermost/outgoing",
            "token=nope&text=meet",
            401,
        ),
        case(
            "command without token",
            "/mattermost/command",
            "text=start",
            401,
        ),
        Case {
            content_type: json,
            ..case("broken JSON", "/mattermost/outgoing", "{", 400)
        },
        Case {
            content_type: json,
            ..case("a JSON list", "/mattermost/outgoing", "[]", 400)
        },
        Case {
            content_type: Some("text/plain"),
            ..case("plain text", "/mattermost/outgoing", "meet", 415)
        },
        Case {
            method: Method::GET,
            ..case("GET", "/mattermost/outgoing", "", 405)
        },
        Case {
            method: Method::DELETE,
            ..case("DELETE", "/plugnmeet/webhook", "", 405)
        },
        Case {
            content_type: json,
            ..case("unsigned webhook", "/plugnmeet/webhook", "{}", 401)
        },
        case("unknown path", "/mattermost/none", "", 404),
        case("path traversal", "/join/../../etc/passwd", "", 404),
        Case {
            method: Method::GET,
            ..case("forged join link", "/join/abc.def", "", 404)
        },
        Case {
            method: Method::GET,
            ..case("forged artifact link", "/artifact/abc.def", "", 404)
        },
        Case {
            method: Method::GET,
            ..case("health", "/healthz", "", 200)
        },
    ];
    for case in cases {
        let url = format!("{}{}", world.relay.ports.public_url(), case.path);
        let mut request = http.request(case.method, url).body(case.body);
        if let Some(content_type) = case.content_type {
            request = request.header("content-type", content_type);
        }
        let answer = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", case.what));
        let status = StatusCode::from_u16(case.status).unwrap();
        assert_eq!(answer.status(), status, "{}", case.what);
        let body = answer.text().await.unwrap();
        assert!(body.len() < 20_000, "{}: a short text", case.what);
        assert!(
            !body.contains("nope"),
            "{}: the token is not repeated",
            case.what
        );
    }
    let metrics = http
        .get(format!("{}/metrics", world.relay.ports.admin_url()))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let accepted: f64 = metrics
        .lines()
        .filter(|line| line.starts_with("meetrelay_triggers_accepted_total"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert_eq!(accepted, 0.0, "nothing was accepted");
    assert_eq!(world.chat.calls("posts.create"), 0);
    world.finish().await;
}

#[tokio::test]
async fn unknown_subcommand_is_answered_with_help() {
    let world = World::start().await;
    let answer = world
        .chat
        .command("ana", "dev", "/plugnmeet dance", None)
        .await;
    assert_eq!(
        answer.status, 200,
        "an unknown subcommand is answered with help: {answer:?}"
    );
    assert!(answer.text.contains("/plugnmeet start"), "{}", answer.text);
    world.finish().await;
}
