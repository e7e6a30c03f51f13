//! The relay's signed links, as the port that the workers use.

use crate::domain::{ArtifactId, ArtifactKind, RequestId, UserId};
use crate::ports;
use crate::token::Links;

/// Implements the port with the links of `token.rs`.
pub(super) struct SignedLinks(pub(super) Links);

impl ports::MeetingLinks for SignedLinks {
    fn join(&self, request: RequestId) -> String {
        self.0.join_open(request)
    }

    fn join_own(&self, request: RequestId, user: &UserId) -> String {
        self.0.join_own(request, user)
    }

    fn artifact(&self, id: &ArtifactId, kind: ArtifactKind) -> String {
        self.0.artifact(id, kind)
    }
}
