//! Replaying a dead letter.

use std::time::Duration;

use tracing::{debug, info};

use crate::crash_point;
use crate::domain::apply::Reply;
use crate::domain::{Event, Fact, Job, JobId, Meeting, Timestamp};
use crate::envelope::{decode, event_posting};
use crate::ports::{Body, DeadLetter, Envelope, Posting, QueueName};

use super::{RepairError, Repairs};

/// A job's dead letter is stored before its meeting records that the job was given up. For this long the meeting may
/// not have recorded it yet.
const RECORDED_WITHIN: Duration = Duration::from_secs(60);
/// A request to end a meeting may be replayed for this long. After that the meeting that it meant is over, or was ended
/// in another way.
const END_REQUEST_AGE_MAX: Duration = Duration::from_secs(900);
/// How many times a meeting is loaded to see whether it has recorded that its job was given up.
const LOADS_MAX: u32 = 20;
/// Pause between two of these loads.
const LOAD_EVERY: Duration = Duration::from_millis(100);

/// What a replay published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The id of the published event, to follow it in the log. `None` for a reply without a meeting.
    pub event: Option<String>,
    /// How far the request is past its rule's `start_deadline`, if it is: the person gets the answer that it is too
    /// late.
    pub too_late: Option<Duration>,
}

impl Repairs {
    /// Waits for its turn, then replays a dead letter.
    ///
    /// For a job, its meeting is made to publish what it owes now. For an event, the same event is published under its
    /// own id, so that nothing that it has already done is done twice. The dead letter is removed once that is durable,
    /// unless the message was given up again meanwhile. With `reset_age` a person's request counts as received now, so
    /// that its rule's `start_deadline` begins again.
    ///
    /// # Errors
    /// See [`RepairError`]; the dead letter stays.
    pub async fn replay(
        &self,
        id: &str,
        by: &str,
        reset_age: bool,
    ) -> Result<Replayed, RepairError> {
        self.queue()?;
        self.turns.wait().await;
        let dead_letter = self.find(id).await?;
        // A message of a newer relay was unreadable when its dead letter was stored, and is readable once that relay
        // runs.
        let decoded = decode(&dead_letter.body);
        let body = decoded
            .map_err(|_| RepairError::Unreadable(id.to_owned()))?
            .body;
        // Its delivery mark is cleared, so that it gets all its tries again before it counts as poison.
        self.store.clear_mark(&body.mark(&dead_letter.id)).await?;
        let replayed = match body {
            Body::Event(event) => self.replay_event(&dead_letter, event, reset_age).await?,
            Body::Job { id: job, .. } => self.replay_job(&dead_letter, &job, reset_age).await?,
            Body::Reply(reply) => self.replay_reply(reply).await?,
        };
        crash_point::reach("replay.published");
        let is_removed = self
            .store
            .remove_dead_letter(&dead_letter.id, dead_letter.buried_at)
            .await?;
        info!(
            message.id = dead_letter.id,
            event.id = replayed.event,
            meeting.id = dead_letter.meeting.map(|id| id.to_string()),
            by,
            reset_age,
            replay = true,
            "dead letter replayed"
        );
        if !is_removed {
            debug!(
                message.id = dead_letter.id,
                "the message was given up again before its dead letter was removed: the new dead letter stays"
            );
        }
        self.note(by, "replay", &dead_letter.id, dead_letter.meeting)
            .await;
        Ok(replayed)
    }

    async fn replay_event(
        &self,
        dead_letter: &DeadLetter,
        mut event: Event,
        reset_age: bool,
    ) -> Result<Replayed, RepairError> {
        let now = self.clock.now();
        if !reset_age && is_old_end(&event, now) {
            return Err(RepairError::OldEnd(dead_letter.id.clone()));
        }
        let mut too_late = None;
        match &event.fact {
            Fact::MeetingRequested { .. } | Fact::EndRequested { .. } if reset_age => {
                event.received_at = now;
            }
            Fact::MeetingRequested { rule, .. } => {
                too_late = past_deadline(now, event.received_at, rule.start_deadline);
            }
            _ => {}
        }
        let id = event.id.to_string();
        self.queue()?.send(&[event_posting(event, now)]).await?;
        Ok(Replayed {
            event: Some(id),
            too_late,
        })
    }

    async fn replay_job(
        &self,
        dead_letter: &DeadLetter,
        job: &JobId,
        reset_age: bool,
    ) -> Result<Replayed, RepairError> {
        let key = job.job.key();
        let meeting = self.meeting_that_gave_up(dead_letter, job, &key).await?;
        let now = self.clock.now();
        let too_late = (job.job == Job::CreateRoom && meeting.sessions.is_empty() && !reset_age)
            .then(|| past_deadline(now, meeting.requested_at, meeting.rule.start_deadline))
            .flatten();
        let fact = Fact::JobReplayed {
            meeting: job.meeting,
            job: key,
            reset_age,
        };
        let key = format!("replay:{job}:{}", now.millis());
        let event = self.publish_fact(fact, key).await?;
        Ok(Replayed {
            event: Some(event.to_string()),
            too_late,
        })
    }

    async fn replay_reply(&self, reply: Reply) -> Result<Replayed, RepairError> {
        let posting = Posting {
            queue: QueueName::Chat,
            message: Envelope::first(Body::Reply(reply), self.clock.now()),
            delay: Duration::ZERO,
        };
        self.queue()?.send(&[posting]).await?;
        Ok(Replayed {
            event: None,
            too_late: None,
        })
    }

    /// The meeting, once it has recorded that the job was given up. That fact may still be in the queue. If the meeting
    /// first learned that the job is owed again, the fact would then give the job up for good.
    async fn meeting_that_gave_up(
        &self,
        dead_letter: &DeadLetter,
        job: &JobId,
        key: &str,
    ) -> Result<Meeting, RepairError> {
        for _ in 0..LOADS_MAX {
            let Some(meeting) = self.store.meeting(job.meeting).await? else {
                return Err(RepairError::NoMeeting(dead_letter.id.clone()));
            };
            let is_old = self.clock.now().since(dead_letter.buried_at) >= RECORDED_WITHIN;
            if is_old || meeting.given_up.contains(key) {
                return Ok(meeting);
            }
            tokio::time::sleep(LOAD_EVERY).await;
        }
        Err(RepairError::TooSoon(dead_letter.id.clone()))
    }
}

/// Whether the event is an old request to end a meeting. Such a request names a conversation, not a meeting.
fn is_old_end(event: &Event, now: Timestamp) -> bool {
    matches!(event.fact, Fact::EndRequested { .. })
        && now.since(event.received_at) > END_REQUEST_AGE_MAX
}

/// How far a request is past its `start_deadline`.
fn past_deadline(
    now: Timestamp,
    received_at: Timestamp,
    start_deadline: Duration,
) -> Option<Duration> {
    now.since(received_at)
        .checked_sub(start_deadline)
        .filter(|over| !over.is_zero())
}
