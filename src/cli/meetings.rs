//! `meetrelay meetings ...`

use clap::{Args, Subcommand};

use super::admin_client::{AdminClient, path_part};
use super::offline::OfflineArgs;
use super::outcome::{CommandResult, Failure};
use super::table::{cell, facts, table};
use crate::admin::answer;
use crate::config::Sources;

#[derive(Debug, Args)]
pub(super) struct MeetingsArgs {
    #[command(flatten)]
    offline: OfflineArgs,
    #[command(subcommand)]
    command: MeetingsCommand,
}

#[derive(Debug, Subcommand)]
enum MeetingsCommand {
    /// The running ones, newest first
    List {
        /// Those that are over as well
        #[arg(long)]
        all: bool,
        /// At most this many, 1 to 500
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One meeting with its requests, sessions, posts and events
    Show {
        /// Any REF of `why`: any id, a permalink, a link, or an error's text with its ref
        #[arg(value_name = "REF", required = true, num_args = 1..)]
        reference: Vec<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// End one for everybody
    End {
        /// Any REF of `why`: any id, a permalink, a link, or an error's text with its ref
        #[arg(value_name = "REF", required = true, num_args = 1..)]
        reference: Vec<String>,
    },
}

impl MeetingsArgs {
    pub(super) async fn run(self, sources: &Sources) -> CommandResult {
        let relay = AdminClient::of(sources, self.offline).await?;
        let outcome = self.command.run(&relay).await;
        relay.close().await;
        outcome
    }
}

impl MeetingsCommand {
    async fn run(self, relay: &AdminClient) -> CommandResult {
        match self {
            Self::List { all, limit, json } => {
                let all = if all { "&all" } else { "" };
                let path = format!("meetings?limit={limit}{all}");
                let meetings: answer::MeetingsAnswer = relay.get(&path).await?;
                print(json, &meetings, list)
            }
            Self::Show { reference, json } => {
                let path = format!("meetings/{}", path_part(&reference.join(" ")));
                let meeting: answer::MeetingAnswer = relay.get(&path).await?;
                print(json, &meeting, show)
            }
            Self::End { reference } => {
                let id = reference.join(" ");
                let path = format!("meetings/{}/end", path_part(&id));
                let done: answer::Done = relay.post(&path).await?;
                let hint = done.hint.map(|hint| format!("\n  {hint}"));
                Ok(format!("{}: {id}{}", done.done, hint.unwrap_or_default()))
            }
        }
    }
}

/// The answer as JSON, or as text for people.
pub(super) fn print<T: serde::Serialize>(
    json: bool,
    answer: &T,
    human: fn(&T) -> String,
) -> CommandResult {
    if json {
        serde_json::to_string_pretty(answer).map_err(Failure::failed)
    } else {
        Ok(human(answer))
    }
}

fn list(answer: &answer::MeetingsAnswer) -> String {
    if answer.meetings.is_empty() {
        return "no meetings\n".to_owned();
    }
    let row = |meeting: &answer::MeetingLine| {
        [
            meeting.id.clone(),
            meeting.state.clone(),
            meeting.requested_at.clone(),
            cell(&meeting.starter),
            cell(&meeting.channel),
            meeting.room.clone(),
            cell(&meeting.title),
        ]
    };
    let rows: Vec<_> = answer.meetings.iter().map(row).collect();
    let head = ["ID", "STATE", "REQUESTED", "BY", "CHANNEL", "ROOM", "TITLE"];
    table(head, &rows)
}

fn show(meeting: &answer::MeetingAnswer) -> String {
    let line = &meeting.line;
    let ended = meeting
        .ended_at
        .as_ref()
        .map(|at| match meeting.is_end_about {
            true => format!("about {at}"),
            false => at.clone(),
        });
    let end_wanted = meeting.end_wanted_at.as_ref();
    let mut text = facts(&[
        ("id", Some(line.id.clone())),
        ("title", Some(cell(&line.title))),
        ("state", Some(line.state.clone())),
        ("refused", meeting.refused.clone()),
        ("room", Some(line.room.clone())),
        (
            "channel",
            Some(format!("{} ({})", cell(&line.channel), meeting.channel_id)),
        ),
        ("thread", meeting.thread.clone()),
        (
            "requested",
            Some(format!("{} by {}", line.requested_at, cell(&line.starter))),
        ),
        ("started", meeting.started_at.clone()),
        ("ended", ended),
        (
            "lasted",
            meeting.lasted_s.map(|lasted| format!("{lasted} s")),
        ),
        (
            "people",
            Some(format!(
                "{} ({} in it now)",
                meeting.people, meeting.present
            )),
        ),
        (
            "end requested",
            end_wanted.map(|at| format!("{at}, sent to plugNmeet {} times", meeting.end_tried)),
        ),
        ("card version", Some(meeting.card_version.to_string())),
        ("next sweep", meeting.wake_at.clone()),
        (
            "given up",
            Some(meeting.given_up.join(", ")).filter(|jobs| !jobs.is_empty()),
        ),
        (
            "waits for",
            Some(meeting.waits_for.join("; ")).filter(|what| !what.is_empty()),
        ),
    ]);
    let parts = [
        requests(meeting),
        sessions(meeting),
        artifacts(meeting),
        posts(meeting),
        history(meeting),
    ];
    for part in parts.into_iter().flatten() {
        text.push('\n');
        text.push_str(&part);
    }
    text
}

/// A table with its heading, if it has rows.
fn part<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> Option<String> {
    (!rows.is_empty()).then(|| table(head, &rows))
}

fn requests(meeting: &answer::MeetingAnswer) -> Option<String> {
    let row = |request: &answer::RequestAnswer| {
        [
            request.id.clone(),
            request.received_at.clone(),
            cell(&request.by),
            request.via.clone(),
            request.purpose.clone(),
        ]
    };
    let rows = meeting.requests.iter().map(row).collect();
    part(["REQUEST", "RECEIVED", "BY", "VIA", "PURPOSE"], rows)
}

fn sessions(meeting: &answer::MeetingAnswer) -> Option<String> {
    let row = |session: &answer::SessionAnswer| {
        let state = if session.is_ended { "ended" } else { "runs" };
        [
            session.sid.clone(),
            session.created_at.clone().unwrap_or_default(),
            state.to_owned(),
        ]
    };
    let rows = meeting.sessions.iter().map(row).collect();
    part(["SESSION", "CREATED", "STATE"], rows)
}

fn artifacts(meeting: &answer::MeetingAnswer) -> Option<String> {
    let row = |artifact: &answer::ArtifactAnswer| {
        [
            artifact.id.clone(),
            artifact.kind.clone(),
            artifact.known_at.clone(),
        ]
    };
    let rows = meeting.artifacts.iter().map(row).collect();
    part(["ARTIFACT", "KIND", "KNOWN"], rows)
}

fn posts(meeting: &answer::MeetingAnswer) -> Option<String> {
    let row = |post: &answer::PostAnswer| {
        let outside = post.outside_since.as_ref();
        [
            post.key.clone(),
            post.post_id.clone().unwrap_or_else(|| "-".to_owned()),
            post.rendered.to_string(),
            post.frozen.clone().unwrap_or_else(|| "-".to_owned()),
            outside.map_or_else(
                || "-".to_owned(),
                |at| format!("posting refused since {at}"),
            ),
        ]
    };
    let rows = meeting.posts.iter().map(row).collect();
    part(["POST", "ID", "VERSION", "FROZEN", "FAILURE"], rows)
}

fn history(meeting: &answer::MeetingAnswer) -> Option<String> {
    let row = |line: &answer::HistoryLine| {
        [
            line.received_at.clone(),
            line.event.clone(),
            line.source.clone(),
            line.event_id.clone(),
        ]
    };
    let rows = meeting.history.iter().map(row).collect();
    part(["RECEIVED", "EVENT", "SOURCE", "EVENT ID"], rows)
}
