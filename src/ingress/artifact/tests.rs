#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::domain::{ArtifactKind, State};
use crate::ingress::inbound::{FORM, Inbound};
use crate::ingress::reply::Answer;
use crate::ingress::tests::{FakeBehavior, IngressBench, Mint, OneMeeting, meeting, post, request};
use crate::ports::ConferenceError;
use crate::token::Link;

fn token(bench: &IngressBench) -> String {
    let link = bench
        .links
        .artifact(&"rec-1".parse().unwrap(), ArtifactKind::Recording);
    link.rsplit('/').next().unwrap().to_owned()
}

fn get() -> Inbound {
    let mut inbound = post(FORM, "");
    (inbound.method, inbound.headers) = (Method::GET, HeaderMap::new());
    inbound
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body().to_vec()).unwrap()
}

#[tokio::test]
async fn page_links_to_the_file_and_mints_nothing() {
    let bench = IngressBench::new(Some(meeting(State::Ended)));
    let answer = bench.ingress().artifacts.page(&token(&bench), get()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let page = text(&answer);
    let file = format!("{}&#x2f;file", token(&bench));
    assert!(
        page.contains(&file) && page.contains("Weekly &lt;sync&gt;"),
        "{page}"
    );
    assert!(!page.contains("<form"));
    assert!(bench.mint.downloads.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn page_needs_no_store() {
    for behavior in [FakeBehavior::Refuses, FakeBehavior::Hangs] {
        let mut bench = IngressBench::new(None);
        bench.store = Arc::new(OneMeeting {
            behavior,
            meeting: None,
            asked: std::sync::Mutex::default(),
        });
        let answer = bench.ingress().artifacts.page(&token(&bench), get()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(text(&answer).contains("From your meeting"));
    }
}

#[tokio::test]
async fn person_who_follows_the_link_is_led_to_the_file() {
    let bench = IngressBench::new(Some(meeting(State::Ended)));
    let answer = bench.ingress().artifacts.file(&token(&bench), get()).await;
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert!(
        answer.headers()["location"]
            .to_str()
            .unwrap()
            .contains("SECRET")
    );
    assert!(!format!("{answer:?}").contains("SECRET"));
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
    assert_eq!(bench.mint.downloads.lock().unwrap()[0].as_str(), "rec-1");
}

#[tokio::test]
async fn previews_get_the_page_and_mint_nothing() {
    let bench = IngressBench::new(Some(meeting(State::Ended)));
    let mut head = get();
    head.method = Method::HEAD;
    let mut ahead = get();
    ahead.headers.insert(
        "sec-purpose",
        HeaderValue::from_static("prefetch;prerender"),
    );
    let bots = [
        "Mattermost-Bot/1.1",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "facebookexternalhit/1.1",
        "WhatsApp/2.23.20.0",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    ];
    let bots = bots.map(|agent| {
        let mut bot = get();
        bot.headers
            .insert("user-agent", HeaderValue::from_static(agent));
        bot
    });
    for inbound in [head, ahead].into_iter().chain(bots) {
        let answer = bench
            .ingress()
            .artifacts
            .file(&token(&bench), inbound)
            .await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(!answer.headers().contains_key("location"));
    }
    assert!(bench.mint.downloads.lock().unwrap().is_empty());
}

#[test]
fn s_browser_is_no_bot_whatever_its_telephone_is_called() {
    for agent in [
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Mozilla/5.0 (Linux; Android 10; CUBOT NOTE 20) AppleWebKit/537.36 Chrome/125.0.0.0 Mobile Safari/537.36",
        "curl/8.5.0",
        "",
    ] {
        assert!(!super::is_bot(agent), "{agent}");
    }
}

#[tokio::test(start_paused = true)]
async fn s6_downloads_of_one_link_share_the_bound() {
    let mut bench = IngressBench::new(Some(meeting(State::Ended)));
    bench.mint = Arc::new(Mint {
        answer: Ok("https://meet.example.org/"),
        hangs: true,
        joiners: std::sync::Mutex::default(),
        downloads: std::sync::Mutex::default(),
    });
    let ingress = bench.ingress();
    let token = token(&bench);
    let downloads = (0..300).map(|_| ingress.artifacts.file(&token, get()));
    let answers = futures_util::future::join_all(downloads).await;
    assert!(answers.iter().all(|answer| answer.status() == 503));
    // Requests whose turn does not come in time get a page to try again, and not one that plugNmeet is unavailable.
    let crowded = |answer: &&Answer| answer.headers().get("retry-after").is_some();
    assert_eq!(answers.iter().filter(crowded).count(), 300 - 2);
    assert_eq!(bench.mint.downloads.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn refusals_of_the_meeting_server_become_pages() {
    for (result, hangs, status) in [
        (Err(ConferenceError::NotFound), false, 404),
        (
            Err(ConferenceError::Unauthorized {
                why: "CANARY".to_owned(),
            }),
            false,
            503,
        ),
        (Ok("https://meet.example.org/"), true, 503),
        (Ok("no\naddress"), false, 503),
    ] {
        let mut bench = IngressBench::new(Some(meeting(State::Ended)));
        bench.mint = Arc::new(Mint {
            answer: result,
            hangs,
            joiners: std::sync::Mutex::default(),
            downloads: std::sync::Mutex::default(),
        });
        let answer = bench.ingress().artifacts.file(&token(&bench), get()).await;
        assert_eq!(answer.status().as_u16(), status);
        assert!(!text(&answer).contains("CANARY"));
    }
}

#[tokio::test]
async fn other_links_and_methods_lead_nowhere() {
    let bench = IngressBench::new(Some(meeting(State::Ended)));
    let join = bench.links.join(&Link::Open(request()));
    let join = join.rsplit('/').next().unwrap();
    for bad in ["", "x", join] {
        let answer = bench.ingress().artifacts.file(bad, get()).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        let answer = bench.ingress().artifacts.page(bad, get()).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
    let answer = bench
        .ingress()
        .artifacts
        .file(&token(&bench), post(FORM, ""))
        .await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}
