//! How the chat server shows the names in a meeting. What a request tells of them are names in addresses.

use crate::domain::text::{cut, visible};
use crate::domain::{ConversationKind, DeliveryMethod, Meeting};

use super::Chat;

/// Longest name that is shown, in characters; Mattermost's channels have at most 64.
const NAME_CHARS_MAX: usize = 64;

/// The names of one meeting, as far as they are known now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShownNames {
    /// Who asked for it.
    pub starter: Option<String>,
    /// Where; never of a direct message.
    pub channel: Option<String>,
}

impl ShownNames {
    /// Asks the chat server, where it can be asked.
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
            starter: starter.and_then(|name| shown(&name)),
            channel: channel.and_then(|name| shown(&name)),
        }
    }

    /// Gives a copy of the meeting that is only shown these names: its starter's, its channel's, and its title.
    pub fn fill(self, meeting: &mut Meeting) {
        self.retitle(meeting);
        if let Some((first, starter)) = meeting.requests.first_mut().zip(self.starter) {
            first.by.user_name = starter;
        }
        if let Some(channel) = self.channel {
            meeting.place.channel_name = channel;
        }
    }

    /// Gives the meeting the title that its rule makes of these names. What a person wrote as the title stays.
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
        let known = meeting.starter().map(|starter| starter.user_name.as_str());
        let user = self.starter.as_deref().or(known).unwrap_or_default();
        meeting.rule.title = source.title(channel, &meeting.place.team_name, user);
    }
}

fn shown(name: &str) -> Option<String> {
    let name = cut(visible(name).trim(), NAME_CHARS_MAX);
    (!name.is_empty()).then_some(name)
}
