//! What a person does about dead letters and meetings. Each is durable when it answers `Ok`.

use std::fmt;
use std::time::Duration;

use tracing::{debug, info};

use crate::crash_point;
use crate::domain::{Event, Fact, Job, JobId, Meeting, MeetingId, Timestamp};
use crate::envelope::EnvelopeQueue;
use crate::ports::{
    Body, Clock, DeadLetter, Envelope, Note, Posting, PublishError, QueueName, Store, StoreError,
};
use crate::worker::poison::job_mark;
use crate::worker::publish::{event_posting, publish_fact};

/// A job's letter is buried first and its meeting told then: for so long the meeting may not know of it.
const TOLD_WITHIN: Duration = Duration::from_secs(60);
/// A wish to end a meeting is carried out for so long; the meeting that it meant is over or was ended otherwise then.
const END_WORTH: Duration = Duration::from_secs(900);
/// Such a meeting is looked at so often,
const LOOKS_MAX: u32 = 20;
/// with this pause.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What repairing needs of a relay.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// Where letters and notes are kept.
    pub store: &'a dyn Store,
    /// The queue.
    pub queue: &'a EnvelopeQueue,
    /// Our clock.
    pub clock: &'a dyn Clock,
}

impl fmt::Debug for Means<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Means").finish_non_exhaustive()
    }
}

/// How a dead letter is replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Whose hand it is.
    pub by: String,
    /// A person's request counts as received now, so that its rule's worth begins anew.
    pub anew: bool,
}

/// What a replay put into the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The event that carries it, to follow it in the log; none for an answer without a meeting.
    pub event: Option<String>,
    /// The request is older than its rule's worth by so much: its person is told that it is too late.
    pub too_late: Option<Duration>,
}

/// Why a dead letter was not replayed or discarded. It stays.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is none of this id.
    #[error("there is no dead letter {0}")]
    Unknown(String),
    /// Nobody can read it, so nobody can replay it.
    #[error(
        "dead letter {0} cannot be read by this version of the relay and so not be replayed; a newer one wrote it, \
         or it is damaged: keep it until that version runs, or discard it"
    )]
    Unreadable(String),
    /// What it belongs to is not in the store.
    #[error(
        "the store knows no meeting of dead letter {0} (was it restored from a backup?), so nothing can be done for \
         it; discard it"
    )]
    NoMeeting(String),
    /// It would end another meeting than was meant.
    #[error(
        "dead letter {0} is an old wish to end what ran at its place then; now it would end whatever runs there: end \
         that with `meetrelay meetings end`, replay it with --now if that is meant, or discard it"
    )]
    OldEnd(String),
    /// It was only just given up.
    #[error(
        "dead letter {0} was given up just now and its meeting does not know it yet; try again in a moment"
    )]
    TooSoon(String),
    /// The queue did not take it.
    #[error(transparent)]
    Queue(#[from] PublishError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Replays a dead letter: of a job, publishes what its meeting owes now; of an event, the event as it was, under its
/// id, so that what it did already is not done twice. The letter is removed once that is durable, unless it was buried
/// anew meanwhile. `read` decodes the letter's body.
///
/// # Errors
/// See [`ReplayError`]; the letter stays.
pub async fn replay(
    means: Means<'_>,
    id: &str,
    how: &Replay,
    read: impl Fn(&[u8]) -> Option<Body> + Send,
) -> Result<Replayed, ReplayError> {
    let letter = find(means.store, id).await?;
    // One that a newer relay wrote was unreadable when it was buried, and is not once that relay runs.
    let body = read(&letter.body).ok_or_else(|| ReplayError::Unreadable(id.to_owned()))?;
    // What it was suspected of is judged anew, with all its tries.
    let mark = match &body {
        Body::Job { id, .. } => job_mark(id),
        Body::Event(_) | Body::Tell(_) => letter.id.clone(),
    };
    means.store.clear_mark(&mark).await?;
    let replayed = match body {
        Body::Event(event) => {
            if !how.anew && is_old_end(&event, means.clock.now()) {
                return Err(ReplayError::OldEnd(letter.id));
            }
            replay_event(means, event, how.anew).await?
        }
        Body::Job { id: job, .. } => replay_job(means, &letter, &job, how.anew).await?,
        Body::Tell(tell) => {
            let envelope = Envelope::first(Body::Tell(tell), means.clock.now());
            let posting = Posting {
                queue: QueueName::Chat,
                message: envelope,
                delay: Duration::ZERO,
            };
            means.queue.send(&[posting]).await?;
            Replayed {
                event: None,
                too_late: None,
            }
        }
    };
    crash_point::reach("replay.published");
    let is_removed = means
        .store
        .remove_dead_letter(&letter.id, letter.buried_at)
        .await?;
    info!(
        message.id = letter.id,
        event.id = replayed.event,
        meeting.id = letter.meeting.map(|id| id.to_string()),
        by = how.by,
        anew = how.anew,
        replay = true,
        "dead letter replayed"
    );
    if !is_removed {
        debug!(
            message.id = letter.id,
            "it was given up again before its letter was removed: that one stays"
        );
    }
    let Means { store, clock, .. } = means;
    note(store, clock, &how.by, "replay", &letter.id, letter.meeting).await;
    Ok(replayed)
}

async fn replay_event(
    means: Means<'_>,
    mut event: Event,
    anew: bool,
) -> Result<Replayed, PublishError> {
    let now = means.clock.now();
    let mut too_late = None;
    match &event.fact {
        Fact::MeetingRequested { .. } | Fact::EndRequested { .. } if anew => {
            event.received_at = now;
        }
        Fact::MeetingRequested { rule, .. } => {
            too_late = over(now, event.received_at, rule.worth);
        }
        _ => {}
    }
    let id = event.id.to_string();
    means.queue.send(&[event_posting(event, now)]).await?;
    Ok(Replayed {
        event: Some(id),
        too_late,
    })
}

async fn replay_job(
    means: Means<'_>,
    letter: &DeadLetter,
    job: &JobId,
    anew: bool,
) -> Result<Replayed, ReplayError> {
    let key = job.job.key();
    let meeting = told_meeting(means, letter, job, &key).await?;
    let now = means.clock.now();
    let too_late = (job.job == Job::CreateRoom && meeting.sessions.is_empty() && !anew)
        .then(|| over(now, meeting.requested_at, meeting.rule.worth))
        .flatten();
    let fact = Fact::JobReplayed {
        meeting: job.meeting,
        job: key,
        anew,
    };
    let key = format!("replay:{job}:{}", now.millis());
    let event = publish_fact(means.queue, means.clock, fact, key).await?;
    Ok(Replayed {
        event: Some(event.to_string()),
        too_late,
    })
}

/// The meeting, once it knows that the job was given up: that fact may be on its way still, and told first that it is
/// owed again the meeting would forget it for good.
async fn told_meeting(
    means: Means<'_>,
    letter: &DeadLetter,
    job: &JobId,
    key: &str,
) -> Result<Meeting, ReplayError> {
    for _ in 0..LOOKS_MAX {
        let Some(meeting) = means.store.meeting(job.meeting).await? else {
            return Err(ReplayError::NoMeeting(letter.id.clone()));
        };
        let is_old = means.clock.now().since(letter.buried_at) >= TOLD_WITHIN;
        if is_old || meeting.given_up.contains(key) {
            return Ok(meeting);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(ReplayError::TooSoon(letter.id.clone()))
}

/// Such a wish names a place, not a meeting.
fn is_old_end(event: &Event, now: Timestamp) -> bool {
    matches!(event.fact, Fact::EndRequested { .. }) && now.since(event.received_at) > END_WORTH
}

/// By how much a request is older than its worth.
fn over(now: Timestamp, received_at: Timestamp, worth: Duration) -> Option<Duration> {
    now.since(received_at)
        .checked_sub(worth)
        .filter(|over| !over.is_zero())
}

/// Removes a dead letter for good.
///
/// # Errors
/// There is none, or the store is away.
pub async fn discard(
    store: &dyn Store,
    clock: &dyn Clock,
    id: &str,
    by: &str,
) -> Result<(), ReplayError> {
    let letter = find(store, id).await?;
    let is_removed = store.remove_dead_letter(id, letter.buried_at).await?;
    if !is_removed {
        return Err(ReplayError::Unknown(id.to_owned()));
    }
    info!(
        message.id = id,
        meeting.id = letter.meeting.map(|id| id.to_string()),
        by,
        reason = letter.reason,
        "dead letter discarded"
    );
    note(store, clock, by, "discard", id, letter.meeting).await;
    Ok(())
}

/// Ends a meeting on an administrator's word.
///
/// # Errors
/// The wish is not durable.
pub async fn end_meeting(
    means: Means<'_>,
    meeting: MeetingId,
    by: &str,
) -> Result<(), PublishError> {
    let key = format!("end:{meeting}:{}", means.clock.now().millis());
    let event = publish_fact(means.queue, means.clock, Fact::EndOrdered { meeting }, key).await?;
    info!(meeting.id = %meeting, event.id = %event, by, "end ordered");
    let subject = meeting.to_string();
    note(means.store, means.clock, by, "end", &subject, Some(meeting)).await;
    Ok(())
}

/// Keeps who did what. It is done already, so a store that is away changes nothing: the log line stands.
async fn note(
    store: &dyn Store,
    clock: &dyn Clock,
    by: &str,
    action: &str,
    subject: &str,
    meeting: Option<MeetingId>,
) {
    let note = Note {
        at: clock.now(),
        by: by.to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        meeting,
    };
    if let Err(error) = store.log_note(note).await {
        debug!(%error, action, "who did it stands in the log alone");
    }
}

async fn find(store: &dyn Store, id: &str) -> Result<DeadLetter, ReplayError> {
    store
        .dead_letter(id)
        .await?
        .ok_or_else(|| ReplayError::Unknown(id.to_owned()))
}
