//! PostArtifact: one reply in the card's thread, or one notice, for each recording and summary.

use crate::domain::meeting::Artifact;
use crate::domain::owed::is_owed;
use crate::domain::post::Frozen;
use crate::domain::retry::Outcome;
use crate::domain::{ArtifactId, ArtifactKind, Job, Meeting, MeetingId, PostKey, Showing, say};

use super::announcing::{Exit, announce};
use super::card::open_link;
use super::posting::{NotPosted, post_once};
use super::{OUTSIDE, Step, Turn, keep, load};

/// Posts it unless it is there.
pub(super) async fn post(
    shop: &Turn<'_>,
    id: MeetingId,
    artifact_id: &ArtifactId,
) -> Step<Outcome> {
    let meeting = load(shop, id).await?;
    let Some(artifact) = meeting.artifacts.get(artifact_id) else {
        return Ok(Outcome::Obsolete);
    };
    if meeting.is_card_deleted() {
        return Ok(Outcome::Obsolete);
    }
    let exit = match meeting.showing(shop.way_out()) {
        Showing::Card => return reply(shop, &meeting, artifact_id, artifact).await,
        Showing::Notices => Exit::WayOut,
        Showing::ThroughHook(hook) => Exit::Hook(hook),
        Showing::LinkOnly => return Ok(Outcome::Obsolete),
    };
    // Another one may have taken the last use of the response URL while this one waited for the lease.
    let job = Job::PostArtifact {
        artifact: artifact_id.clone(),
    };
    if is_owed(&meeting, &shop.settings.policy.schedule, &job).is_none() {
        return Ok(Outcome::Obsolete);
    }
    let title = &meeting.rule.title;
    let content = match (artifact.kind, &artifact.text) {
        (ArtifactKind::Recording, _) => {
            say::recording_notice(title, &shop.deps.links.artifact(artifact_id, artifact.kind))
        }
        (ArtifactKind::Summary, Some(text)) => {
            say::summary_notice(title, text, &open_link(shop, &meeting))
        }
        _ => return Ok(Outcome::Obsolete),
    };
    let key = PostKey::Artifact(artifact_id.clone());
    let mut row = meeting.post(&key).cloned().unwrap_or_default();
    announce(shop, &meeting, &key, &mut row, exit, content).await?;
    Ok(Outcome::Done)
}

/// In the card's thread.
async fn reply(
    shop: &Turn<'_>,
    meeting: &Meeting,
    artifact_id: &ArtifactId,
    artifact: &Artifact,
) -> Step<Outcome> {
    let card = meeting.post(&PostKey::Card).cloned().unwrap_or_default();
    let Some(card_post) = &card.post else {
        return Ok(Outcome::Obsolete);
    };
    let title = &meeting.rule.title;
    let content = match (artifact.kind, &artifact.text) {
        (ArtifactKind::Recording, _) => {
            say::recording_reply(title, &shop.deps.links.artifact(artifact_id, artifact.kind))
        }
        (ArtifactKind::Summary, Some(text)) => say::summary_reply(title, text),
        _ => return Ok(Outcome::Obsolete),
    };
    let key = PostKey::Artifact(artifact_id.clone());
    let mut row = meeting.post(&key).cloned().unwrap_or_default();
    row.root = Some(card.root.clone().unwrap_or_else(|| card_post.clone()));
    match post_once(shop, meeting, &key, &mut row, content).await {
        Ok(_) => Ok(Outcome::Done),
        Err(NotPosted::Outside) => Ok(Outcome::Paused {
            after: shop.settings.outside_again_after * 10,
            why: OUTSIDE,
        }),
        // Refused with and without its thread: the card is gone, and with it the wish to hear more.
        Err(NotPosted::Met(Outcome::Hopeless { why })) if is_card_gone(shop, card_post).await => {
            tracing::info!(
                why,
                "the card is gone: the artifact stays on the recap page"
            );
            let mut card = card;
            card.frozen = Some(Frozen::Deleted);
            keep(shop, meeting, &PostKey::Card, card).await?;
            Ok(Outcome::Done)
        }
        Err(NotPosted::Met(outcome)) => Err(outcome),
    }
}

async fn is_card_gone(shop: &Turn<'_>, card: &crate::domain::PostId) -> bool {
    matches!(
        shop.deps.chat.read_post(card).await,
        Err(crate::ports::ChatError::NotFound { .. })
    )
}
