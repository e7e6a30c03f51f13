//! Notices: the requests, the meaning of the answers, and that no text contains the secret.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::domain::{Attachment, ConversationKind, Field, ServerName};
use crate::http::CallOutcome;
use crate::http::stub::{Recorded, class};

const HOOK: &str = "8dmqtmw387yjtq446oed98xgey";
const VALUE: &str = "Relay canary7value7canary7";

fn place() -> Conversation {
    Conversation {
        server: "main".parse::<ServerName>().unwrap(),
        team: None,
        team_name: "acme".to_owned(),
        channel: channel(),
        channel_name: "weekly".to_owned(),
        thread: None,
        kind: ConversationKind::Channel,
    }
}

fn content() -> Rendered {
    Rendered {
        message: "@ada started **R&D**".to_owned(),
        attachment: Some(Attachment {
            fallback: "@ada started the meeting R&D.".to_owned(),
            color: "#2e7d32",
            title: "R&D".to_owned(),
            title_link: Some("https://relay.example.org/join/x".to_owned()),
            text: "**[Join the meeting](https://relay.example.org/join/x)**".to_owned(),
            fields: vec![Field {
                title: "People".to_owned(),
                value: "3".to_owned(),
            }],
            footer: "Room mm-1".to_owned(),
        }),
        ..Rendered::default()
    }
}

struct Kiosk {
    notices: Notices,
    stub: Stub,
    observer: Arc<Observer>,
}

impl Kiosk {
    async fn webhook(hook: &str, format: NoticeFormat, replies: Vec<StubReply>) -> Self {
        let stub = Stub::start(replies).await;
        let address = format!("{}hooks/{hook}", stub.url).into();
        Self::with(stub, NoticeWay::IncomingWebhook { address }, format)
    }

    async fn plugin(replies: Vec<StubReply>) -> Self {
        let stub = Stub::start(replies).await;
        let way = NoticeWay::Plugin {
            address: format!("{}plugins/com.example.meet/notice?key={HOOK}", stub.url).into(),
            authorization: Some(VALUE.into()),
        };
        Self::with(stub, way, NoticeFormat::Mattermost)
    }

    fn with(stub: Stub, way: NoticeWay, format: NoticeFormat) -> Self {
        let observer = Arc::new(Observer::default());
        let http = Http::new(
            HttpSettings {
                deadline: Duration::from_secs(5),
                ..HttpSettings::default()
            },
            Arc::clone(&observer) as Arc<dyn CallObserver>,
        )
        .unwrap();
        let url = stub.url.clone();
        let notices = Notices::new(NoticeSettings { url, way, format }, http).unwrap();
        Self {
            notices,
            stub,
            observer,
        }
    }

    async fn post(&self) -> Result<(), ChatError> {
        self.notices.post_notice(&place(), content()).await
    }
}

fn ok() -> StubReply {
    StubReply::new(200, &[("Content-Type", "text/plain")], "ok")
}

fn refusal(status: u16, id: &str) -> StubReply {
    let message = format!("Failed to handle the payload for incoming webhook {HOOK}.");
    StubReply::json(
        status,
        &json!({"id": id, "message": message, "detailed_error": HOOK, "request_id": "r1", "status_code": status}),
    )
}

fn pretty(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

#[tokio::test]
async fn notice_for_mattermost_names_the_channel_and_shows_text_and_attachment() {
    let kiosk = Kiosk::webhook(HOOK, NoticeFormat::Mattermost, vec![ok()]).await;
    kiosk.post().await.unwrap();
    let sent = kiosk.stub.only();
    assert_eq!(sent.line(), format!("POST /hooks/{HOOK}"));
    assert_eq!(sent.header("content-type"), Some("application/json"));
    assert_eq!(sent.header("authorization"), None);
    assert_eq!(
        kiosk.observer.outcomes(),
        [(Operation::CreatePost, CallOutcome::Success)]
    );
    insta::assert_snapshot!(pretty(&sent.body), @r##"
    {
      "attachments": [
        {
          "color": "#2e7d32",
          "fallback": "@ada started the meeting R&D.",
          "fields": [
            {
              "short": true,
              "title": "People",
              "value": "3"
            }
          ],
          "footer": "Room mm-1",
          "text": "**[Join the meeting](https://relay.example.org/join/x)**",
          "title": "R&D",
          "title_link": "https://relay.example.org/join/x"
        }
      ],
      "channel": "weekly",
      "text": "@ada started **R&D**"
    }
    "##);
}

#[tokio::test]
async fn notice_for_slack_is_one_attachment_of_the_fields_that_all_know() {
    let kiosk = Kiosk::webhook(HOOK, NoticeFormat::Slack, vec![ok()]).await;
    kiosk.post().await.unwrap();
    insta::assert_snapshot!(pretty(&kiosk.stub.only().body), @r##"
    {
      "attachments": [
        {
          "color": "#2e7d32",
          "fallback": "@ada started the meeting R&amp;D.",
          "fields": [
            {
              "short": true,
              "title": "People",
              "value": "3"
            }
          ],
          "footer": "Room mm-1",
          "mrkdwn_in": [
            "text",
            "fields"
          ],
          "text": "@ada started *R&amp;D*\n*<https://relay.example.org/join/x|Join the meeting>*",
          "title": "R&amp;D",
          "title_link": "https://relay.example.org/join/x"
        }
      ]
    }
    "##);
}

#[tokio::test]
async fn plugin_gets_the_same_json_with_the_configured_authorization_and_any_2xx_is_success() {
    let kiosk = Kiosk::plugin(vec![
        StubReply::new(204, &[], ""),
        StubReply::new(201, &[], "made"),
    ])
    .await;
    kiosk.post().await.unwrap();
    kiosk.post().await.unwrap();
    let sent = kiosk.stub.seen().remove(0);
    assert_eq!(sent.header("authorization"), Some(VALUE));
    let webhook = Kiosk::webhook(HOOK, NoticeFormat::Mattermost, vec![ok()]).await;
    webhook.post().await.unwrap();
    assert_eq!(sent.body, webhook.stub.only().body);
}

#[tokio::test]
async fn recorded_answers_of_incoming_webhooks_get_their_class_without_the_secret() {
    let mut wrong = Vec::new();
    for (name, expected) in [
        ("incoming-200", "ok"),
        ("incoming-200-attachments", "ok"),
        ("incoming-200-form", "ok"),
        ("incoming-owner-deactivated-200", "ok"),
        ("incoming-400-bad-json", "Refused"),
        ("incoming-400-form-without-payload", "Refused"),
        ("incoming-400-no-text", "Failed"),
        ("incoming-400-unknown-hook", "Failed"),
        ("incoming-400-unknown-user", "Failed"),
        ("incoming-own-channel-archived-400", "Failed"),
        ("incoming-too-large-400", "Refused"),
        ("incoming-403-channel-locked", "Refused"),
        ("incoming-404-channel", "Suspended"),
        ("incoming-404-archived-channel", "Suspended"),
        ("incoming-500-nul", "Unavailable"),
        ("incoming-disabled-501", "Unauthorized"),
        ("ratelimit-429", "Throttled"),
    ] {
        let file = format!("mattermost-11/rest/{name}.http");
        let line = Recorded::read(&file).request[0].clone();
        let hook = line.rsplit('/').next().unwrap().to_owned();
        let replies = vec![StubReply::recorded(&file)];
        let kiosk = Kiosk::webhook(&hook, NoticeFormat::Mattermost, replies).await;
        let result = kiosk.post().await;
        let shown = format!("{result:?}");
        let class = class(result, |()| "ok".to_owned());
        if class != expected || (hook.len() == HOOK.len() && shown.contains(&hook)) {
            wrong.push(format!("{name}: {shown}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn no_answer_brings_the_secret_into_a_text() {
    let ids = [
        "web.incoming_webhook.general.app_error".to_owned(),
        format!("web.{HOOK}.app_error"),
        HOOK.to_uppercase(),
        "canary7value7canary7".to_owned(),
        "api.context.404.app_error".to_owned(),
    ];
    let statuses = [
        200, 201, 302, 400, 401, 403, 404, 405, 408, 413, 414, 425, 429, 500, 501, 502, 503,
    ];
    for status in statuses {
        for id in &ids {
            let replies = || vec![refusal(status, id)];
            let webhook = Kiosk::webhook(HOOK, NoticeFormat::Mattermost, replies()).await;
            let plugin = Kiosk::plugin(replies()).await;
            let with_value = [HOOK, "canary7value7canary7"];
            for (kiosk, secrets) in [(webhook, &with_value[..1]), (plugin, &with_value[..])] {
                let Err(error) = kiosk.post().await else {
                    continue;
                };
                let shown = format!("{error:?} {error}").to_ascii_lowercase();
                for secret in secrets.iter().chain(&["/hooks/", "/plugins/"]) {
                    assert!(!shown.contains(secret), "{status} {id}: {shown}");
                }
            }
        }
    }
}

#[tokio::test]
async fn page_of_the_web_app_and_silence_are_no_success() {
    let page = || {
        StubReply::new(
            200,
            &[("Content-Type", "text/html")],
            "<!doctype html><p>ok",
        )
    };
    let kiosk = Kiosk::webhook(HOOK, NoticeFormat::Mattermost, vec![page(), ok()]).await;
    let error = kiosk.post().await.unwrap_err();
    assert!(
        matches!(&error, ChatError::TurnedAway { why, .. } if why.contains("incoming_webhook_url"))
    );
    let closed = Kiosk::webhook(HOOK, NoticeFormat::Mattermost, vec![]).await;
    let error = closed.post().await.unwrap_err();
    assert!(matches!(&error, ChatError::Unreachable { sent: true, .. }));
    assert!(!format!("{error:?}").contains(HOOK), "{error:?}");
}

#[tokio::test]
async fn only_a_proxy_that_had_nobody_to_ask_certainly_posted_nothing() {
    let own = refusal(503, "web.incoming_webhook.general.app_error");
    let page = |status: u16, body: &str| StubReply::new(status, &[("Retry-After", "7")], body);
    let envoy = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
    let cases = || {
        [
            (page(503, "<h1>503 Service Unavailable</h1>"), "TurnedAway"),
            (page(503, ""), "TurnedAway"),
            (page(503, envoy), "Unavailable"),
            (page(502, "<h1>502 Bad Gateway</h1>"), "Unavailable"),
            (page(504, "<h1>504 Gateway Time-out</h1>"), "Unavailable"),
            (own.clone(), "Unavailable"),
        ]
    };
    let hook = ResponseHook::parse("1w3ncsn8wj8z3qmzkf91xdxuka").unwrap();
    for (index, (reply, expected)) in cases().into_iter().enumerate() {
        let replies = vec![reply.clone(), reply.clone()];
        let kiosk = Kiosk::webhook(HOOK, NoticeFormat::Mattermost, replies).await;
        let posted = kiosk.post().await;
        let shown = kiosk.notices.show_in_channel(&hook, content()).await;
        if let Err(ChatError::TurnedAway { after, .. }) = &posted {
            assert_eq!(*after, Some(Duration::from_secs(7)));
        }
        for result in [posted, shown] {
            assert_eq!(
                class(result, |()| "ok".to_owned()),
                expected,
                "case {index}"
            );
        }
        // A plugin may answer 5xx after it has posted.
        let plugin = Kiosk::plugin(vec![reply]).await;
        assert_eq!(
            class(plugin.post().await, |()| "ok".to_owned()),
            "Unavailable"
        );
    }
}

#[tokio::test]
async fn f4_page_in_the_place_of_a_plugin_or_webhook_is_not_its_answer() {
    for status in [200, 302, 401, 403, 404, 405] {
        let page = StubReply::new(status, &[("Content-Type", "text/html")], "<html>sign in");
        let plugin = Kiosk::plugin(vec![page.clone()]).await;
        let webhook = Kiosk::webhook(HOOK, NoticeFormat::Mattermost, vec![page]).await;
        for kiosk in [plugin, webhook] {
            let class = class(kiosk.post().await, |()| "ok".to_owned());
            assert_eq!(class, "TurnedAway", "{status}");
        }
    }
    // Any other success of a plugin counts, whatever its content type is.
    for (status, body) in [(200, "posted"), (201, ""), (204, "")] {
        let reply = StubReply::new(status, &[("Content-Type", "text/html")], body);
        let plugin = Kiosk::plugin(vec![reply]).await;
        assert_eq!(class(plugin.post().await, |()| "ok".to_owned()), "ok");
    }
    // A plugin may refuse with its own text.
    let plugin = Kiosk::plugin(vec![StubReply::new(403, &[], "not in this channel")]).await;
    assert_eq!(class(plugin.post().await, |()| "ok".to_owned()), "Refused");
}

#[tokio::test]
async fn refusals_say_what_to_change() {
    for (status, words) in [
        (403, "unlock it"),
        (404, "own team only"),
        (501, "EnableIncomingWebhooks"),
        (400, "incoming_webhook_url"),
    ] {
        let replies = vec![refusal(status, "web.incoming_webhook.general.app_error")];
        let kiosk = Kiosk::webhook(HOOK, NoticeFormat::Mattermost, replies).await;
        let error = kiosk.post().await.unwrap_err().to_string();
        assert!(error.contains(words), "{status}: {error}");
    }
}

#[tokio::test]
async fn what_names_no_channel_is_refused_before_anything_is_sent() {
    let kiosk = Kiosk::webhook(HOOK, NoticeFormat::Mattermost, vec![]).await;
    for (name, kind) in [
        ("@root", ConversationKind::Channel),
        ("#dev", ConversationKind::Channel),
        ("", ConversationKind::Channel),
        ("a__b", ConversationKind::Direct),
    ] {
        let place = Conversation {
            channel_name: name.to_owned(),
            kind,
            ..place()
        };
        let result = kiosk.notices.post_notice(&place, content()).await;
        assert_eq!(class(result, |()| "ok".to_owned()), "Refused", "{name:?}");
    }
    assert!(kiosk.stub.seen().is_empty());
}

#[tokio::test]
async fn only_notices_and_answers_to_commands_work() {
    let kiosk = Kiosk::webhook(HOOK, NoticeFormat::Mattermost, vec![ok(), ok()]).await;
    let notices = &kiosk.notices;
    assert_eq!(notices.kind(), DeliveryMethod::Notices);
    let error = notices.create_post(new_post()).await.unwrap_err();
    insta::assert_snapshot!(error, @"the chat server refuses it for good: an incoming webhook (mattermost.incoming_webhook_url) only posts notices and cannot make posts of an account");
    assert!(notices.own_account().await.is_err());
    assert!(notices.read_post(&post_id()).await.is_err());
    let hook = ResponseHook::parse("1w3ncsn8wj8z3qmzkf91xdxuka").unwrap();
    notices.answer_command(&hook, "x").await.unwrap();
    notices.show_in_channel(&hook, content()).await.unwrap();
    assert_eq!(
        kiosk.stub.lines(),
        ["POST /hooks/commands/1w3ncsn8wj8z3qmzkf91xdxuka"; 2]
    );
}

#[tokio::test]
async fn notices_go_to_the_new_address_after_a_change() {
    let kiosk = Kiosk::webhook("first5hook", NoticeFormat::Mattermost, vec![ok(), ok()]).await;
    kiosk.post().await.unwrap();
    let address = kiosk.stub.url.join("hooks/second5hook").unwrap();
    let way = NoticeRoute::new(NoticeWay::IncomingWebhook {
        address: SecretString::from(String::from(address)),
    });
    kiosk.notices.replace_way(way.unwrap());
    kiosk.post().await.unwrap();
    let targets: Vec<String> = kiosk
        .stub
        .seen()
        .into_iter()
        .map(|seen| seen.target)
        .collect();
    assert_eq!(targets, ["/hooks/first5hook", "/hooks/second5hook"]);
}
