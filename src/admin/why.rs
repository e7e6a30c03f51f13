//! The history of one meeting, found by any id that a person has.

#[cfg(test)]
mod tests;
mod timeline;

use std::time::Duration;

use warp::reply::Response;

use super::answer::{HistoryOf, MeetingLine, OwedJobAnswer, WhyAnswer, time};
use super::call::{ApiCall, ApiRefusal, ok};
use super::reference::{self, Reference};
use super::{dead_letters, meetings};
use crate::domain::apply::Effect;
use crate::domain::owed::owed;
use crate::domain::{Meeting, MeetingId, PostKey, Timestamp};
use crate::ports::{DeadFilter, Logged, Lookup};

/// Most dead letters of a meeting that are shown.
const LETTERS_MAX: usize = 100;
/// The message of an id that is younger than this may still be in the queue, even a busy one.
const YOUNG: Duration = Duration::from_secs(60);

/// `?ref=` is an id, a permalink, a link of the relay, or a text that contains one of them.
pub(super) async fn why(call: &ApiCall) -> Result<Response, ApiRefusal> {
    let text = call.parameter("ref").unwrap_or_default();
    let (reference, id, lookup) = reference::resolve(call, &text).await?;
    Ok(ok(&explain(call, &reference, id, lookup).await?))
}

async fn explain(
    call: &ApiCall,
    reference: &Reference,
    id: String,
    lookup: Lookup,
) -> Result<WhyAnswer, ApiRefusal> {
    let store = &call.admin.store;
    let now = call.admin.clock.now();
    let mut why = WhyAnswer {
        made_at: reference::made_at(&id, now).map(time),
        is: kind(&id, reference, &lookup).to_owned(),
        id,
        told: Vec::new(),
        meeting: None,
        timeline: Vec::new(),
        owed: Vec::new(),
        dead_letters: Vec::new(),
    };
    if let Some(event) = &lookup.event {
        why.told.push(of_event(event, lookup.meeting.is_some()));
    }
    if let Some(letter) = &lookup.letter {
        why.told.push(format!(
            "It is a dead letter: {}. `meetrelay dead-letters show` has its message, `dead-letters replay` tries it \
             again.",
            letter.reason.trim_end_matches('.')
        ));
        why.dead_letters.push(dead_letters::line(letter));
    }
    let meeting = match lookup.meeting {
        Some(meeting) => store.meeting(meeting).await?,
        None => None,
    };
    let Some(meeting) = meeting else {
        let notes = store.notes(&why.id).await?;
        why.told
            .extend(without_meeting(&why, &lookup, reference, now));
        why.timeline = timeline::of_one(lookup.event, &why.dead_letters, notes);
        return Ok(why);
    };
    let letters = store
        .dead_letters(DeadFilter {
            meeting: Some(meeting.id),
            ..DeadFilter::newest(LETTERS_MAX)
        })
        .await?;
    let known: Vec<_> = why
        .dead_letters
        .iter()
        .map(|line| line.id.clone())
        .collect();
    let others = letters.iter().filter(|letter| !known.contains(&letter.id));
    why.dead_letters.extend(others.map(dead_letters::line));
    why.owed = owed_now(call, &meeting);
    let waits_for = meetings::waits_for(call, &meeting).into_iter();
    why.told
        .extend(waits_for.map(|what| format!("Its owed jobs wait: {what}.")));
    why.timeline = timeline::of_meeting(
        &meeting,
        timeline::TimelineSources {
            events: store.history(meeting.id).await?,
            event: lookup.event,
            attempts: store.attempts(meeting.id).await?,
            notes: notes(call, meeting.id, &why.id).await?,
            letters: &why.dead_letters,
        },
    );
    why.meeting = Some(state(&meeting));
    Ok(why)
}

/// The notes about the meeting, and those about the id that was given.
async fn notes(
    call: &ApiCall,
    meeting: MeetingId,
    id: &str,
) -> Result<Vec<crate::ports::Note>, ApiRefusal> {
    let store = &call.admin.store;
    let mut notes = store.notes(&meeting.to_string()).await?;
    for note in store.notes(id).await? {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    Ok(notes)
}

fn kind(id: &str, reference: &Reference, lookup: &Lookup) -> &'static str {
    let is_meeting = lookup
        .meeting
        .is_some_and(|meeting| meeting.to_string() == id);
    match lookup {
        _ if is_meeting => "meeting",
        Lookup {
            letter: Some(_), ..
        } => "dead_letter",
        Lookup { event: Some(_), .. } => "event",
        Lookup {
            meeting: Some(_), ..
        } if reference.meeting.is_some() => "job",
        Lookup {
            meeting: Some(_), ..
        } => "meeting",
        _ => "unknown",
    }
}

fn of_event(event: &Logged, has_meeting: bool) -> String {
    let (kind, source) = (&event.kind, &event.source);
    let came = format!("The event {kind} from {source}");
    match event.effect {
        Effect::Applied if has_meeting => format!("{came} was applied to the meeting below."),
        Effect::Applied => format!(
            "{came} was applied and concerned no meeting: none ran where it was requested. The person got this answer \
             if the relay could reach them."
        ),
        Effect::Duplicate => format!(
            "{came} was received before under another id and changed nothing; a repeated webhook is normal."
        ),
        Effect::Conflict => format!(
            "{came} was received before with another content; the first one counts, this one changed nothing."
        ),
        Effect::Foreign => format!(
            "{came} belongs to no meeting of this relay: a room that somebody else made at plugNmeet, or a meeting \
             whose record is gone."
        ),
    }
}

/// What is known of an id without a meeting, and where to find more.
fn without_meeting(
    why: &WhyAnswer,
    lookup: &Lookup,
    reference: &Reference,
    now: Timestamp,
) -> Vec<String> {
    if lookup.event.is_some() || lookup.letter.is_some() {
        return Vec::new();
    }
    let id = &why.id;
    let mut told = vec![format!("Nothing is stored under {id}.")];
    match reference::made_at(id, now) {
        Some(made_at) if reference.is_link => told.push(format!(
            "The link is genuine and was issued {}; its request was never applied.",
            ago(now, made_at)
        )),
        Some(made_at) => told.push(format!(
            "The time in the id shows that it was made {}.",
            ago(now, made_at)
        )),
        None => {}
    }
    match reference::made_at(id, now) {
        Some(made_at) if now.since(made_at) < YOUNG => told.push(
            "If it was shown with an error, it was never accepted. Otherwise it may still be in the events queue or in \
             the spool: ask again in a moment, and see meetrelay_queue_depth{queue=\"events\"} and meetrelay_spool_depth \
             on /metrics."
                .to_owned(),
        ),
        Some(_) => told.push(
            "If a person or plugNmeet got it with an error, it was never accepted, and nothing else is known of it. If \
             it was accepted, it is still in the events queue or the spool (/metrics: \
             meetrelay_queue_depth{queue=\"events\"}, meetrelay_spool_depth), or its record is older than dedup.keep \
             (30 days)."
                .to_owned(),
        ),
        None => told.push(
            "It is not an id that the relay made. Posts, rooms, sessions and artifacts are known once a meeting has \
             them. A post that started nothing is not recorded."
                .to_owned(),
        ),
    }
    told.push(format!("The log may know more: grep {id}"));
    told
}

fn ago(now: Timestamp, at: Timestamp) -> String {
    let age = Duration::from_secs(now.since(at).as_secs());
    format!("{} ago ({})", humantime::format_duration(age), time(at))
}

fn owed_now(call: &ApiCall, meeting: &Meeting) -> Vec<OwedJobAnswer> {
    let mut jobs = owed(meeting, &call.admin.schedule);
    jobs.sort_by_key(|owed| owed.due);
    jobs.iter()
        .map(|owed| OwedJobAnswer {
            job: owed.job.key(),
            due_at: time(owed.due),
            since: time(owed.since),
        })
        .collect()
}

fn state(meeting: &Meeting) -> HistoryOf {
    let card = meeting.post(&PostKey::Card);
    let line: MeetingLine = meetings::line_of_card(meeting, &meeting.card_view());
    HistoryOf {
        line,
        refused: meeting.refusal().as_ref().map(meetings::word),
        sessions: meeting
            .sessions
            .iter()
            .map(|session| session.sid.to_string())
            .collect(),
        card_post: card.and_then(|row| Some(row.post.as_ref()?.to_string())),
        card_shows: card.map_or(0, |row| row.rendered),
        card_version: meeting.version,
        card_frozen: card.and_then(|row| Some(meetings::word(row.frozen.as_ref()?))),
        wake_at: meeting.wake_at.map(time),
    }
}
