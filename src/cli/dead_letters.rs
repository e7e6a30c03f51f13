//! `meetrelay dead-letters ...`

mod act;
mod filter;

use clap::{Args, Subcommand};

use super::admin_client::{AdminClient, path_part};
use super::meetings::print;
use super::offline::OfflineArgs;
use super::outcome::{CommandResult, Failure};
use super::table::{clean_lines, facts, wrapped};
use crate::admin::answer;
use crate::config::Sources;
use act::{Act, Action};
use filter::Filter;

#[derive(Debug, Args)]
pub(super) struct DeadLettersArgs {
    #[command(flatten)]
    offline: OfflineArgs,
    #[command(subcommand)]
    command: DeadLettersCommand,
}

#[derive(Debug, Subcommand)]
enum DeadLettersCommand {
    /// What was given up and waits for a person, newest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// At most this many, 1 to 500
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
        limit: u16,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One of them with its message; secrets are hidden
    Show {
        /// Its id; or any REF of `why` that leads to a meeting with one dead letter
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Do their work after all, once the cause is repaired; the oldest first
    Replay {
        #[command(flatten)]
        which: Which,
        /// People's requests count as received now; without it one that is older than its rule's start_deadline is
        /// answered as too late
        #[arg(long)]
        now: bool,
    },
    /// Drop them for good
    Discard {
        #[command(flatten)]
        which: Which,
    },
}

/// Which dead letters an action is for: ids, a filter, or all of them.
#[derive(Debug, Args)]
struct Which {
    /// Their ids, or any REF of `why` that leads to a meeting with one dead letter; instead of them a filter or --all
    ids: Vec<String>,
    /// All of them
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: Filter,
    /// Don't ask before a filter or --all is carried out
    #[arg(long)]
    yes: bool,
    /// What was done to each, as JSON
    #[arg(long)]
    json: bool,
}

impl DeadLettersArgs {
    pub(super) async fn run(self, sources: &Sources) -> CommandResult {
        let relay = AdminClient::of(sources, self.offline).await?;
        let outcome = self.command.run(&relay).await;
        relay.close().await;
        outcome
    }
}

impl DeadLettersCommand {
    async fn run(self, relay: &AdminClient) -> CommandResult {
        match self {
            Self::List {
                filter,
                limit,
                json,
            } => {
                let path = format!("dead-letters?limit={limit}{}", filter.query()?);
                let letters: answer::DeadLettersAnswer = relay.get(&path).await?;
                print(json, &letters, list)
            }
            Self::Show { id, json } => {
                let path = format!("dead-letters/{}", path_part(&id));
                let letter: answer::DeadLetterAnswer = relay.get(&path).await?;
                print(json, &letter, show)
            }
            Self::Replay { which, now } => which.act(relay, Action::Replay { now }).await,
            Self::Discard { which } => which.act(relay, Action::Discard).await,
        }
    }
}

impl Which {
    async fn act(self, relay: &AdminClient, action: Action) -> CommandResult {
        let is_narrowed = self.all || !self.filter.is_empty();
        if self.ids.is_empty() != is_narrowed {
            return Err(Failure::usage(
                "name either ids of dead letters, or a filter (like --reason TEXT), or --all",
            ));
        }
        if self.all && !self.filter.is_empty() {
            return Err(Failure::usage("--all and a filter exclude each other"));
        }
        let act = Act {
            relay,
            action,
            json: self.json,
        };
        if is_narrowed {
            act.on_matching(&self.filter, self.yes).await
        } else {
            act.on(&self.ids).await
        }
    }
}

fn list(answer: &answer::DeadLettersAnswer) -> String {
    if answer.dead_letters.is_empty() {
        return match answer.total {
            0 => "no dead letters\n".to_owned(),
            total => format!("none of {total} dead letters matches\n"),
        };
    }
    let mut text = String::new();
    for letter in &answer.dead_letters {
        text.push_str(&facts(&[
            ("id", Some(letter.id.clone())),
            (
                "what",
                Some(format!(
                    "{} from queue {}, given up {} after {}",
                    letter.kind,
                    letter.queue,
                    letter.buried_at,
                    attempts(letter.attempts)
                )),
            ),
        ]));
        text.push_str(&format!("why   {}\n", wrapped(&letter.reason, 6, 6)));
    }
    text.push_str(&format!(
        "{} of {} dead letters\n",
        answer.dead_letters.len(),
        answer.total
    ));
    text
}

fn attempts(count: u32) -> String {
    match count {
        1 => "1 attempt".to_owned(),
        count => format!("{count} attempts"),
    }
}

fn show(letter: &answer::DeadLetterAnswer) -> String {
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
        None => text.push_str("the message is not JSON; it can only be discarded\n"),
    }
    text
}
