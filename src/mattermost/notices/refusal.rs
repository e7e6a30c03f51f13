//! What the answer to a notice means (mattermost.md 3.5), told without the secret that Mattermost's text repeats.

use secrecy::ExposeSecret;
use url::Url;

use super::NoticeWay;
use crate::http::Answer;
use crate::mattermost::errors::{AppError, outside_word, turned_away};
use crate::mattermost::hooks::is_ok;
use crate::ports::ChatError;

/// Shortest part of an address or header value that is looked for in texts, in characters.
const SECRET_CHARS_MIN: usize = 6;

const UNKNOWN_HOOK: &str = "the incoming webhook is unknown or deleted (archiving its channel deletes it too), or the notice is not taken; \
     see whether the webhook still exists, else make a new one and change mattermost.incoming_webhook_url";

/// Whether a 400 may also tell that the webhook could not be loaded from the database. The first name is that of any
/// cause since Mattermost 11, the second that of this one before (mattermost.md 3.5).
fn is_perhaps_trouble(error: &AppError) -> bool {
    [
        "web.incoming_webhook.general.app_error",
        "web.incoming_webhook.invalid.app_error",
    ]
    .contains(&error.id())
}

/// Takes answers for what they mean.
pub(super) struct Refusal {
    is_webhook: bool,
    key: &'static str,
    /// The parts of what must not be told, as they would look in a text of ours.
    secrets: Vec<String>,
}

impl Refusal {
    pub(super) fn new(way: &NoticeWay, address: &Url) -> Self {
        let mut parts: Vec<&str> = address.path().split('/').collect();
        parts.extend(address.query().unwrap_or_default().split(['&', '=']));
        if let NoticeWay::Plugin {
            authorization: Some(value),
            ..
        } = way
        {
            parts.extend(value.expose_secret().split_ascii_whitespace());
        }
        let secrets = parts
            .into_iter()
            .map(|part| outside_word(part).to_ascii_lowercase());
        Self {
            is_webhook: matches!(way, NoticeWay::IncomingWebhook { .. }),
            key: way.key(),
            secrets: secrets
                .filter(|part| part.chars().count() >= SECRET_CHARS_MIN)
                .collect(),
        }
    }

    pub(super) fn meaning(&self, answer: &Answer) -> Result<(), ChatError> {
        let status = answer.status;
        if answer.is_success() && (!self.is_webhook || is_ok(answer)) {
            return Ok(());
        }
        // A plugin may say 503 in its own words after it has posted.
        if self.is_webhook
            && let Some(error) = turned_away(answer)
        {
            return Err(error);
        }
        let error = serde_json::from_slice::<AppError>(&answer.body).ok();
        let is_mattermosts = error.is_some();
        let said = self.said(status, error.as_ref());
        let key = self.key;
        let told = |advice: &str| format!("{said}: {advice}");
        let refused = |advice: &str| ChatError::Refused { why: told(advice) };
        Err(match status {
            // The web app answers any address with its page (mattermost.md 3.1).
            200..=299 => refused(&format!(
                "not answered with ok, so nothing was posted; mattermost.{key} is no address of an incoming webhook"
            )),
            300..=399 => refused(&format!(
                "a redirect; mattermost.{key} must be the final address"
            )),
            400 if error.as_ref().is_some_and(is_perhaps_trouble) && self.is_webhook => {
                ChatError::Failed {
                    why: told(UNKNOWN_HOOK),
                }
            }
            400 if self.is_webhook => refused(
                "the notice is not taken as it is; see whether mattermost.incoming_webhook_url is an address of Mattermost",
            ),
            401 if self.is_webhook => ChatError::Unauthorized {
                why: told(
                    "an incoming webhook needs no credentials, so a proxy before Mattermost may ask for them; \
                     let it pass the webhook's address",
                ),
            },
            401 => ChatError::Unauthorized {
                why: told(
                    "see mattermost.plugin_authorization; Mattermost passes it on from 9.4 on",
                ),
            },
            403 if self.is_webhook => refused(
                "the incoming webhook is locked to another channel, or its owner may not post in this one; \
                 unlock it, or let its owner join the channel",
            ),
            403 => refused("the plugin forbids it"),
            404 if error.as_ref().is_some_and(|error| error.is_no_route()) => refused(&format!(
                "nothing answers at this address; mattermost.{key} is wrong, or the plugin is switched off"
            )),
            404 if is_mattermosts && self.is_webhook => refused(
                "the channel is archived, or not in the team of the incoming webhook: \
                 a webhook posts in its own team only",
            ),
            404 if !self.is_webhook => refused(&format!(
                "nothing answers at this address; mattermost.{key} is wrong, or the plugin is switched off"
            )),
            404 | 408 | 425 | 500 | 502..=599 => ChatError::Unavailable {
                why: said,
                after: answer.retry_after,
            },
            413 | 414 => refused("the notice or the address is too long"),
            429 => ChatError::Throttled {
                after: answer
                    .retry_after
                    .or(answer.rate_limit.map(|limit| limit.reset)),
            },
            // A switch of the server: whoever turns it on again wants the notices to follow.
            501 => ChatError::Unauthorized {
                why: told(if self.is_webhook {
                    "incoming webhooks are switched off (ServiceSettings.EnableIncomingWebhooks)"
                } else {
                    "plugins are switched off (PluginSettings.Enable)"
                }),
            },
            _ => refused("it will not be taken the next time either"),
        })
    }

    fn said(&self, status: u16, error: Option<&AppError>) -> String {
        let Some(error) = error else {
            return format!("HTTP {status} without an error of Mattermost");
        };
        let [id, request] = [error.id(), error.request_id()].map(|text| {
            let word = outside_word(text);
            let lower = word.to_ascii_lowercase();
            if self.secrets.iter().any(|secret| lower.contains(secret)) {
                "[redacted]".to_owned()
            } else {
                word
            }
        });
        format!("HTTP {status} {id} (request {request})")
    }
}
