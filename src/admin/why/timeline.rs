//! The timeline: everything that is known to have happened, in order of time.

use crate::admin::answer::{DeadLetterLine, MomentAnswer, What, time};
use crate::domain::{Meeting, Timestamp};
use crate::ports::{Attempt, Logged, Note};

/// The records of a meeting in the store.
pub(super) struct TimelineSources<'a> {
    pub(super) events: Vec<Logged>,
    /// The event whose id was given. It may not be an event of the meeting.
    pub(super) event: Option<Logged>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) notes: Vec<Note>,
    pub(super) letters: &'a [DeadLetterLine],
}

/// A meeting's timeline.
pub(super) fn of_meeting(meeting: &Meeting, sources: TimelineSources<'_>) -> Vec<MomentAnswer> {
    let mut events = sources.events;
    if let Some(event) = sources.event
        && !events.iter().any(|known| known.event == event.event)
    {
        events.push(event);
    }
    let mut moments: Vec<(Timestamp, What)> = events.into_iter().map(event).collect();
    moments.extend(sources.attempts.into_iter().map(attempt));
    moments.extend(sources.notes.into_iter().map(note));
    moments.extend(sources.letters.iter().filter_map(buried));
    moments.extend(meeting.posts.iter().filter_map(|(key, row)| {
        let what = What::Posted {
            post: key.to_string(),
            post_id: row.post.as_ref()?.to_string(),
        };
        Some((row.posted_at?, what))
    }));
    ordered(moments)
}

/// The timeline of something without a meeting.
pub(super) fn of_one(
    logged: Option<Logged>,
    letters: &[DeadLetterLine],
    notes: Vec<Note>,
) -> Vec<MomentAnswer> {
    let mut moments: Vec<(Timestamp, What)> = logged.into_iter().map(event).collect();
    moments.extend(letters.iter().filter_map(buried));
    moments.extend(notes.into_iter().map(note));
    ordered(moments)
}

fn ordered(mut moments: Vec<(Timestamp, What)>) -> Vec<MomentAnswer> {
    // The sort is stable: moments with the same time keep the order in which they were stored.
    moments.sort_by_key(|(at, _)| *at);
    let first = moments
        .first()
        .map_or_else(Timestamp::default, |(at, _)| *at);
    moments
        .into_iter()
        .map(|(at, what)| MomentAnswer {
            at: time(at),
            offset_ms: at.millis().saturating_sub(first.millis()),
            what,
        })
        .collect()
}

fn event(logged: Logged) -> (Timestamp, What) {
    let lag = logged.applied_at.since(logged.received_at);
    let what = What::Event {
        event_id: logged.event,
        event: logged.kind,
        source: logged.source,
        effect: logged.effect.as_str().to_owned(),
        applied_at: time(logged.applied_at),
        lag_ms: millis(lag),
    };
    (logged.received_at, what)
}

fn attempt(attempt: Attempt) -> (Timestamp, What) {
    let meeting = attempt.meeting.to_string();
    // The part of `<meeting>:<kind>:<detail>:<round>` that differs within the history of one meeting.
    let job = attempt.job.strip_prefix(&meeting).unwrap_or(&attempt.job);
    let job = job.trim_start_matches(':');
    let job = job.rsplit_once(':').map_or(job, |(key, _)| key);
    let what = What::Attempt {
        job: job.to_owned(),
        number: attempt.number,
        queue: attempt.queue.as_str().to_owned(),
        lag_ms: millis(attempt.began_at.since(attempt.due_at)),
        took_ms: millis(attempt.took),
        ending: attempt.ending.as_str().to_owned(),
        detail: attempt.detail,
        job_id: attempt.job,
    };
    (attempt.began_at, what)
}

fn note(note: Note) -> (Timestamp, What) {
    let what = What::Note {
        by: note.by,
        action: note.action,
        subject: note.subject,
    };
    (note.at, what)
}

fn buried(letter: &DeadLetterLine) -> Option<(Timestamp, What)> {
    let at: jiff::Timestamp = letter.buried_at.parse().ok()?;
    let what = What::Buried {
        letter: letter.id.clone(),
        reason: letter.reason.clone(),
    };
    Some((Timestamp::from_millis(at.as_millisecond()), what))
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
