//! What is there after (and while) everything settles: meetings from the relay, posts from Mattermost, sessions from
//! plugNmeet, queues from RabbitMQ and the metrics.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;
use meetrelay::admin::answer::{DeadLettersAnswer, MeetingAnswer, MeetingsAnswer};
use serde::de::DeserializeOwned;

use super::ledger::{Discrepancy, Meeting, Notes, Seen, Session};
use super::people::channel_of;
use super::stage::Stage;

/// How long one call of the relay's admin API may take.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// Most lines of one listing.
const LINES_MAX: usize = 500;

/// Looks at everything of a run of `number` meetings.
pub async fn look(stage: &Stage, number: u32, notes: &Notes) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    let mut posts = Vec::new();
    for number in 0..number {
        posts.extend(stage.chat.posts(&channel_of(number)));
    }
    let mut ids = BTreeSet::new();
    for room in stage
        .conference
        .rooms()
        .iter()
        .filter(|room| !room.is_breakout)
    {
        let meeting = room.extra_data.get("relay_meeting_id").cloned();
        ids.extend(meeting.clone());
        seen.sessions.push(Session {
            sid: room.sid.clone(),
            room: room.room_id.clone(),
            meeting,
            is_over: !room.is_running(),
        });
    }
    let keyed: Vec<_> = posts
        .iter()
        .filter_map(|post| {
            let key = post.props.get("meetrelay")?.get("key")?.as_str()?;
            let (meeting, key) = key.split_once(':')?;
            Some((meeting, key, post))
        })
        .collect();
    ids.extend(keyed.iter().map(|(meeting, _, _)| (*meeting).to_owned()));
    let listed: MeetingsAnswer =
        ask(stage, &format!("/api/meetings?all&limit={LINES_MAX}")).await?;
    ids.extend(listed.meetings.into_iter().map(|line| line.id));
    let letters: DeadLettersAnswer =
        ask(stage, &format!("/api/dead-letters?limit={LINES_MAX}")).await?;
    let letters = letters.dead_letters;
    for id in ids {
        let Some(answer) = ask_about(stage, &id).await? else {
            continue;
        };
        let is_named = letters
            .iter()
            .any(|letter| letter.meeting_id.as_ref() == Some(&id));
        seen.meetings.insert(id, meeting(answer, is_named));
    }
    for (id, key, post) in keyed {
        let Some(meeting) = seen.meetings.get_mut(id) else {
            continue;
        };
        *meeting.posts.entry(key.to_owned()).or_default() += 1;
        if key == "card" {
            let text = serde_json::Value::from(post.attachments().to_vec()).to_string();
            meeting.card = Some((post.message.clone(), text));
        }
    }
    seen.letters = letters
        .into_iter()
        .map(|letter| (letter.id, letter.reason))
        .collect();
    for asked in notes
        .asked
        .iter()
        .filter(|asked| !asked.response.is_empty())
    {
        let uses = stage.chat.response_uses(&asked.response);
        seen.responses.insert(asked.response.clone(), uses);
    }
    Ok(seen)
}

/// What keeps the relays from being at rest: messages in queues and spools, unaccounted events.
pub async fn unrest(stage: &Stage) -> Vec<Discrepancy> {
    let mut wrong = Vec::new();
    let mut complain = |id: String, what: String| wrong.push(Discrepancy { id, what });
    for relay in &stage.relays {
        let (number, admin) = {
            let relay = relay.lock().await;
            (relay.number, relay.admin)
        };
        let id = format!("relay-{number}");
        match get(admin, "/metrics", None).await {
            Ok((_, text)) => {
                for (series, value) in at_zero(&text) {
                    complain(id.clone(), format!("{series} is {value}"));
                }
                for secret in stage.secrets.iter().filter(|secret| text.contains(*secret)) {
                    complain(
                        id.clone(),
                        format!("its metrics hold a secret ({secret:.6}...)"),
                    );
                }
            }
            Err(error) => complain(id.clone(), format!("no metrics: {error:#}")),
        }
        match get(admin, "/readyz", None).await {
            Ok((200, _)) => {}
            other => complain(id, format!("not ready: {other:?}")),
        }
    }
    if let Some(part) = &stage.broker {
        let broker = part.server.lock().await;
        for queue in broker.queues(&part.name).await {
            let depth = broker.depth(&part.name, &queue).await.unwrap_or(0);
            if depth > 0 {
                complain(queue, format!("{depth} messages lie in it"));
            }
        }
    }
    wrong
}

/// The series that must be 0 at rest and are not.
fn at_zero(metrics: &str) -> Vec<(String, f64)> {
    const NAMES: [&str; 3] = [
        "meetrelay_queue_depth",
        "meetrelay_spool_depth",
        "meetrelay_unaccounted_events",
    ];
    let lines = metrics
        .lines()
        .filter(|line| NAMES.iter().any(|name| line.starts_with(name)));
    lines
        .filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let value: f64 = value.parse().ok()?;
            (value != 0.0).then(|| (series.to_owned(), value))
        })
        .collect()
}

fn meeting(answer: MeetingAnswer, is_named: bool) -> Meeting {
    Meeting {
        id: answer.line.id,
        channel: answer.line.channel,
        state: answer.line.state,
        requests: answer
            .requests
            .into_iter()
            .map(|request| (request.id, request.purpose))
            .collect(),
        history: answer
            .history
            .into_iter()
            .map(|line| line.event_id)
            .collect(),
        wake_at: answer.wake_at,
        is_buried: is_named || !answer.given_up.is_empty(),
        ..Meeting::default()
    }
}

async fn ask_about(stage: &Stage, id: &str) -> anyhow::Result<Option<MeetingAnswer>> {
    match asked(stage, &format!("/api/meetings/{id}")).await? {
        (404, _) => Ok(None),
        (_, text) => Ok(Some(serde_json::from_str(&text).with_context(|| text)?)),
    }
}

async fn ask<T: DeserializeOwned>(stage: &Stage, path: &str) -> anyhow::Result<T> {
    let (_, text) = asked(stage, path).await?;
    serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))
}

/// Status and text of the first relay's answer.
async fn asked(stage: &Stage, path: &str) -> anyhow::Result<(u16, String)> {
    let relay = stage.relays[0].lock().await;
    let file = relay.data.join("admin-token");
    let token = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    get(relay.admin, path, Some(token.trim())).await
}

async fn get(admin: u16, path: &str, token: Option<&str>) -> anyhow::Result<(u16, String)> {
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(CALL_LIMIT)
        .build()?;
    let mut request = http.get(format!("http://127.0.0.1:{admin}{path}"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_be_zero_and_is_not_is_named() {
        let metrics = "# HELP meetrelay_spool_depth x\nmeetrelay_spool_depth 0\n\
                       meetrelay_queue_depth{queue=\"chat\"} 2\nmeetrelay_unaccounted_events -1\n\
                       meetrelay_dead_letters 7\n";
        let found = at_zero(metrics);
        let expected = [
            ("meetrelay_queue_depth{queue=\"chat\"}".to_owned(), 2.0),
            ("meetrelay_unaccounted_events".to_owned(), -1.0),
        ];
        assert_eq!(found, expected);
    }
}
