//! How a meeting is shown: by one card, by notices, or by what a response URL carries.

use std::time::Duration;

use super::{ConversationKind, Meeting, PostKey, ResponseHook, Timestamp, TriggerSource};

/// How long a response URL works (src/mattermost/README.md, "Response URLs").
pub const HOOK_LIFE: Duration = Duration::from_secs(30 * 60);
/// How often a response URL works. Mattermost counts a use before it tries the post.
pub const HOOK_USES_MAX: u32 = 5;

/// What can be done with what was posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryMethod {
    /// Posts: they can be edited, deleted and looked up again.
    Posts,
    /// Notices: nothing can be edited or looked up; after an unknown outcome one may stand there twice.
    Notices,
}

/// How one meeting is shown where it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presentation<'m> {
    /// One card that is edited as the meeting moves on, with a thread.
    Card,
    /// Notices, never edited: one for the start, one for the end, one for each recording and summary.
    Notices,
    /// The same notices in a direct or group message, as far as the response URL of the starter's command lives.
    ThroughHook(&'m ResponseHook),
    /// Nothing can be posted: the link leads everything.
    LinkOnly,
}

impl<'m> Presentation<'m> {
    /// Decides by where and how a meeting was asked for, and what the delivery method can do. No delivery method can post
    /// in direct messages.
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

    /// Until when the response URL of the command that started it works, on our clock.
    pub fn hook_lives_until(&self) -> Timestamp {
        self.requested_at.plus(HOOK_LIFE)
    }

    /// How often that response URL was, or may have been, used.
    pub fn hook_uses(&self) -> u32 {
        let is_notice = |key: &PostKey| match key {
            PostKey::Card | PostKey::Final | PostKey::Artifact(_) => true,
            PostKey::Answer(_) | PostKey::Invite => false,
        };
        let rows = self.posts.iter().filter(|(key, _)| is_notice(key));
        rows.map(|(_, row)| row.sent).sum()
    }
}
