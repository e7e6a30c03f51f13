#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

pub(super) mod fakes;

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;
use warp::http::StatusCode;

use super::*;
use crate::ports::{DeadFilter, DeadKind, PublishError};
use crate::telemetry::metrics::labels::Check;
use fakes::bench;

#[tokio::test]
async fn readiness_needs_the_queue_and_no_drain_but_no_peer() {
    let bench = bench();
    assert_eq!(
        bench.get("/readyz").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    bench.readiness.set(Check::Queue, true);
    let (status, text) = bench.get("/readyz?verbose").await;
    assert_eq!(status, StatusCode::OK);
    insta::assert_snapshot!(text, @r"
    [+] queue ok
    [-] amqp_publisher failed (not needed to be ready)
    [-] amqp_consumer failed (not needed to be ready)
    [-] spool failed (not needed to be ready)
    [-] store failed (not needed to be ready)
    [-] mattermost failed (not needed to be ready)
    [-] plugnmeet failed (not needed to be ready)
    [+] not_draining ok
    ok
    ");
    bench.readiness.set(Check::NotDraining, false);
    assert_eq!(
        bench.get("/readyz").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let (_, metrics) = bench.get("/metrics").await;
    assert!(
        metrics.contains("meetrelay_ready{check=\"queue\"} 1\n"),
        "{metrics}"
    );
    assert!(metrics.contains("meetrelay_draining 1\n"), "{metrics}");
}

#[tokio::test]
async fn liveness_and_startup_are_reported() {
    let bench = bench();
    assert_eq!(bench.get("/livez").await.0, StatusCode::OK);
    assert_eq!(
        bench.get("/startupz").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    bench.readiness.mark_started();
    assert_eq!(bench.get("/startupz").await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn process_is_alive_while_its_loops_turn() {
    let second = std::time::Duration::from_secs(1);
    let bench = bench();
    tokio::time::advance(100 * second).await;
    let starting = bench.get("/livez").await.0;
    assert_eq!(starting, StatusCode::OK, "a long start counts as alive");
    bench.readiness.mark_started();
    for _ in 0..10 {
        tokio::time::advance(20 * second).await;
        assert_eq!(bench.get("/livez").await.0, StatusCode::OK);
        bench.readiness.beat();
    }
    tokio::time::advance(30 * second).await;
    let silent = bench.get("/livez").await.0;
    assert_eq!(silent, StatusCode::SERVICE_UNAVAILABLE);
    bench.readiness.beat();
    assert_eq!(bench.get("/livez").await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_api_is_closed_without_the_token() {
    let bench = bench();
    for header in [None, Some("Bearer "), Some("Bearer 0000"), Some("Basic x")] {
        let mut request = warp::test::request().path("/api/meetings");
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let reply = request.reply(&bench.routes()).await;
        assert_eq!(reply.status(), StatusCode::UNAUTHORIZED, "{header:?}");
        assert_eq!(reply.headers()["www-authenticate"], "Bearer");
    }
    assert_eq!(bench.api("GET", "/api/meetings").await.0, StatusCode::OK);
}

#[tokio::test]
async fn wrong_paths_and_methods_have_their_status() {
    let bench = bench();
    for (method, path, status) in [
        ("GET", "/nowhere", 404),
        ("POST", "/metrics", 405),
        ("GET", "/api/nowhere", 404),
        ("DELETE", "/api/meetings", 405),
        ("GET", "/api/dead-letters/x/replay", 405),
        ("GET", "/api/meetings?limit=0", 400),
        ("GET", "/api/meetings?limit=501", 400),
        ("GET", "/api/meetings/no-uuid", 404),
        ("GET", "/api/meetings/no%20id", 400),
        ("GET", "/api/dead-letters/%FF", 400),
    ] {
        let (found, body) = bench.api(method, path).await;
        assert_eq!(found.as_u16(), status, "{method} {path}: {body}");
        assert!(body["error"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn running_meetings_are_listed_and_all_on_demand() {
    let bench = bench();
    let (_, running) = bench.api("GET", "/api/meetings?limit=3").await;
    assert_eq!(
        running["meetings"][0]["title"],
        "running only: true, limit 3"
    );
    assert_eq!(
        running["meetings"][0]["requested_at"],
        "2026-01-01T00:00:00.000Z"
    );
    let (_, all) = bench.api("GET", "/api/meetings?all").await;
    assert_eq!(all["meetings"][0]["title"], "running only: false, limit 50");
}

#[tokio::test]
async fn a_meeting_is_shown_whole_and_without_its_response_url() {
    let bench = bench();
    let id = fakes::MEETING;
    let (status, meeting) = bench.api("GET", &format!("/api/meetings/{id}")).await;
    assert_eq!(status, StatusCode::OK, "{meeting}");
    assert_eq!(meeting["id"], id);
    assert_eq!(meeting["state"], "creating");
    assert_eq!(meeting["requests"][0]["by"], "ana");
    assert_eq!(meeting["requests"][0]["via"], "slash_command");
    assert_eq!(meeting["history"][0]["event"], "meeting_requested");
    assert!(!meeting.to_string().contains("CANARY"), "{meeting}");
    let (status, done) = bench.api("POST", &format!("/api/meetings/{id}/end")).await;
    assert_eq!(
        (status, &done["done"]),
        (StatusCode::OK, &Value::from("end ordered"))
    );
    assert_eq!(bench.done(), [format!("end {id} by unknown")]);
    assert_eq!(bench.published(), ["end_ordered"]);
    let other = "/api/meetings/01900000-0000-7000-8000-000000000001";
    assert_eq!(bench.api("GET", other).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn dead_letters_are_shown_without_secrets() {
    let bench = bench();
    let (_, list) = bench.api("GET", "/api/dead-letters").await;
    assert_eq!(list["total"], 3);
    assert_eq!(list["dead_letters"][0]["kind"], "job");
    let (_, letter) = bench.api("GET", "/api/dead-letters/a%2Fjob:1").await;
    assert_eq!(letter["message"]["key"], "command:[redacted]");
    assert_eq!(letter["message"]["fact"]["via"]["hook"], "[redacted]");
    assert_eq!(letter["message"]["list"][0]["response_url"], "[redacted]");
    assert_eq!(letter["message"]["key"], "command:[redacted]");
    assert_eq!(letter["message"]["fact"]["title"], "weekly");
    assert!(!letter.to_string().contains("CANARY"), "{letter}");
    let (_, unreadable) = bench.api("GET", "/api/dead-letters/garbage").await;
    assert_eq!(unreadable["message"], Value::Null);
    assert_eq!(unreadable["bytes"], 3);
}

#[tokio::test]
async fn dead_letters_are_replayed_and_discarded_and_refusals_have_their_status() {
    let bench = bench();
    let path = |act: &str| format!("/api/dead-letters/late/{act}");
    let replayed = bench.api("POST", &path("replay")).await.1;
    assert_eq!(replayed["done"], "replayed");
    let hint = replayed["hint"].as_str().unwrap();
    assert!(hint.starts_with("the request is 1h older"), "{hint}");
    assert_eq!(
        bench.api("POST", &path("discard")).await.1["done"],
        "discarded"
    );
    let now = bench.api("POST", &path("replay?now")).await.1;
    assert_eq!(now["hint"], Value::Null, "{now}");
    assert_eq!(
        bench.done(),
        [
            "replay late by unknown",
            "discard late by unknown",
            "replay late by unknown"
        ]
    );
    assert_eq!(bench.published(), ["meeting_requested"; 2]);
    let missing = bench.api("POST", "/api/dead-letters/none/replay").await;
    assert_eq!(missing.0, StatusCode::NOT_FOUND);
    let unreadable = bench.api("POST", "/api/dead-letters/garbage/replay").await;
    assert_eq!(unreadable.0, StatusCode::CONFLICT);
    bench.fail_publishing(PublishError::Full("disk".to_owned()));
    let (status, refusal) = bench.api("POST", &path("replay")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let why = refusal["error"].as_str().unwrap();
    assert!(why.starts_with("not now: "), "{why}");
    assert_eq!(bench.done().len(), 3, "the letter stays");
}

#[tokio::test]
async fn dead_letters_are_narrowed_down() {
    let bench = bench();
    let path = "/api/dead-letters?queue=chat.later&kind=job&reason=Not%20found&since=2h&before=2026-01-01T00:00:30Z\
                &meeting=01900000-0000-7000-8000-000000000000&limit=7";
    assert_eq!(bench.api("GET", path).await.0, StatusCode::OK);
    let now = fakes::NEW_YEAR.plus(Duration::from_secs(60));
    assert_eq!(
        bench.filter(),
        DeadFilter {
            queue: Some("chat.later".to_owned()),
            kind: Some(DeadKind::Job),
            meeting: fakes::MEETING.parse().ok(),
            reason: Some("Not found".to_owned()),
            since: Some(now.minus(Duration::from_secs(7200))),
            before: Some(fakes::NEW_YEAR.plus(Duration::from_secs(30))),
            limit: 7,
        }
    );
    for wrong in ["queue=none", "kind=none", "meeting=no%20id", "since=soon"] {
        let (status, body) = bench
            .api("GET", &format!("/api/dead-letters?{wrong}"))
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {body}");
    }
}

#[tokio::test]
async fn an_unavailable_store_is_a_503() {
    let bench = bench();
    bench.make_store_unavailable();
    for path in ["/api/meetings", "/api/dead-letters", "/api/dead-letters/x"] {
        let (status, body) = bench.api("GET", path).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    }
}

#[test]
fn the_token_is_private_and_new_each_time_unless_it_is_configured() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin-token");
    let bearer = |token: &str| format!("Bearer {}", token.trim());
    let token = AdminToken::unknown();
    assert!(!token.is_in("Bearer "));
    token.renew(None, &path).unwrap();
    let first = std::fs::read_to_string(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(token.is_in(&bearer(&first)));
    assert!(!token.is_in(first.trim()));
    assert!(!format!("{token:?}").contains(first.trim()));
    // A clone shares the token: the routes and the reload each hold one.
    token.clone().renew(None, &path).unwrap();
    let second = std::fs::read_to_string(&path).unwrap();
    assert!(token.is_in(&bearer(&second)) && !token.is_in(&bearer(&first)));
    let configured = "c".repeat(32);
    token
        .renew(Some(&configured.clone().into()), &path)
        .unwrap();
    assert!(token.is_in(&bearer(&configured)) && !token.is_in(&bearer(&second)));
    assert!(!path.exists());
}

#[tokio::test]
async fn the_socket_needs_no_token_and_no_header_makes_a_caller_over_tcp_one_of_it() {
    let bench = bench();
    let request = || warp::test::request().path("/api/meetings");
    let reply = request().reply(&bench.routes_of_socket()).await;
    assert_eq!(reply.status(), StatusCode::OK);
    let forged = request()
        .header("x-meetrelay-by", "root")
        .header("host", "localhost")
        .header("x-forwarded-for", "127.0.0.1");
    let reply = forged.reply(&bench.routes_at(true)).await;
    assert_eq!(reply.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn requests_for_another_name_are_refused_at_a_loopback_address_only() {
    let bench = bench();
    bench.readiness.set(Check::Queue, true);
    let paths = ["/metrics", "/readyz", "/livez", "/api/meetings", "/nowhere"];
    for path in paths {
        let request = |host: &str| warp::test::request().path(path).header("host", host);
        let reply = request("evil.example:9090")
            .reply(&bench.routes_at(true))
            .await;
        assert_eq!(reply.status(), StatusCode::FORBIDDEN, "{path}");
        let text = String::from_utf8(reply.body().to_vec()).unwrap();
        assert!(text.contains("server.admin_listen"), "{text}");
        for (host, is_loopback) in [("localhost:9090", true), ("relay.example:9090", false)] {
            let reply = request(host).reply(&bench.routes_at(is_loopback)).await;
            assert_ne!(reply.status(), StatusCode::FORBIDDEN, "{path} {host}");
        }
        let reply = request("anything").reply(&bench.routes_of_socket()).await;
        assert_ne!(reply.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let waiting = health_routes(
        Arc::clone(&bench.readiness),
        Arc::new(Metrics::new().unwrap()),
        Access::Tcp {
            token: AdminToken::unknown(),
            is_loopback: true,
        },
    );
    for (host, expected) in [
        ("evil.example", StatusCode::FORBIDDEN),
        ("[::1]:9090", StatusCode::OK),
    ] {
        let request = warp::test::request().path("/readyz").header("host", host);
        assert_eq!(request.reply(&waiting).await.status(), expected, "{host}");
    }
}
