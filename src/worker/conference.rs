//! Jobs that call plugNmeet. The facts that they learn are published to apply as events.

use std::time::Duration;

use tracing::{info, warn};

use crate::domain::event::{SessionRef, end_seen_key};
use crate::domain::retry::{Outcome, RetryReason};
use crate::domain::text::neutralise_markdown;
use crate::domain::{ArtifactId, Fact, Job, JobId, Meeting, Refusal, event::SUMMARY_CHARS_MAX};
use crate::ports::{ConferenceError, EndAnswer, NewRoom, RoomActivity};

use super::WorkerContext;
use super::jobs::JobReport;

/// Pause after plugNmeet refuses a poll permanently. Polls are never given up, because a card would stay live for ever.
const REFUSED_POLL_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// Does one job.
pub(super) async fn run(ctx: &WorkerContext, meeting: &Meeting, id: &JobId) -> JobReport {
    match &id.job {
        Job::CreateRoom => create_room(ctx, meeting).await,
        Job::EndRoom { .. } => end_room(ctx, meeting).await,
        Job::PollRoom { .. } => poll_room(ctx, meeting).await,
        Job::PollArtifacts { step } => poll_artifacts(ctx, meeting, *step).await,
        Job::FetchArtifact { artifact } => fetch_artifact(ctx, meeting, artifact).await,
        Job::RefreshCard { .. }
        | Job::PostNotice { .. }
        | Job::PostArtifact { .. }
        | Job::Answer { .. }
        | Job::CheckRight { .. }
        | Job::TidyPosts { .. } => JobReport::of(Outcome::Hopeless {
            why: "a job of Mattermost in a queue of plugNmeet".to_owned(),
        }),
    }
}

async fn create_room(ctx: &WorkerContext, meeting: &Meeting) -> JobReport {
    let now = ctx.deps.clock.now();
    if now.since(meeting.requested_at) > meeting.rule.start_deadline {
        let reason = Refusal::TooLate;
        return JobReport::learned(Fact::RoomRefused {
            meeting: meeting.id,
            reason,
            for_now: false,
        });
    }
    let room = NewRoom {
        room: meeting.room.clone(),
        meeting: meeting.id,
        title: meeting.rule.title.clone(),
        logout_url: None,
    };
    match ctx.deps.conference.create_room(room).await {
        Ok(room) => {
            info!(session.id = %room.sid, "room created");
            JobReport::learned(Fact::RoomCreated {
                meeting: meeting.id,
                sid: room.sid,
                created_at: room.created_at,
            })
        }
        Err(error) => {
            let refused = |(reason, for_now)| {
                let meeting = meeting.id;
                (
                    Fact::RoomRefused {
                        meeting,
                        reason,
                        for_now,
                    },
                    None,
                )
            };
            JobReport {
                learned: refusal_of(meeting, &error)
                    .map(refused)
                    .into_iter()
                    .collect(),
                ..JobReport::of(outcome_of(&error))
            }
        }
    }
}

/// The refusal that a failed create reports, unless the meeting has recorded the same one. `true`: it only says why
/// there is no room yet. The person reads it if the start reaches its deadline.
fn refusal_of(meeting: &Meeting, error: &ConferenceError) -> Option<(Refusal, bool)> {
    let reason = match error {
        ConferenceError::Refused { .. } => return Some((Refusal::Refused, false)),
        ConferenceError::Unauthorized { .. } => Refusal::Unauthorized,
        ConferenceError::Internal { .. } => Refusal::GaveUp,
        _ => Refusal::TooLate,
    };
    (meeting.held_up.unwrap_or(Refusal::TooLate) != reason).then_some((reason, true))
}

async fn end_room(ctx: &WorkerContext, meeting: &Meeting) -> JobReport {
    match ctx.deps.conference.end_room(&meeting.room).await {
        Ok(answer) => JobReport::learned(Fact::EndTried {
            meeting: meeting.id,
            gone: answer == EndAnswer::NotFound,
        }),
        Err(error) => JobReport::of(outcome_of(&error)),
    }
}

/// Asks whether the room still runs. A failed poll reports nothing about the room.
async fn poll_room(ctx: &WorkerContext, meeting: &Meeting) -> JobReport {
    let Some(session) = meeting.newest_session() else {
        return JobReport::of(Outcome::Obsolete);
    };
    match ctx.deps.conference.room_activity(&meeting.room).await {
        Ok(activity) => {
            let ended = activity == RoomActivity::Ended;
            if ended {
                warn!(session.id = %session.sid, "the room has ended and no webhook reported it");
            }
            let sid = session.sid.clone();
            let key = ended.then(|| end_seen_key(&sid));
            let fact = Fact::RoomPolled {
                meeting: meeting.id,
                sid,
                ended,
            };
            JobReport {
                learned: vec![(fact, key)],
                ..JobReport::of(Outcome::Done)
            }
        }
        Err(error) => JobReport::of(outcome_of_poll(&error)),
    }
}

async fn poll_artifacts(ctx: &WorkerContext, meeting: &Meeting, step: u32) -> JobReport {
    let mut learned = Vec::new();
    for session in &meeting.sessions {
        match ctx.deps.conference.artifacts(&session.sid).await {
            Ok(listed) => {
                for artifact in listed {
                    if meeting.artifacts.contains_key(&artifact.id) {
                        continue;
                    }
                    let key = format!("found:{}", artifact.id);
                    let session = SessionRef {
                        sid: session.sid.clone(),
                        room: Some(meeting.room.clone()),
                        breakout_of: None,
                        created_at: None,
                        // The answer has no time of plugNmeet's clock. The session's own time keeps the order of facts.
                        said_at: session
                            .created_at()
                            .or(session.said_at)
                            .unwrap_or(meeting.requested_at),
                    };
                    let (artifact, kind) = (artifact.id, artifact.kind);
                    learned.push((
                        Fact::ArtifactCreated {
                            session,
                            artifact,
                            kind,
                        },
                        Some(key),
                    ));
                }
            }
            Err(error) => {
                return JobReport {
                    learned,
                    ..JobReport::of(outcome_of_poll(&error))
                };
            }
        }
    }
    learned.push((
        Fact::ArtifactsPolled {
            meeting: meeting.id,
            step,
        },
        None,
    ));
    JobReport {
        learned,
        ..JobReport::of(Outcome::Done)
    }
}

async fn fetch_artifact(
    ctx: &WorkerContext,
    meeting: &Meeting,
    artifact: &ArtifactId,
) -> JobReport {
    match ctx.deps.conference.summary_text(artifact).await {
        Ok(text) => {
            if text.is_empty() {
                info!(artifact.id = %artifact, "the summary file holds no summary; none is shown");
            }
            JobReport::learned(Fact::SummaryRead {
                meeting: meeting.id,
                artifact: artifact.clone(),
                text: neutralise_markdown(&text, SUMMARY_CHARS_MAX),
            })
        }
        // The file may become available a moment after its webhook.
        Err(ConferenceError::NotFound) => JobReport::of(Outcome::Failed {
            why: "the summary is not available yet".to_owned(),
        }),
        Err(error) => JobReport::of(outcome_of(&error)),
    }
}

fn outcome_of(error: &ConferenceError) -> Outcome {
    let why = error.to_string();
    match error {
        ConferenceError::Unreachable { .. } => Outcome::Unavailable {
            after: None,
            reason: RetryReason::Unreachable,
            why,
        },
        ConferenceError::Unavailable { after, .. } => Outcome::Unavailable {
            after: *after,
            reason: RetryReason::ServerError,
            why,
        },
        // One of plugNmeet's back ends is unavailable, or the room is locked. It does not say for how long.
        ConferenceError::Internal { .. } => Outcome::Unavailable {
            after: None,
            reason: RetryReason::Failed,
            why,
        },
        // Every call fails until a person corrects the key. The job waits, so that it continues by itself then.
        ConferenceError::Unauthorized { .. } => Outcome::Unavailable {
            after: None,
            reason: RetryReason::Paused,
            why,
        },
        ConferenceError::RoomGone
        | ConferenceError::Blocked
        | ConferenceError::NotFound
        | ConferenceError::Refused { .. } => Outcome::Hopeless { why },
    }
}

fn outcome_of_poll(error: &ConferenceError) -> Outcome {
    match outcome_of(error) {
        Outcome::Hopeless { why } => {
            warn!(why, "plugNmeet refused a poll");
            Outcome::Paused {
                after: REFUSED_POLL_AGAIN_AFTER,
                why: "plugNmeet refused the poll; the log has the reason",
            }
        }
        outcome => outcome,
    }
}
