//! Interprets the answer to a notice. The resulting texts omit the secret that Mattermost's text repeats
//! (src/mattermost/README.md, "Refusals of incoming webhooks").

use secrecy::ExposeSecret;
use url::Url;

use super::NoticeWay;
use crate::http::{Http, HttpAnswer};
use crate::mattermost::errors::sanitized_id;
use crate::mattermost::form::{self, AppError, HookRefusal};
use crate::ports::ChatError;

/// Shortest part of an address or header value that is redacted in texts, in characters.
const SECRET_CHARS_MIN: usize = 6;

const UNKNOWN_HOOK: &str = "the incoming webhook is unknown or deleted (archiving its channel deletes it too), or the notice is not accepted; \
     check whether the webhook still exists, else create a new one and change mattermost.incoming_webhook_url";

/// Whether a 400 may also mean that the webhook could not be loaded from the database. The first id covers all causes
/// since Mattermost 11. The second id is that of this cause in earlier versions.
fn may_be_database_failure(error: &AppError) -> bool {
    [
        "web.incoming_webhook.general.app_error",
        "web.incoming_webhook.invalid.app_error",
    ]
    .contains(&error.id())
}

/// Interprets answers to notices.
pub(super) struct Meaning {
    is_webhook: bool,
    key: &'static str,
    /// The parts of the secrets, in the form in which they would appear in an error text.
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
            .map(|part| sanitized_id(part).to_ascii_lowercase());
        Self {
            is_webhook: matches!(way, NoticeWay::IncomingWebhook { .. }),
            key: way.key(),
            secrets: secrets
                .filter(|part| part.chars().count() >= SECRET_CHARS_MIN)
                .collect(),
        }
    }

    /// The result of the notice according to the answer.
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
        let summary = self.summary(answer.status, Some(error));
        let with_advice = |advice: &str| format!("{summary}: {advice}");
        let refused = |advice: &str| ChatError::Refused {
            why: with_advice(advice),
        };
        match answer.status {
            400 if may_be_database_failure(error) => ChatError::Failed {
                why: with_advice(UNKNOWN_HOOK),
            },
            400 => refused(
                "the notice is not accepted as it is; check whether mattermost.incoming_webhook_url is an address of Mattermost",
            ),
            403 => refused(
                "the incoming webhook is locked to another channel, or its owner may not post in this one; \
                 unlock it, or let its owner join the channel",
            ),
            404 if error.is_no_route() => refused(&self.no_route()),
            // The answer is the same for an archived channel, which may be unarchived, and for a channel of another
            // team.
            404 => ChatError::Suspended {
                why: with_advice(
                    "the channel is archived, or not in the team of the incoming webhook: \
                     a webhook posts in its own team only",
                ),
            },
            // This is a setting of the server. When somebody switches it on again, the waiting notices are posted.
            501 => ChatError::Unauthorized {
                why: with_advice(
                    "incoming webhooks are switched off (ServiceSettings.EnableIncomingWebhooks)",
                ),
            },
            status => common(status, answer, summary),
        }
    }

    fn refused_by_plugin(&self, answer: &HttpAnswer) -> ChatError {
        let error = AppError::of(answer);
        let summary = self.summary(answer.status, error.as_ref());
        let with_advice = |advice: &str| format!("{summary}: {advice}");
        match answer.status {
            401 => ChatError::Unauthorized {
                why: with_advice(
                    "check mattermost.plugin_authorization; Mattermost forwards it since version 9.4",
                ),
            },
            403 => ChatError::Refused {
                why: with_advice("the plugin forbids it"),
            },
            404 => ChatError::Refused {
                why: with_advice(&self.no_route()),
            },
            501 => ChatError::Unauthorized {
                why: with_advice("plugins are switched off (PluginSettings.Enable)"),
            },
            status => common(status, answer, summary),
        }
    }

    fn no_route(&self) -> String {
        let key = self.key;
        format!(
            "there is nothing at this address; mattermost.{key} is wrong, or the plugin is switched off"
        )
    }

    fn summary(&self, status: u16, error: Option<&AppError>) -> String {
        let Some(error) = error else {
            return format!("HTTP {status} without an error of Mattermost");
        };
        let [id, request] = [error.id(), error.request_id()].map(|text| {
            let word = sanitized_id(text);
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

/// The meaning of the other statuses, which is the same for webhooks and plugins.
fn common(status: u16, answer: &HttpAnswer, summary: String) -> ChatError {
    let refused = |advice: &str| ChatError::Refused {
        why: format!("{summary}: {advice}"),
    };
    match status {
        408 | 425 | 500 | 502..=599 => ChatError::Unavailable {
            why: summary,
            after: answer.retry_after,
        },
        413 | 414 => refused("the notice or the address is too long"),
        429 => ChatError::Throttled {
            after: answer
                .retry_after
                .or(answer.rate_limit.map(|limit| limit.reset)),
        },
        _ => refused("a retry would be refused too"),
    }
}
