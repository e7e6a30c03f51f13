//! `meetrelay dead-letters ...`

use clap::Subcommand;

use super::admin_client::{AdminClient, path_part};
use super::meetings::print;
use super::outcome::Outcome;
use super::table::{cell, clean_lines, facts, table};
use crate::admin::answer;
use crate::config::Sources;

#[derive(Debug, Subcommand)]
pub(super) enum DeadLetters {
    /// What was given up and waits for a person, newest first
    List {
        /// At most so many, 1 to 500
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One of them with its message; secrets are hidden
    Show {
        /// Its id
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Do its work after all, once the cause is repaired
    Replay {
        /// Its id
        id: String,
    },
    /// Drop it for good
    Discard {
        /// Its id
        id: String,
    },
}

impl DeadLetters {
    pub(super) async fn run(self, sources: &Sources) -> Outcome {
        let relay = AdminClient::of(sources)?;
        match self {
            Self::List { limit, json } => {
                let path = format!("dead-letters?limit={limit}");
                let letters: answer::DeadLetters = relay.get(&path).await?;
                print(json, &letters, list)
            }
            Self::Show { id, json } => {
                let path = format!("dead-letters/{}", path_part(&id));
                let letter: answer::DeadLetter = relay.get(&path).await?;
                print(json, &letter, show)
            }
            Self::Replay { id } => act(&relay, &id, "replay").await,
            Self::Discard { id } => act(&relay, &id, "discard").await,
        }
    }
}

async fn act(relay: &AdminClient, id: &str, what: &str) -> Outcome {
    let path = format!("dead-letters/{}/{what}", path_part(id));
    let done: answer::Done = relay.post(&path).await?;
    Ok(format!("{}: {id}", done.done))
}

fn list(answer: &answer::DeadLetters) -> String {
    if answer.dead_letters.is_empty() {
        return "no dead letters\n".to_owned();
    }
    let row = |letter: &answer::DeadLetterLine| {
        [
            letter.id.clone(),
            letter.kind.clone(),
            letter.queue.clone(),
            letter.buried_at.clone(),
            letter.attempts.to_string(),
            cell(&letter.reason),
        ]
    };
    let rows: Vec<_> = answer.dead_letters.iter().map(row).collect();
    let head = ["ID", "KIND", "QUEUE", "GIVEN UP", "ATTEMPTS", "REASON"];
    let mut text = table(head, &rows);
    if answer.total > rows.len() as u64 {
        text.push_str(&format!("{} of {}\n", rows.len(), answer.total));
    }
    text
}

fn show(letter: &answer::DeadLetter) -> String {
    let line = &letter.line;
    let mut text = facts(&[
        ("id", Some(line.id.clone())),
        ("kind", Some(line.kind.clone())),
        ("queue", Some(line.queue.clone())),
        ("meeting", line.meeting_id.clone()),
        ("given up", Some(line.buried_at.clone())),
        ("attempts", Some(line.attempts.to_string())),
        ("reason", Some(line.reason.clone())),
        ("bytes", Some(letter.bytes.to_string())),
    ]);
    text.push('\n');
    match &letter.message {
        Some(message) => text.push_str(&clean_lines(&format!("{message:#}\n"))),
        None => text.push_str("the message is no JSON; it can only be discarded\n"),
    }
    text
}
