//! What the answer to a notice means, told without the secret that Mattermost's text repeats
//! (src/mattermost/README.md, "Refusals of incoming webhooks").

use secrecy::ExposeSecret;
use url::Url;

use super::NoticeWay;
use crate::http::{Http, HttpAnswer};
use crate::mattermost::errors::outside_word;
use crate::mattermost::form::{self, AppError, HookRefusal};
use crate::ports::ChatError;

/// Shortest part of an address or header value that is looked for in texts, in characters.
const SECRET_CHARS_MIN: usize = 6;

const UNKNOWN_HOOK: &str = "the incoming webhook is unknown or deleted (archiving its channel deletes it too), or the notice is not taken; \
     see whether the webhook still exists, else make a new one and change mattermost.incoming_webhook_url";

/// Whether a 400 may also mean that the webhook could not be loaded from the database. The first name is that of any
/// cause since Mattermost 11, the second that of this cause before.
fn is_perhaps_trouble(error: &AppError) -> bool {
    [
        "web.incoming_webhook.general.app_error",
        "web.incoming_webhook.invalid.app_error",
    ]
    .contains(&error.id())
}

/// Takes answers for what they mean.
pub(super) struct Meaning {
    is_webhook: bool,
    key: &'static str,
    /// The parts of what must not be told, as they would look in a text of ours.
    secrets: Vec<String>,
}

impl Meaning {
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

    /// What the answer means.
    pub(super) fn of(&self, http: &Http, answer: &HttpAnswer) -> Result<(), ChatError> {
        if !self.is_webhook {
            form::check_endpoint(http, answer, "mattermost.plugin_url")?;
            if answer.is_success() {
                return Ok(());
            }
            return Err(self.refused_by_plugin(answer));
        }
        form::read_hook(http, answer, "mattermost.incoming_webhook_url").map_err(|refusal| {
            match refusal {
                HookRefusal::Own(error) => self.refused_by_webhook(answer, &error),
                HookRefusal::Strange(error) => error,
            }
        })
    }

    fn refused_by_webhook(&self, answer: &HttpAnswer, error: &AppError) -> ChatError {
        let said = self.said(answer.status, Some(error));
        let told = |advice: &str| format!("{said}: {advice}");
        let refused = |advice: &str| ChatError::Refused { why: told(advice) };
        match answer.status {
            400 if is_perhaps_trouble(error) => ChatError::Failed {
                why: told(UNKNOWN_HOOK),
            },
            400 => refused(
                "the notice is not taken as it is; see whether mattermost.incoming_webhook_url is an address of Mattermost",
            ),
            403 => refused(
                "the incoming webhook is locked to another channel, or its owner may not post in this one; \
                 unlock it, or let its owner join the channel",
            ),
            404 if error.is_no_route() => refused(&self.no_route()),
            // An archived channel looks the same as one of another team, and may be unarchived.
            404 => ChatError::Suspended {
                why: told(
                    "the channel is archived, or not in the team of the incoming webhook: \
                     a webhook posts in its own team only",
                ),
            },
            // A switch of the server: whoever turns it on again wants the notices to follow.
            501 => ChatError::Unauthorized {
                why: told(
                    "incoming webhooks are switched off (ServiceSettings.EnableIncomingWebhooks)",
                ),
            },
            status => common(status, answer, said),
        }
    }

    fn refused_by_plugin(&self, answer: &HttpAnswer) -> ChatError {
        let error = AppError::of(answer);
        let said = self.said(answer.status, error.as_ref());
        let told = |advice: &str| format!("{said}: {advice}");
        match answer.status {
            401 => ChatError::Unauthorized {
                why: told(
                    "see mattermost.plugin_authorization; Mattermost passes it on from 9.4 on",
                ),
            },
            403 => ChatError::Refused {
                why: told("the plugin forbids it"),
            },
            404 => ChatError::Refused {
                why: told(&self.no_route()),
            },
            501 => ChatError::Unauthorized {
                why: told("plugins are switched off (PluginSettings.Enable)"),
            },
            status => common(status, answer, said),
        }
    }

    fn no_route(&self) -> String {
        let key = self.key;
        format!(
            "nothing answers at this address; mattermost.{key} is wrong, or the plugin is switched off"
        )
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

/// What the other statuses mean, whoever says them.
fn common(status: u16, answer: &HttpAnswer, said: String) -> ChatError {
    let refused = |advice: &str| ChatError::Refused {
        why: format!("{said}: {advice}"),
    };
    match status {
        408 | 425 | 500 | 502..=599 => ChatError::Unavailable {
            why: said,
            after: answer.retry_after,
        },
        413 | 414 => refused("the notice or the address is too long"),
        429 => ChatError::Throttled {
            after: answer
                .retry_after
                .or(answer.rate_limit.map(|limit| limit.reset)),
        },
        _ => refused("it will not be taken the next time either"),
    }
}
