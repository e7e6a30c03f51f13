//! The job `PostArtifact`: posts one reply in the card's thread, or one notice, for each recording and summary.

use std::time::Duration;

use crate::domain::meeting::{Artifact, Request};
use crate::domain::owed::is_owed;
use crate::domain::post::Frozen;
use crate::domain::retry::Outcome;
use crate::domain::{
    ArtifactId, ArtifactKind, DeliveryMethod, Job, Meeting, MeetingId, PostKey, Presentation,
    Rendered, UserId, say,
};

use super::announcing::{Exit, announce};
use super::card::open_link;
use super::outside::{FORBIDDEN, rest_outside};
use super::posting::{NotPosted, post_once};
use super::{JobContext, StepResult, keep, load};

/// Longest wait for the names of the people to mention.
const NAMES_WITHIN: Duration = Duration::from_secs(5);

/// Posts the artifact unless it was posted before.
pub(super) async fn post(
    ctx: &JobContext<'_>,
    id: MeetingId,
    artifact_id: &ArtifactId,
) -> StepResult<Outcome> {
    let meeting = load(ctx, id).await?;
    let Some(artifact) = meeting.artifacts.get(artifact_id) else {
        return Ok(Outcome::Obsolete);
    };
    if meeting.is_card_deleted() {
        return Ok(Outcome::Obsolete);
    }
    let exit = match meeting.presentation(ctx.delivery_method()) {
        Presentation::Card => return reply(ctx, &meeting, artifact_id, artifact).await,
        Presentation::Notices => Exit::DeliveryMethod,
        Presentation::ThroughHook(hook) => Exit::Hook(hook),
        Presentation::LinkOnly => return Ok(Outcome::Obsolete),
    };
    // Another artifact may have used the response URL for the last time while this job waited for the lease.
    let job = Job::PostArtifact {
        artifact: artifact_id.clone(),
    };
    if is_owed(&meeting, &ctx.settings.policy.schedule, &job).is_none() {
        return Ok(Outcome::Obsolete);
    }
    let title = &meeting.rule.title;
    let content = match (artifact.kind, artifact.summary()) {
        (ArtifactKind::Recording, _) => {
            say::recording_notice(title, &ctx.deps.links.artifact(artifact_id, artifact.kind))
        }
        (ArtifactKind::Summary, Some(text)) => {
            say::summary_notice(title, text, &open_link(ctx, &meeting))
        }
        _ => return Ok(Outcome::Obsolete),
    };
    let content = match exit {
        Exit::DeliveryMethod => mentioning(ctx, &meeting, artifact_id, content).await,
        // Mattermost notifies the members of a direct message anyway.
        Exit::Hook(_) => content,
    };
    let key = PostKey::Artifact(artifact_id.clone());
    let mut row = meeting.post(&key).cloned().unwrap_or_default();
    announce(ctx, &meeting, &key, &mut row, exit, content).await?;
    Ok(Outcome::Done)
}

/// Posts the artifact as a reply in the card's thread.
async fn reply(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    artifact_id: &ArtifactId,
    artifact: &Artifact,
) -> StepResult<Outcome> {
    let card = meeting.post(&PostKey::Card).cloned().unwrap_or_default();
    let Some(card_post) = &card.post else {
        return Ok(Outcome::Obsolete);
    };
    let title = &meeting.rule.title;
    let content = match (artifact.kind, artifact.summary()) {
        (ArtifactKind::Recording, _) => {
            say::recording_reply(title, &ctx.deps.links.artifact(artifact_id, artifact.kind))
        }
        (ArtifactKind::Summary, Some(text)) => {
            say::summary_reply(title, text, &open_link(ctx, meeting))
        }
        _ => return Ok(Outcome::Obsolete),
    };
    let key = PostKey::Artifact(artifact_id.clone());
    let mut row = meeting.post(&key).cloned().unwrap_or_default();
    row.root = Some(card.root.clone().unwrap_or_else(|| card_post.clone()));
    let content = if row.is_posted() {
        content
    } else {
        mentioning(ctx, meeting, artifact_id, content).await
    };
    match post_once(ctx, meeting, &key, &mut row, content).await {
        Ok(_) => Ok(Outcome::Done),
        Err(NotPosted::Outside) => Ok(rest_outside(ctx, meeting, FORBIDDEN)),
        // Mattermost refused the reply with and without its thread, and the card is deleted: nothing more is posted.
        Err(NotPosted::Met(Outcome::Hopeless { why })) if is_card_gone(ctx, card_post).await => {
            tracing::info!(
                why,
                "the card was deleted; the artifact is only on the recap page"
            );
            let mut card = card;
            card.frozen = Some(Frozen::Deleted);
            keep(ctx, meeting, &PostKey::Card, card).await?;
            Ok(Outcome::Done)
        }
        Err(NotPosted::Met(outcome)) => Err(outcome),
    }
}

/// Mentions the people of the meeting's rule in the post of its first artifact. Without a mention nobody would notice
/// it.
async fn mentioning(
    ctx: &JobContext<'_>,
    meeting: &Meeting,
    artifact: &ArtifactId,
    content: Rendered,
) -> Rendered {
    let users = meeting.mentioned_by(artifact);
    let asking = futures_util::future::join_all(users.iter().map(|user| async {
        let asked = match ctx.delivery_method() {
            DeliveryMethod::Posts => ctx.deps.chat.account(user).await.ok(),
            DeliveryMethod::Notices => None,
        };
        asked.map(|account| account.user_name)
    }));
    // The post must not wait for names. A person whose name cannot be read now is mentioned by the name in a request.
    let asked = tokio::time::timeout(NAMES_WITHIN, asking).await;
    let asked = asked.unwrap_or_else(|_| vec![None; users.len()]);
    let requested_as = |user: &UserId| {
        let by =
            |request: &Request| (request.by.user_id == *user).then(|| request.by.user_name.clone());
        meeting.requests.iter().find_map(by)
    };
    let names: Vec<String> = std::iter::zip(&users, asked)
        .filter_map(|(user, asked)| asked.or_else(|| requested_as(user)))
        .collect();
    say::mentioning(&names, content)
}

async fn is_card_gone(ctx: &JobContext<'_>, card: &crate::domain::PostId) -> bool {
    matches!(
        ctx.deps.chat.read_post(card).await,
        Err(crate::ports::ChatError::NotFound { .. })
    )
}
