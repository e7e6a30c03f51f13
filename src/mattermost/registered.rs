//! The outgoing webhooks that the server has registered (src/mattermost/README.md, "Registered webhooks").

use reqwest::Method;
use serde::Deserialize;

use super::Mattermost;
use super::call::MattermostCall;
use crate::domain::{ChannelId, TeamId};
use crate::http::{Operation, Urgency};
use crate::ports::{ChatError, RegisteredHook};

/// Webhooks of a page: the largest that the server gives.
const PAGE: usize = 200;
/// Most pages of one team that are looked at.
const PAGES_MAX: usize = 10;
/// With this every address of a relay's route for outgoing webhooks ends.
const ROUTE: &str = "/mattermost/outgoing";

/// The token stands in the answer too, and is not read.
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
    /// Addresses that people copy may have a final slash.
    fn calls_a_relay(&self) -> bool {
        let urls = self.callback_urls.iter().flatten();
        self.delete_at == 0
            && urls
                .into_iter()
                .any(|url| url.trim_end_matches('/').ends_with(ROUTE))
    }

    /// `None` for a channel that cannot be one.
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
