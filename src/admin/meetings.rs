//! Meetings: list, show, end.

use serde::Serialize;
use warp::reply::Response;

use super::answer::{
    self, ArtifactAnswer, Done, HistoryLine, MeetingLine, MeetingsAnswer, PostAnswer, time,
};
use super::call::{ApiCall, ApiRefusal, ok};
use super::reference;
use crate::domain::meeting::{CardView, Request, Session};
use crate::domain::owed::owed;
use crate::domain::{Meeting, Peer, PostKey, PostRow, TriggerSource};
use crate::ports::{Logged, MeetingFilter, MeetingSummary};

/// Lists running meetings. With `?all` it also lists those that are over.
pub(super) async fn list(call: &ApiCall) -> Result<Response, ApiRefusal> {
    let filter = MeetingFilter {
        running_only: call.parameter("all").is_none(),
        limit: call.limit()?,
    };
    let meetings = call.admin.store.meetings(filter).await?;
    Ok(ok(&MeetingsAnswer {
        meetings: meetings.iter().map(line_of_summary).collect(),
    }))
}

pub(super) async fn show(call: &ApiCall, id: &str) -> Result<Response, ApiRefusal> {
    let meeting = reference::meeting(call, id).await?;
    let history = call.admin.store.history(meeting.id).await?;
    let mut shown = whole(&meeting, &history);
    shown.waits_for = waits_for(call, &meeting);
    Ok(ok(&shown))
}

pub(super) async fn end(call: &ApiCall, id: &str) -> Result<Response, ApiRefusal> {
    let meeting = reference::meeting(call, id).await?;
    call.admin.repairs.end_meeting(meeting.id, &call.by).await?;
    let is_running = meeting.state().is_running();
    Ok(ok(&Done {
        done: "end ordered".to_owned(),
        event_id: None,
        hint: (!is_running).then(|| "it is over already; nothing will change".to_owned()),
    }))
}

fn line_of_summary(summary: &MeetingSummary) -> MeetingLine {
    MeetingLine {
        id: summary.id.to_string(),
        title: summary.title.clone(),
        state: summary.state.as_str().to_owned(),
        room: summary.room.clone(),
        channel: summary.channel_name.clone(),
        starter: summary.starter.clone(),
        requested_at: time(summary.requested_at),
    }
}

fn whole(meeting: &Meeting, history: &[Logged]) -> answer::MeetingAnswer {
    let card = meeting.card_view();
    let end = meeting.end.as_ref();
    answer::MeetingAnswer {
        line: line_of_card(meeting, &card),
        channel_id: meeting.place.channel.to_string(),
        thread: meeting.place.thread.as_ref().map(ToString::to_string),
        started_at: card.started_at.map(time),
        ended_at: card.ended.map(|ended| time(ended.at)),
        is_end_about: card.ended.is_some_and(|ended| ended.is_about),
        lasted_s: card
            .ended
            .and_then(|e| e.lasted)
            .map(|lasted| lasted.as_secs()),
        people: card.people,
        present: card.present,
        refused: meeting.refusal().as_ref().map(word),
        end_wanted_at: end.map(|end| time(end.wanted_at)),
        end_tried: end.map_or(0, |end| end.tried),
        requests: meeting.requests.iter().map(request).collect(),
        sessions: meeting.sessions.iter().map(session).collect(),
        artifacts: meeting
            .artifacts
            .iter()
            .map(|(id, artifact)| ArtifactAnswer {
                id: id.to_string(),
                kind: artifact.kind.as_str().to_owned(),
                known_at: time(artifact.known_at),
            })
            .collect(),
        posts: meeting
            .posts
            .iter()
            .map(|(key, row)| post(key, row))
            .collect(),
        card_version: meeting.version,
        round: meeting.round,
        wake_at: meeting.wake_at.map(time),
        given_up: meeting.given_up.iter().cloned().collect(),
        waits_for: Vec::new(),
        history: history.iter().map(history_line).collect(),
    }
}

/// The refusals of peers because of which jobs of this meeting wait, with what to change.
pub(super) fn waits_for(call: &ApiCall, meeting: &Meeting) -> Vec<String> {
    let jobs = owed(meeting, &call.admin.schedule);
    let is_needed = |peer: &Peer| jobs.iter().any(|owed| owed.job.peer() == *peer);
    let peers = [Peer::Mattermost, Peer::PlugNmeet].into_iter();
    peers
        .filter(is_needed)
        .filter_map(|peer| call.admin.readiness.refusal(peer))
        .collect()
}

pub(super) fn line_of_card(meeting: &Meeting, card: &CardView) -> MeetingLine {
    MeetingLine {
        id: meeting.id.to_string(),
        title: card.title.clone(),
        state: card.state.as_str().to_owned(),
        room: card.room.to_string(),
        channel: meeting.place.channel_name.clone(),
        starter: card.starter.clone(),
        requested_at: time(card.requested_at),
    }
}

fn request(request: &Request) -> answer::RequestAnswer {
    let via = match request.via {
        TriggerSource::OutgoingWebhook { .. } => "outgoing_webhook",
        TriggerSource::SlashCommand { .. } => "slash_command",
    };
    answer::RequestAnswer {
        id: request.id.to_string(),
        by: request.by.user_name.clone(),
        via: via.to_owned(),
        purpose: word(&request.purpose),
        received_at: time(request.received_at),
    }
}

fn session(session: &Session) -> answer::SessionAnswer {
    answer::SessionAnswer {
        sid: session.sid.to_string(),
        created_at: session.created_at().map(time),
        is_ended: session.is_ended(),
    }
}

fn post(key: &PostKey, row: &PostRow) -> PostAnswer {
    PostAnswer {
        key: key.to_string(),
        post_id: row.post.as_ref().map(ToString::to_string),
        posted_at: row.posted_at.map(time),
        rendered: row.rendered,
        frozen: row.frozen.as_ref().map(word),
        outside_since: row.outside_since.map(time),
    }
}

fn history_line(logged: &Logged) -> HistoryLine {
    HistoryLine {
        event_id: logged.event.clone(),
        event: logged.kind.clone(),
        source: logged.source.clone(),
        received_at: time(logged.received_at),
        applied_at: time(logged.applied_at),
    }
}

/// The word under which a plain enum is stored.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
