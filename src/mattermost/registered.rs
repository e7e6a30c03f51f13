//! Lists the outgoing webhooks that are registered in Mattermost (src/mattermost/README.md, "Registered webhooks").

use reqwest::Method;
use serde::Deserialize;

use super::Mattermost;
use super::call::MattermostCall;
use crate::domain::{ChannelId, TeamId};
use crate::http::{Operation, Urgency};
use crate::ports::{ChatError, RegisteredHook};

/// Webhooks per page, the most that the server returns.
const PAGE: usize = 200;
/// Most pages that are read for one team.
const PAGES_MAX: usize = 10;
/// The end of the address of every relay's route for outgoing webhooks.
const ROUTE: &str = "/mattermost/outgoing";

/// A registered webhook. The answer also has its token, which is not read.
#[derive(Deserialize)]
struct HookBody {
    #[serde(default)]
    channel_id: String,
    #[serde(default)]
    trigger_words: Option<Vec<String>>,
    #[serde(default)]
    trigger_when: i64,
    #[serde(default)]
    callback_urls: Option<Vec<String>>,
    #[serde(default)]
    delete_at: i64,
}

impl HookBody {
    /// Whether the webhook is active and calls a relay. An address that a person copied may end with a slash.
    fn calls_a_relay(&self) -> bool {
        let urls = self.callback_urls.iter().flatten();
        self.delete_at == 0
            && urls
                .into_iter()
                .any(|url| url.trim_end_matches('/').ends_with(ROUTE))
    }

    /// The webhook in the port's type; `None` if its channel id is invalid.
    fn registered(self) -> Option<RegisteredHook> {
        let channel = match self.channel_id.as_str() {
            "" => None,
            id => Some(id.parse::<ChannelId>().ok()?),
        };
        Some(RegisteredHook {
            channel,
            words: self.trigger_words.unwrap_or_default(),
            is_prefix: self.trigger_when == 1,
        })
    }
}

impl Mattermost {
    pub(super) async fn registered_hooks(
        &self,
        team: &TeamId,
    ) -> Result<Vec<RegisteredHook>, ChatError> {
        let mut registered = Vec::new();
        for page in 0..PAGES_MAX {
            let call = MattermostCall::new(Operation::Read, Method::GET, &["hooks", "outgoing"])
                .query("team_id", team)
                .query("page", page)
                .query("per_page", PAGE)
                .urgency(Urgency::Background);
            let hooks: Vec<HookBody> = self.ask(call).await?;
            let is_last = hooks.len() < PAGE;
            let of_relays = hooks.into_iter().filter(HookBody::calls_a_relay);
            registered.extend(of_relays.filter_map(HookBody::registered));
            if is_last {
                break;
            }
        }
        Ok(registered)
    }
}
