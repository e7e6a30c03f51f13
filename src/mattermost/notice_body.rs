//! The JSON body of a notice, for Mattermost or for servers with the format of Slack's incoming webhooks
//! (src/mattermost/README.md, "Incoming webhooks").

use serde_json::{Value, json};

use super::body::{attachment_json, cut, fitting};
use super::server_config::POST_CHARS_MAX;
use super::slack::{mrkdwn, plain};
use crate::domain::{Attachment, Rendered};

/// The format of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoticeFormat {
    /// Mattermost: a text, an attachment and the channel.
    Mattermost,
    /// Slack's incoming webhooks: one attachment and nothing else. The post goes to the webhook's own channel.
    Slack,
}

/// The body of a notice. `channel` is the channel's name in URLs.
pub(super) fn notice(format: NoticeFormat, channel: Option<&str>, content: &Rendered) -> Vec<u8> {
    fitting(POST_CHARS_MAX, |chars| {
        let content = content.shortened(chars);
        match format {
            NoticeFormat::Mattermost => for_mattermost(channel, &content, chars),
            NoticeFormat::Slack => json!({ "attachments": [for_slack(&content, chars)] }),
        }
    })
}

fn for_mattermost(channel: Option<&str>, content: &Rendered, chars: usize) -> Value {
    let mut body = json!({ "text": cut(&content.message, chars) });
    if let Some(channel) = channel {
        body["channel"] = json!(channel);
    }
    if let Some(attachment) = &content.attachment {
        body["attachments"] = json!([attachment_json(attachment, chars)]);
    }
    body
}

/// The attachment for Slack's format. There is no text outside it, so the message becomes its first line.
fn for_slack(content: &Rendered, chars: usize) -> Value {
    let message = cut(&content.message, chars);
    let Some(attachment) = &content.attachment else {
        return json!({
            "fallback": plain(&message),
            "text": mrkdwn(&message),
            "mrkdwn_in": ["text"],
        });
    };
    let mut shown = attachment_json(attachment, chars);
    for key in ["fallback", "title", "footer"] {
        change(&mut shown[key], plain);
    }
    if let Some(fields) = shown["fields"].as_array_mut() {
        for field in fields {
            change(&mut field["title"], plain);
            change(&mut field["value"], mrkdwn);
        }
    }
    shown["text"] = json!(mrkdwn(&below(&message, attachment, chars)));
    shown["mrkdwn_in"] = json!(["text", "fields"]);
    shown
}

fn below(message: &str, attachment: &Attachment, chars: usize) -> String {
    let text = cut(&attachment.text, chars);
    if text.is_empty() {
        message.to_owned()
    } else {
        format!("{message}\n{text}")
    }
}

fn change(value: &mut Value, translate: fn(&str) -> String) {
    if let Some(text) = value.as_str() {
        *value = json!(translate(text));
    }
}
