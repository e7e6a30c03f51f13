//! The JSON bodies of posts and answers, cut to the limits of the server (src/mattermost/README.md, "Limits").

use serde_json::{Value, json};

use super::server_config::POST_CHARS_MAX;
use crate::domain::say::ANSWER_NAME;
use crate::domain::{Attachment, Field, Rendered};
use crate::ports::NewPost;

/// Longest body that the REST API accepts, in bytes.
const BODY_BYTES_MAX: usize = 300_000;

/// Longest fallback, title, link and footer of an attachment, in characters; real ones are much shorter.
const LINE_CHARS_MAX: usize = 1_000;

/// Most fields of an attachment.
const FIELDS_MAX: usize = 20;

/// The property that marks the relay's posts. It holds the post's key.
pub(super) const PROPERTY: &str = "meetrelay";

/// The body that creates a post. Its text is cut to `chars_max` characters.
pub(super) fn create(post: &NewPost, pending_post_id: &str, chars_max: usize) -> Vec<u8> {
    fitting(chars_max, |chars| {
        let content = post.content.shortened(chars);
        let mut body = json!({
            "channel_id": post.channel,
            "message": cut(&content.message, chars),
            "pending_post_id": pending_post_id,
            "props": props(&post.key, content.attachment.as_ref(), chars),
        });
        if let Some(root) = &post.root {
            body["root_id"] = json!(root);
        }
        body
    })
}

/// The body that replaces the content of a post. Props are replaced as a whole, so the key is included again.
pub(super) fn patch(key: &str, content: &Rendered, chars_max: usize) -> Vec<u8> {
    fitting(chars_max, |chars| {
        let content = content.shortened(chars);
        json!({
            "message": cut(&content.message, chars),
            "props": props(key, content.attachment.as_ref(), chars),
        })
    })
}

/// The body of a late answer to a slash command that only its caller sees.
pub(super) fn command_answer(text: &str) -> Vec<u8> {
    fitting(POST_CHARS_MAX, |chars| {
        json!({
            "response_type": "ephemeral",
            "username": ANSWER_NAME,
            "text": cut(text, chars),
        })
    })
}

/// The body of a late answer to a slash command that everybody in its channel sees. Its author is the caller.
pub(super) fn channel_answer(content: &Rendered) -> Vec<u8> {
    fitting(POST_CHARS_MAX, |chars| {
        let content = content.shortened(chars);
        let shown = content.attachment.as_ref();
        let attachments: Vec<Value> = shown
            .map(|attachment| attachment_json(attachment, chars))
            .into_iter()
            .collect();
        json!({
            "response_type": "in_channel",
            "username": ANSWER_NAME,
            "text": cut(&content.message, chars),
            "attachments": attachments,
        })
    })
}

/// The key of a post of the relay, read from the post's props.
pub(super) fn key_of(props: &Value) -> Option<&str> {
    props.get(PROPERTY)?.get("key")?.as_str()
}

/// Cuts the texts shorter in steps until the body fits. After the last step it always fits: fewer than 50 texts of 500
/// characters with at most 6 bytes each.
pub(super) fn fitting(chars_max: usize, body: impl Fn(usize) -> Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    let shorter = [8_000, 4_000, 2_000, 1_000, 500];
    let shorter = shorter.into_iter().filter(|chars| *chars < chars_max);
    for chars in std::iter::once(chars_max).chain(shorter) {
        bytes = body(chars).to_string().into_bytes();
        if bytes.len() <= BODY_BYTES_MAX {
            break;
        }
    }
    bytes
}

fn props(key: &str, attachment: Option<&Attachment>, chars: usize) -> Value {
    let mut props = json!({ PROPERTY: { "key": key } });
    if let Some(attachment) = attachment {
        props["attachments"] = json!([attachment_json(attachment, chars)]);
    }
    props
}

pub(super) fn attachment_json(attachment: &Attachment, chars: usize) -> Value {
    let line = LINE_CHARS_MAX.min(chars);
    let fields = attachment.fields.iter().take(FIELDS_MAX);
    let fields: Vec<Value> = fields.map(|field| field_json(field, line)).collect();
    let mut shown = json!({
        "fallback": cut(&attachment.fallback, line),
        "color": attachment.color,
        "title": cut(&attachment.title, line),
        "text": cut(&attachment.text, chars),
        "fields": fields,
        "footer": cut(&attachment.footer, line),
    });
    // A link that is cut would lead elsewhere, so a long one is omitted.
    if let Some(link) = &attachment.title_link
        && link.len() <= LINE_CHARS_MAX
    {
        shown["title_link"] = json!(link);
    }
    shown
}

fn field_json(field: &Field, chars: usize) -> Value {
    json!({
        "title": cut(&field.title, chars),
        "value": cut(&field.value, chars),
        "short": true,
    })
}

/// The text, cut to `chars` characters and without U+0000, which the server cannot store.
pub(super) fn cut(text: &str, chars: usize) -> String {
    let kept = text.chars().filter(|c| *c != '\0');
    if kept.clone().nth(chars).is_none() {
        return kept.collect();
    }
    let mut short: String = kept.take(chars - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn post(message: &str, filler: &str, fields: usize) -> NewPost {
        let field = || Field {
            title: filler.to_owned(),
            value: filler.to_owned(),
        };
        NewPost {
            channel: "c1".parse().unwrap(),
            root: None,
            key: "k".to_owned(),
            content: Rendered {
                message: message.to_owned(),
                attachment: Some(Attachment {
                    fallback: filler.to_owned(),
                    color: "#2e7d32",
                    title: filler.to_owned(),
                    title_link: Some("https://relay.example.org/join/x".to_owned()),
                    text: filler.to_owned(),
                    fields: (0..fields).map(|_| field()).collect(),
                    footer: filler.to_owned(),
                }),
                ..Rendered::default()
            },
        }
    }

    #[test]
    fn texts_are_cut_by_characters_and_lose_nul() {
        let body = create(&post(&"é".repeat(20_000), "a\0b", 1), "p", POST_CHARS_MAX);
        let body: Value = serde_json::from_slice(&body).unwrap();
        let message = body["message"].as_str().unwrap();
        assert_eq!(message.chars().count(), 16_383);
        assert!(message.ends_with("é…"));
        let attachment = &body["props"]["attachments"][0];
        assert_eq!(attachment["text"], "ab");
        assert_eq!(attachment["fields"][0]["value"], "ab");
        let exact = create(&post(&"é".repeat(16_383), "", 0), "p", POST_CHARS_MAX);
        let exact: Value = serde_json::from_slice(&exact).unwrap();
        assert_eq!(exact["message"], "é".repeat(16_383));
    }

    #[test]
    fn whatever_is_rendered_the_body_fits() {
        for filler in ["x", "é", "😀", "\u{1}", "\"", "\n"] {
            let long = filler.repeat(20_000);
            for fields in [0, 1, 20, 1_000] {
                let bytes = create(&post(&long, &long, fields), "p", POST_CHARS_MAX);
                assert!(
                    bytes.len() <= BODY_BYTES_MAX,
                    "{filler:?} {fields}: {}",
                    bytes.len()
                );
                let body: Value = serde_json::from_slice(&bytes).unwrap();
                assert_eq!(key_of(&body["props"]), Some("k"));
            }
            assert!(command_answer(&long).len() <= BODY_BYTES_MAX);
        }
    }

    #[test]
    fn a_link_too_long_to_be_shown_is_left_out_and_not_cut() {
        let mut long = post("m", "x", 0);
        let attachment = long.content.attachment.as_mut().unwrap();
        attachment.title_link = Some(format!("https://h/{}", "a".repeat(1_000)));
        let body: Value = serde_json::from_slice(&create(&long, "p", POST_CHARS_MAX)).unwrap();
        assert_eq!(body["props"]["attachments"][0].get("title_link"), None);
    }
}
