//! Display names of a meeting's starter and channel, as the chat server shows them. A request carries only their names
//! in addresses.

use crate::domain::text::{cut, visible};
use crate::domain::{ConversationKind, DeliveryMethod, Meeting};

use super::Chat;

/// Longest name that is shown, in characters; Mattermost allows 64 for the display name of a channel.
const NAME_CHARS_MAX: usize = 64;

/// The display names of one meeting; `None` where the chat server did not answer with one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShownNames {
    /// The display name of the person who asked for the meeting.
    pub starter: Option<String>,
    /// The display name of the channel; never set for a direct message.
    pub channel: Option<String>,
}

impl ShownNames {
    /// Asks the chat server. Empty with [`DeliveryMethod::Notices`], which cannot read names.
    pub async fn of(chat: &dyn Chat, meeting: &Meeting) -> Self {
        if chat.kind() != DeliveryMethod::Posts {
            return Self::default();
        }
        let starter = async {
            let starter = meeting.starter()?;
            chat.person_name(&starter.user_id).await
        };
        let channel = async {
            match meeting.place.kind {
                ConversationKind::Channel => chat.channel_name(&meeting.place.channel).await,
                ConversationKind::Direct => None,
            }
        };
        let (starter, channel) = futures_util::future::join(starter, channel).await;
        Self {
            starter: starter.and_then(|name| clean_name(&name)),
            channel: channel.and_then(|name| clean_name(&name)),
        }
    }

    /// Puts these names into `meeting`, a copy that is only shown: its starter's, its channel's, and the title made of
    /// them.
    pub fn fill(self, meeting: &mut Meeting) {
        self.retitle(meeting);
        if let Some((first, starter)) = meeting.requests.first_mut().zip(self.starter) {
            first.by.user_name = starter;
        }
        if let Some(channel) = self.channel {
            meeting.place.channel_name = channel;
        }
    }

    /// Sets the title that the meeting's rule makes of these names. A title that a person wrote stays.
    pub fn retitle(&self, meeting: &mut Meeting) {
        let Some(source) = &meeting.rule.title_source else {
            return;
        };
        let channel = match meeting.place.kind {
            ConversationKind::Channel => self
                .channel
                .as_deref()
                .unwrap_or(&meeting.place.channel_name),
            ConversationKind::Direct => "",
        };
        let user_name = meeting.starter().map(|starter| starter.user_name.as_str());
        let user = self.starter.as_deref().or(user_name).unwrap_or_default();
        meeting.rule.title = source.title(channel, &meeting.place.team_name, user);
    }
}

fn clean_name(name: &str) -> Option<String> {
    let name = cut(visible(name).trim(), NAME_CHARS_MAX);
    (!name.is_empty()).then_some(name)
}
