//! The relay's own addresses, signed, as they are posted.

use crate::domain::{ArtifactId, ArtifactKind, RequestId, UserId};

/// Makes absolute, signed addresses of the relay's pages.
pub trait MeetingLinks: Send + Sync + 'static {
    /// The page of a meeting for whoever has the link.
    fn join(&self, request: RequestId) -> String;

    /// The same for one person, who need not say their name.
    fn join_own(&self, request: RequestId, user: &UserId) -> String;

    /// The page of one artifact.
    fn artifact(&self, id: &ArtifactId, kind: ArtifactKind) -> String;
}
