//! Computes the jobs that a meeting owes from its facts. They are not stored, so that nothing is lost with a queue.

mod notices;

use std::sync::Arc;
use std::time::Duration;

use super::meeting::{Artifact, Request, RequestPurpose};
use super::{
    ArtifactKind, DeliveryMethod, Job, Meeting, Owed, PostKey, PostRow, Presentation, State,
    Timestamp, TriggerSource,
};
use notices::{NoticePath, notices};

/// How long a card waits after its previous version was given up.
const REFUSED_CARD_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// The longest such wait, after several versions.
const REFUSED_CARD_AGAIN_AFTER_MAX: Duration = Duration::from_secs(600);

/// When jobs are due, and how meetings are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// What the delivery method can do; the same on every replica.
    pub delivery_method: DeliveryMethod,
    /// A card or notice "being prepared" is posted if there is no room this long after the request.
    pub first_card_after: Duration,
    /// `EndRoom` is repeated after this time.
    pub end_again_after: Duration,
    /// How long after a room became known plugNmeet is first asked whether the room runs.
    pub poll_first_after: Duration,
    /// The interval between later polls.
    pub poll_every: Duration,
    /// The times after the end at which artifacts are polled, one poll each, in rising order.
    pub artifact_polls: Arc<[Duration]>,
}

/// All jobs that `meeting` owes, each with the time at which it is due. Jobs that were given up are not owed.
pub fn owed(meeting: &Meeting, schedule: &Schedule) -> Vec<Owed> {
    let mut owed = Vec::new();
    conference_jobs(meeting, schedule, &mut owed);
    chat_jobs(meeting, schedule, &mut owed);
    owed.retain(|owed| !meeting.given_up.contains(&owed.job.key()));
    owed
}

/// Whether `job` is owed now, and since when. A worker checks this before it calls a peer.
pub fn is_owed(meeting: &Meeting, schedule: &Schedule, job: &Job) -> Option<Owed> {
    owed(meeting, schedule)
        .into_iter()
        .find(|owed| owed.job == *job)
}

fn conference_jobs(meeting: &Meeting, schedule: &Schedule, owed: &mut Vec<Owed>) {
    let state = meeting.state();
    if state == State::Creating && meeting.end.is_none() {
        owed.push(at_once(Job::CreateRoom, meeting.requested_at));
    }
    let session = meeting.newest_session();
    let is_alive = session.is_some_and(|session| !session.is_ended());
    if let Some(end) = &meeting.end
        && !end.gone
        // The end is tried further although a poll found no room. A server that stopped while it ended a room never
        // reports the end, and creating the room would bring the same session back (src/plugnmeet/README.md, "Sessions
        // that never end").
        && session.is_none_or(|session| session.session_ended_at.is_none())
    {
        let due = end
            .tried_at
            .map_or(end.wanted_at, |at| at.plus(schedule.end_again_after));
        owed.push(Owed {
            job: Job::EndRoom { tried: end.tried },
            due,
            since: end.wanted_at,
        });
    }
    if let Some(session) = session.filter(|_| is_alive) {
        let due = meeting.polled_at.map_or_else(
            || session.known_at.plus(schedule.poll_first_after),
            |at| at.plus(schedule.poll_every),
        );
        owed.push(Owed {
            job: Job::PollRoom {
                polled: meeting.polled,
            },
            due,
            since: due,
        });
    }
    if let Some(known_at) = meeting
        .end_known_at
        .filter(|_| session.is_some() && !is_alive)
    {
        let step = meeting.artifacts_step;
        if let Some(after) = schedule.artifact_polls.get(step as usize) {
            let due = known_at.plus(*after);
            owed.push(Owed {
                job: Job::PollArtifacts { step },
                due,
                since: due,
            });
        }
    }
    for (id, artifact) in &meeting.artifacts {
        if artifact.kind == ArtifactKind::Summary && artifact.text.is_none() {
            owed.push(at_once(
                Job::FetchArtifact {
                    artifact: id.clone(),
                },
                artifact.known_at,
            ));
        }
    }
}

fn chat_jobs(meeting: &Meeting, schedule: &Schedule, owed: &mut Vec<Owed>) {
    for request in &meeting.requests {
        if request.purpose == RequestPurpose::EndAsked && meeting.state().is_running() {
            owed.push(at_once(
                Job::CheckRight {
                    request: request.id,
                },
                request.received_at,
            ));
        }
        if let Some(since) = answer_wanted(meeting, request) {
            owed.push(at_once(
                Job::Answer {
                    request: request.id,
                },
                since,
            ));
        }
    }
    if meeting.is_card_deleted() {
        return;
    }
    match meeting.presentation(schedule.delivery_method) {
        Presentation::Card => card_jobs(meeting, schedule, owed),
        Presentation::Notices => notices(meeting, schedule, NoticePath::DeliveryMethod, owed),
        Presentation::ThroughHook(_) => {
            notices(
                meeting,
                schedule,
                NoticePath::Hook(meeting.hook_lives_until()),
                owed,
            );
        }
        Presentation::LinkOnly => {}
    }
}

fn card_jobs(meeting: &Meeting, schedule: &Schedule, owed: &mut Vec<Owed>) {
    let card = meeting.post(&PostKey::Card);
    let is_behind = card.is_none_or(|row| row.frozen.is_none() && row.rendered < meeting.version);
    // A notice has reported the end already: the delivery method was another one then.
    let is_told = meeting
        .post(&PostKey::Final)
        .is_some_and(PostRow::is_posted);
    if (is_behind && !is_told) || needs_final(meeting) {
        let job = Job::RefreshCard {
            version: meeting.version,
        };
        let is_first = card.is_none_or(|row| row.post.is_none());
        let due = if is_first && meeting.state() == State::Creating {
            meeting.requested_at.plus(schedule.first_card_after)
        } else {
            meeting.changed_at.plus(pause_of_refused_card(meeting))
        };
        owed.push(Owed {
            job,
            due,
            since: meeting.changed_at,
        });
    }
    if card.is_some_and(|row| row.post.is_some()) {
        for (id, artifact) in &meeting.artifacts {
            let is_settled = meeting
                .post(&PostKey::Artifact(id.clone()))
                .is_some_and(PostRow::is_settled);
            if is_ready(artifact) && !is_settled {
                owed.push(at_once(
                    Job::PostArtifact {
                        artifact: id.clone(),
                    },
                    artifact.known_at,
                ));
            }
        }
    }
    for (key, row) in &meeting.posts {
        if let Some(due) = row.tidy_at {
            owed.push(Owed {
                job: Job::TidyPosts { post: key.clone() },
                due,
                since: due,
            });
        }
    }
}

/// How long a card waits after earlier versions of it were given up. The next version most likely fails too, and a
/// meeting may change several times within a second. The wait grows with each version that was given up.
fn pause_of_refused_card(meeting: &Meeting) -> Duration {
    let given_up = meeting
        .given_up
        .iter()
        .filter(|job| job.starts_with("RefreshCard:"))
        .count();
    match u32::try_from(given_up).unwrap_or(u32::MAX) {
        0 => Duration::ZERO,
        times => REFUSED_CARD_AGAIN_AFTER
            .saturating_mul(1 << (times - 1).min(10))
            .min(REFUSED_CARD_AGAIN_AFTER_MAX),
    }
}

/// Whether the artifact can be shown: a recording, or a summary whose text was read.
fn is_ready(artifact: &Artifact) -> bool {
    match artifact.kind {
        ArtifactKind::Recording => true,
        ArtifactKind::Summary => artifact.summary().is_some(),
        ArtifactKind::Transcript | ArtifactKind::Analytics => false,
    }
}

/// Whether the reply about the end is missing: the card can no longer be changed and the meeting is over.
fn needs_final(meeting: &Meeting) -> bool {
    let is_frozen = meeting
        .post(&PostKey::Card)
        .is_some_and(|row| row.frozen == Some(super::post::Frozen::NotEditable));
    is_frozen
        && !meeting.state().is_running()
        && meeting
            .post(&PostKey::Final)
            .is_none_or(|row| !row.is_posted())
}

/// Since when the request needs an answer that the card does not give.
fn answer_wanted(meeting: &Meeting, request: &Request) -> Option<Timestamp> {
    let row = meeting.post(&PostKey::Answer(request.id));
    let can_hear = match &request.via {
        TriggerSource::OutgoingWebhook { .. } => true,
        TriggerSource::SlashCommand { hook } => hook.is_some(),
    };
    if !can_hear || row.is_some_and(|row| !is_answer_due(meeting, request, row)) {
        return None;
    }
    let names_another = request.told == Some(false);
    let is_wanted = match request.purpose {
        // In a channel the card shows the same.
        RequestPurpose::Start => names_another && request.is_by_command(),
        RequestPurpose::StartWhileRunning => request.told != Some(true),
        RequestPurpose::EndRefused => true,
        // Earlier versions did not name the meeting that ends, and their requests are too old to be answered.
        RequestPurpose::EndAllowed => names_another || end_has_failed(meeting, request),
        // Nobody needs the right to end a meeting that is over.
        RequestPurpose::EndAsked => {
            (names_another && !meeting.state().is_running()) || end_has_failed(meeting, request)
        }
    };
    is_wanted.then(|| {
        let again_at = row.and_then(|row| row.again_at);
        again_at.unwrap_or(request.received_at)
    })
}

/// Whether the request still lacks an answer, if it needs one. It has none, or its answer promised an end that was
/// given up since.
pub fn is_answer_due(meeting: &Meeting, request: &Request, answer: &PostRow) -> bool {
    !answer.answered || (answer.rendered == 0 && end_has_failed(meeting, request))
}

/// Whether the end that this person requested by command was given up while the meeting still runs.
pub fn end_has_failed(meeting: &Meeting, request: &Request) -> bool {
    let is_given_up = match request.purpose {
        RequestPurpose::EndAllowed => meeting.is_end_given_up(),
        RequestPurpose::EndAsked => {
            let request = request.id;
            meeting
                .given_up
                .contains(&Job::CheckRight { request }.key())
        }
        RequestPurpose::Start | RequestPurpose::StartWhileRunning | RequestPurpose::EndRefused => {
            false
        }
    };
    is_given_up && request.is_by_command() && meeting.state().is_running()
}

fn at_once(job: Job, since: Timestamp) -> Owed {
    Owed {
        job,
        due: since,
        since,
    }
}
