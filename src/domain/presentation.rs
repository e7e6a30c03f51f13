//! How a meeting is shown: by one card, by notices, or through a response URL.

use std::time::Duration;

use super::{ConversationKind, Meeting, PostKey, ResponseHook, Timestamp, TriggerSource};

/// How long a response URL works (src/mattermost/README.md, "Response URLs").
pub const HOOK_LIFE: Duration = Duration::from_secs(30 * 60);
/// How many times a response URL works. Mattermost counts a use before it creates the post.
pub const HOOK_USES_MAX: u32 = 5;

/// What a delivery method can do with its posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryMethod {
    /// Posts can be edited, deleted and found again.
    Posts,
    /// Posts are notices: they can be neither edited nor found again. After an unknown outcome one may be there twice.
    Notices,
}

/// How a meeting is shown in its conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presentation<'m> {
    /// One card that is edited when the meeting changes, with a thread.
    Card,
    /// Notices, never edited: one for the start, one for the end, one for each recording and summary.
    Notices,
    /// The same notices in a direct or group message, while the response URL of the starter's command works.
    ThroughHook(&'m ResponseHook),
    /// Nothing can be posted. The link shows everything.
    LinkOnly,
}

impl<'m> Presentation<'m> {
    /// Decides by where and how a meeting was asked for, and what the delivery method can do. No delivery method can
    /// post in direct messages.
    pub fn of(
        kind: ConversationKind,
        via: &'m TriggerSource,
        delivery_method: DeliveryMethod,
    ) -> Self {
        match (kind, delivery_method) {
            (ConversationKind::Channel, DeliveryMethod::Posts) => Self::Card,
            (ConversationKind::Channel, DeliveryMethod::Notices) => Self::Notices,
            (ConversationKind::Direct, _) => match via {
                TriggerSource::SlashCommand { hook: Some(hook) } => Self::ThroughHook(hook),
                TriggerSource::SlashCommand { hook: None }
                | TriggerSource::OutgoingWebhook { .. } => Self::LinkOnly,
            },
        }
    }
}

impl Meeting {
    /// How it is shown.
    pub fn presentation(&self, delivery_method: DeliveryMethod) -> Presentation<'_> {
        match self.first_request() {
            Some(request) => Presentation::of(self.place.kind, &request.via, delivery_method),
            None => Presentation::LinkOnly,
        }
    }

    /// Until when the response URL of the starter's command works, on our clock.
    pub fn hook_lives_until(&self) -> Timestamp {
        self.requested_at.plus(HOOK_LIFE)
    }

    /// How many times that response URL was, or may have been, used.
    pub fn hook_uses(&self) -> u32 {
        let is_notice = |key: &PostKey| match key {
            PostKey::Card | PostKey::Final | PostKey::Artifact(_) => true,
            PostKey::Answer(_) | PostKey::Invite => false,
        };
        let rows = self.posts.iter().filter(|(key, _)| is_notice(key));
        rows.map(|(_, row)| row.sent).sum()
    }
}
