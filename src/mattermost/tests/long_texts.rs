//! Texts that are longer than the server accepts.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

/// A post with a text of this many characters.
fn long_post(chars: usize) -> NewPost {
    NewPost {
        content: Rendered {
            message: "w".repeat(chars),
            continued: "[The whole](https://relay.example.org/join/x)".to_owned(),
            ..Rendered::default()
        },
        ..new_post()
    }
}

fn takes(chars: &str) -> StubReply {
    StubReply::json(200, &json!({ "MaxPostSize": chars, "Version": "11.6.0" }))
}

fn chars_of(body: &Value) -> usize {
    let chars = body["message"].as_str().unwrap().chars().count();
    chars.next_multiple_of(100)
}

/// The lengths of the texts of all posts that were sent. That of a cut text is up to a hundred characters too large.
fn lengths(bench: &Bench) -> Vec<usize> {
    let posts = bench.stub.seen().into_iter();
    posts
        .filter(|seen| seen.line() == "POST /api/v4/posts")
        .map(|seen| chars_of(&seen.json()))
        .collect()
}

#[tokio::test]
async fn f6_a_long_text_is_cut_to_what_the_server_says_it_takes() {
    let made = || StubReply::json(201, &post_json(&json!({})));
    for (said, sent) in [
        ("4000", 4_000),
        ("16383", 9_600),
        ("1000000", 9_600),
        ("", 9_600),
        ("0", 9_600),
    ] {
        let bench = bench(vec![me(), takes(said), made(), made()]).await;
        for _ in 0..2 {
            bench.client.create_post(long_post(9_600)).await.unwrap();
        }
        assert_eq!(lengths(&bench), [sent, sent], "{said}");
        let body = bench.stub.seen().last().unwrap().json();
        let is_continued = body["message"]
            .as_str()
            .unwrap()
            .ends_with("(https://relay.example.org/join/x)");
        assert_eq!(is_continued, sent < 9_600);
    }
    // Every server accepts a short text, so the settings are not read.
    let bench = bench(vec![me(), made()]).await;
    bench.client.create_post(long_post(4_000)).await.unwrap();
    assert_eq!(bench.stub.lines().len(), 2);
    // A text is never longer than the last refused one, whatever limit the server returns.
    let bench = super::bench(vec![me(), takes("1000000"), made()]).await;
    bench.client.create_post(long_post(50_000)).await.unwrap();
    assert_eq!(lengths(&bench), [16_400]);
}

#[tokio::test]
async fn f6_a_refusal_for_length_is_met_by_a_shorter_text() {
    let made = || StubReply::json(201, &post_json(&json!({})));
    let too_long = || recorded("post-create-too-long-400");
    // The limit was lowered after it was read.
    let replies = vec![
        me(),
        takes("16383"),
        too_long(),
        takes("4000"),
        made(),
        made(),
    ];
    let bench = bench(replies).await;
    bench.client.create_post(long_post(9_600)).await.unwrap();
    bench.client.create_post(long_post(9_600)).await.unwrap();
    assert_eq!(lengths(&bench), [9_600, 4_000, 4_000]);
    // Settings that are returned without a login do not replace the known ones.
    let partial = || StubReply::json(200, &json!({ "Version": "11.6.0" }));
    let all =
        json!({ "MaxPostSize": "16383", "TeammateNameDisplay": "full_name", "Version": "11.6.0" });
    let all = StubReply::json(200, &all);
    let replies = vec![me(), all, too_long(), partial(), made()];
    let bench = super::bench(replies).await;
    bench.client.create_post(long_post(9_600)).await.unwrap();
    let config = bench.client.server_config().await;
    assert_eq!(config.post_chars_max, Some(4_800));
    assert_eq!(config.name_display, "full_name");
    // A server whose settings cannot be read.
    let unavailable = || StubReply::new(403, &[], "");
    let replies = vec![
        me(),
        unavailable(),
        too_long(),
        unavailable(),
        too_long(),
        unavailable(),
        made(),
    ];
    let bench = super::bench(replies).await;
    bench.client.create_post(long_post(9_600)).await.unwrap();
    assert_eq!(lengths(&bench), [9_600, 4_800, 2_400]);
    // A server that refuses every length is not called again and again.
    let mut replies = vec![me()];
    replies.extend((0..9).map(|_| too_long()));
    let bench = super::bench(replies).await;
    let result = bench.client.create_post(long_post(500)).await;
    assert!(
        matches!(result, Err(ChatError::Refused { .. })),
        "{result:?}"
    );
    assert_eq!(lengths(&bench), [500]);
}

#[tokio::test]
async fn f6_a_change_that_is_too_long_is_shortened_too() {
    let replies = vec![
        takes("16383"),
        recorded("post-create-too-long-400"),
        takes("4000"),
        StubReply::json(200, &post_json(&json!({}))),
    ];
    let bench = bench(replies).await;
    let content = long_post(9_600).content;
    bench
        .client
        .patch_post(&post_id(), "m1:card", content)
        .await
        .unwrap();
    let last = bench.stub.seen().last().unwrap().json();
    assert_eq!(chars_of(&last), 4_000);
}
