//! Makes messages of owed jobs and of facts.

use std::time::Duration;

use crate::domain::apply::Applied;
use crate::domain::{Event, Fact, Job, JobId, MeetingId, Notice, Owed, Timestamp};
use crate::envelope::{event_posting, own_event};
use crate::ports::{Body, Envelope, Posting, QueueName};

/// The messages that report to apply that message `id` was given up.
pub(super) fn given_up_postings(facts: Vec<Fact>, id: &str, now: Timestamp) -> Vec<Posting> {
    let events = given_up_events(facts, id, now);
    events.map(|event| event_posting(event, now)).collect()
}

/// The events of these messages.
pub(super) fn given_up_events(
    facts: Vec<Fact>,
    id: &str,
    now: Timestamp,
) -> impl Iterator<Item = Event> {
    facts.into_iter().map(move |fact| {
        let key = format!("given-up:{}:{id}:{}", fact.kind(), now.millis());
        own_event(fact, key, now)
    })
}

/// The messages for the job queues that result from applied events.
pub(super) fn postings(applied: &[Applied], now: Timestamp) -> Vec<Posting> {
    let mut postings = Vec::new();
    for applied in applied {
        if let Some((meeting, round)) = applied.meeting {
            postings.extend(
                applied
                    .publish
                    .iter()
                    .map(|owed| job_posting(meeting, round, owed, now)),
            );
        }
        if let Some(tell) = &applied.tell {
            let envelope = Envelope::first(Body::Reply(tell.clone()), now);
            postings.push(Posting {
                queue: QueueName::Chat,
                message: envelope,
                delay: Duration::ZERO,
            });
        }
    }
    postings
}

/// The message of one owed job.
pub(super) fn job_posting(meeting: MeetingId, round: u32, owed: &Owed, now: Timestamp) -> Posting {
    let body = Body::Job {
        id: JobId {
            meeting,
            job: owed.job.clone(),
            round,
        },
        since: owed.since,
    };
    let delay = owed.due.since(now);
    Posting {
        queue: queue_of(&owed.job),
        message: Envelope::first(body, now).delayed(now, delay),
        delay,
    }
}

/// The queue of a job. First cards and answers have a queue of their own, before everything else that calls Mattermost.
fn queue_of(job: &Job) -> QueueName {
    match job {
        Job::CreateRoom
        | Job::EndRoom { .. }
        | Job::PollRoom { .. }
        | Job::PollArtifacts { .. }
        | Job::FetchArtifact { .. } => QueueName::Conference,
        // The first versions of a meeting belong to its first card: "being prepared", or with the room.
        Job::RefreshCard { version } if *version <= 2 => QueueName::Chat,
        Job::PostNotice {
            notice: Notice::Start,
        }
        | Job::Answer { .. }
        | Job::CheckRight { .. } => QueueName::Chat,
        Job::RefreshCard { .. }
        | Job::PostNotice {
            notice: Notice::End,
        }
        | Job::PostArtifact { .. }
        | Job::TidyPosts { .. } => QueueName::ChatLater,
    }
}
