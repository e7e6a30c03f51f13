//! How a meeting is shown: by one card, by notices, or by what a response URL carries.

use std::time::Duration;

use super::{Meeting, PlaceKind, PostKey, ResponseHook, Timestamp, Via};

/// How long a response URL works: Mattermost's `CommandWebhookLifetime` (mattermost.md 2.3).
pub const HOOK_LIFE: Duration = Duration::from_secs(30 * 60);
/// How often a response URL works: Mattermost's `TryUse(id, 5)`, counted before the post is tried (mattermost.md 2.3).
pub const HOOK_USES_MAX: u32 = 5;

/// What can be done with what was posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WayOutKind {
    /// Posts: they can be edited, deleted and looked up again.
    Posts,
    /// Notices: nothing can be edited or looked up; after an unknown outcome one may stand there twice.
    Notices,
}

/// How one meeting is shown where it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing<'m> {
    /// One card that is edited as the meeting moves on, with a thread.
    Card,
    /// Notices, never edited: one for the start, one for the end, one for each recording and summary.
    Notices,
    /// The same notices in a direct or group message, as far as the response URL of the starter's command lives.
    ThroughHook(&'m ResponseHook),
    /// Nothing can be posted: the link leads everything.
    LinkOnly,
}

impl<'m> Showing<'m> {
    /// By where a meeting was asked for, how, and what the way out can do. No way out leads into direct messages.
    pub fn of(kind: PlaceKind, via: &'m Via, way_out: WayOutKind) -> Self {
        match (kind, way_out) {
            (PlaceKind::Channel, WayOutKind::Posts) => Self::Card,
            (PlaceKind::Channel, WayOutKind::Notices) => Self::Notices,
            (PlaceKind::Direct, _) => match via {
                Via::SlashCommand { hook: Some(hook) } => Self::ThroughHook(hook),
                Via::SlashCommand { hook: None } | Via::OutgoingWebhook { .. } => Self::LinkOnly,
            },
        }
    }
}

impl Meeting {
    /// How it is shown.
    pub fn showing(&self, way_out: WayOutKind) -> Showing<'_> {
        match self.first_request() {
            Some(request) => Showing::of(self.place.kind, &request.via, way_out),
            None => Showing::LinkOnly,
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
