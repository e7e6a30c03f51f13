//! Replaying a dead letter.

use std::time::Duration;

use tracing::{debug, info};

use crate::crash_point;
use crate::domain::apply::Reply;
use crate::domain::{Event, Fact, Job, JobId, Meeting, Timestamp};
use crate::envelope::{decode, event_posting};
use crate::ports::{Body, DeadLetter, Envelope, Posting, QueueName};

use super::{RepairError, Repairs};

/// A job's letter is buried first and its meeting told then: for so long the meeting may not know of it.
const TOLD_WITHIN: Duration = Duration::from_secs(60);
/// A wish to end a meeting is carried out for so long; the meeting that it meant is over or was ended otherwise then.
const END_REQUEST_AGE_MAX: Duration = Duration::from_secs(900);
/// Such a meeting is looked at so often,
const LOOKS_MAX: u32 = 20;
/// with this pause.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a replay put into the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The event that carries it, to follow it in the log; none for an answer without a meeting.
    pub event: Option<String>,
    /// The request is older than its rule's worth by so much: its person is told that it is too late.
    pub too_late: Option<Duration>,
}

impl Repairs {
    /// Waits for its turn, then replays a dead letter: of a job, publishes what its meeting owes now; of an event, the
    /// event as it was, under its id, so that what it did already is not done twice. The letter is removed once that is
    /// durable, unless it was buried anew meanwhile. With `reset_age` a person's request counts as received now, so that its
    /// rule's worth begins anew.
    ///
    /// # Errors
    /// See [`RepairError`]; the letter stays.
    pub async fn replay(
        &self,
        id: &str,
        by: &str,
        reset_age: bool,
    ) -> Result<Replayed, RepairError> {
        self.queue()?;
        self.turns.wait().await;
        let letter = self.find(id).await?;
        // One that a newer relay wrote was unreadable when it was buried, and is not once that relay runs.
        let read = decode(&letter.body);
        let body = read
            .map_err(|_| RepairError::Unreadable(id.to_owned()))?
            .body;
        // What it was suspected of is judged anew, with all its tries.
        self.store.clear_mark(&body.mark(&letter.id)).await?;
        let replayed = match body {
            Body::Event(event) => self.replay_event(&letter, event, reset_age).await?,
            Body::Job { id: job, .. } => self.replay_job(&letter, &job, reset_age).await?,
            Body::Reply(tell) => self.replay_reply(tell).await?,
        };
        crash_point::reach("replay.published");
        let removing = self.store.remove_dead_letter(&letter.id, letter.buried_at);
        let is_removed = removing.await?;
        info!(
            message.id = letter.id,
            event.id = replayed.event,
            meeting.id = letter.meeting.map(|id| id.to_string()),
            by,
            reset_age,
            replay = true,
            "dead letter replayed"
        );
        if !is_removed {
            debug!(
                message.id = letter.id,
                "it was given up again before its letter was removed: that one stays"
            );
        }
        self.note(by, "replay", &letter.id, letter.meeting).await;
        Ok(replayed)
    }

    async fn replay_event(
        &self,
        letter: &DeadLetter,
        mut event: Event,
        reset_age: bool,
    ) -> Result<Replayed, RepairError> {
        let now = self.clock.now();
        if !reset_age && is_old_end(&event, now) {
            return Err(RepairError::OldEnd(letter.id.clone()));
        }
        let mut too_late = None;
        match &event.fact {
            Fact::MeetingRequested { .. } | Fact::EndRequested { .. } if reset_age => {
                event.received_at = now;
            }
            Fact::MeetingRequested { rule, .. } => {
                too_late = over(now, event.received_at, rule.start_deadline);
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
        letter: &DeadLetter,
        job: &JobId,
        reset_age: bool,
    ) -> Result<Replayed, RepairError> {
        let key = job.job.key();
        let meeting = self.informed_meeting(letter, job, &key).await?;
        let now = self.clock.now();
        let too_late = (job.job == Job::CreateRoom && meeting.sessions.is_empty() && !reset_age)
            .then(|| over(now, meeting.requested_at, meeting.rule.start_deadline))
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

    async fn replay_reply(&self, tell: Reply) -> Result<Replayed, RepairError> {
        let posting = Posting {
            queue: QueueName::Chat,
            message: Envelope::first(Body::Reply(tell), self.clock.now()),
            delay: Duration::ZERO,
        };
        self.queue()?.send(&[posting]).await?;
        Ok(Replayed {
            event: None,
            too_late: None,
        })
    }

    /// The meeting, once it knows that the job was given up: that fact may be on its way still, and if the meeting heard
    /// first that the job is owed again, it would forget it for good.
    async fn informed_meeting(
        &self,
        letter: &DeadLetter,
        job: &JobId,
        key: &str,
    ) -> Result<Meeting, RepairError> {
        for _ in 0..LOOKS_MAX {
            let Some(meeting) = self.store.meeting(job.meeting).await? else {
                return Err(RepairError::NoMeeting(letter.id.clone()));
            };
            let is_old = self.clock.now().since(letter.buried_at) >= TOLD_WITHIN;
            if is_old || meeting.given_up.contains(key) {
                return Ok(meeting);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(RepairError::TooSoon(letter.id.clone()))
    }
}

/// Such a wish names a place, not a meeting.
fn is_old_end(event: &Event, now: Timestamp) -> bool {
    matches!(event.fact, Fact::EndRequested { .. })
        && now.since(event.received_at) > END_REQUEST_AGE_MAX
}

/// By how much a request is older than its worth.
fn over(now: Timestamp, received_at: Timestamp, start_deadline: Duration) -> Option<Duration> {
    now.since(received_at)
        .checked_sub(start_deadline)
        .filter(|over| !over.is_zero())
}
