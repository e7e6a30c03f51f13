//! Signed links to the relay's own pages, as they are posted in the chat.

use crate::domain::{ArtifactId, ArtifactKind, RequestId, UserId};

/// Makes absolute, signed links to the relay's pages.
pub trait MeetingLinks: Send + Sync + 'static {
    /// The page of a meeting, for everybody who has the link.
    fn join(&self, request: RequestId) -> String;

    /// The same page for one person, who need not enter a name.
    fn join_own(&self, request: RequestId, user: &UserId) -> String;

    /// The page of one artifact.
    fn artifact(&self, id: &ArtifactId, kind: ArtifactKind) -> String;
}
