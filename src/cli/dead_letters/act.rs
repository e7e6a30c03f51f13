//! Replays or discards dead letters, one after the other. The relay sets the pace of replays.

use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::filter::{Filter, UNREADABLE};
use crate::admin::answer;
use crate::cli::admin_client::{AdminCallError, AdminClient, path_part};
use crate::cli::outcome::{CommandResult, Failure};
use crate::cli::table::clean_lines;

/// Most dead letters that one command works on. The command can be repeated.
const DEAD_LETTERS_MAX: usize = 100_000;
/// Dead letters in one page of the listing: the most that the admin API returns.
const PAGE: usize = 500;
/// Time between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);
/// Most failures that are printed one by one.
const FAILURES_PRINTED_MAX: usize = 20;

/// The action on a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Publish it to the queue again. With `now`, requests count as received now.
    Replay {
        /// `--now`
        now: bool,
    },
    /// Delete it.
    Discard,
}

/// One command, with everything that it needs.
pub(super) struct Act<'a> {
    pub(super) relay: &'a AdminClient,
    pub(super) action: Action,
    pub(super) json: bool,
}

/// The result for one dead letter.
#[derive(Debug, Serialize)]
struct DeadLetterOutcome {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Why not all of them were worked on.
enum Stop {
    /// A person pressed Ctrl-C.
    Asked,
    /// The relay, its queue or its store is unavailable, so that the next ones would fail too.
    Unavailable(String),
}

impl Action {
    const fn verb(self) -> &'static str {
        match self {
            Self::Replay { .. } => "replay",
            Self::Discard => "discard",
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Self::Replay { .. } => "replayed",
            Self::Discard => "discarded",
        }
    }

    fn path(self, id: &str) -> String {
        let now = match self {
            Self::Replay { now: true } => "?now",
            _ => "",
        };
        format!("dead-letters/{}/{}{now}", path_part(id), self.verb())
    }
}

impl Act<'_> {
    /// Prints how many match, asks for confirmation unless `yes`, and works on those. Dead letters that are added
    /// meanwhile are left.
    pub(super) async fn on_matching(&self, filter: &Filter, yes: bool) -> CommandResult {
        let (ids, left_out) = self.matching(filter).await?;
        let stays = match left_out {
            0 => String::new(),
            count => format!(
                "\nnot replayed: {} with a message that the relay may not have signed; check the messages, then replay them with --kind unreadable",
                dead_letters(count)
            ),
        };
        if ids.is_empty() {
            return if self.json {
                Ok("[]".to_owned())
            } else {
                Ok(format!("no dead letter matches{stays}"))
            };
        }
        let (count, verb) = (dead_letters(ids.len()), self.action.verb());
        if !yes {
            if !io::stdin().is_terminal() {
                return Err(Failure::usage(format!(
                    "{count} would be {}: add --yes to do so without being asked",
                    self.action.done()
                )));
            }
            if !confirm(&format!("{verb} {count}? [y/N] ")).await {
                return Err(Failure::plain("meetrelay: nothing was done".to_owned()));
            }
        }
        let done = self.on(&ids).await?;
        Ok(if self.json {
            done
        } else {
            done.trim_end().to_owned() + &stays
        })
    }

    /// Works on these, in this order, until the end or Ctrl-C.
    pub(super) async fn on(&self, ids: &[String]) -> CommandResult {
        let mut outcomes = Vec::with_capacity(ids.len());
        let mut progress = ReplayProgress::new(ids.len(), self.action);
        let mut interrupted = pin!(tokio::signal::ctrl_c());
        let mut stop = None;
        for id in ids {
            let path = self.action.path(id);
            // A call that was started is waited for, so that the printed result is correct. So Ctrl-C is checked
            // between two calls.
            let answer = self.relay.try_post::<answer::Done>(&path).await;
            match answer {
                Ok(done) => outcomes.push(DeadLetterOutcome {
                    id: id.clone(),
                    done: Some(done.done),
                    event_id: done.event_id,
                    hint: done.hint,
                    error: None,
                }),
                Err(AdminCallError::Unavailable(why)) => {
                    stop = Some(Stop::Unavailable(why));
                    break;
                }
                Err(AdminCallError::Refused(why)) => outcomes.push(DeadLetterOutcome {
                    id: id.clone(),
                    done: None,
                    event_id: None,
                    hint: None,
                    error: Some(why),
                }),
                Err(AdminCallError::Other(failure)) => return Err(failure),
            }
            progress.print(outcomes.len());
            if futures_util::poll!(interrupted.as_mut()).is_ready() {
                stop = Some(Stop::Asked);
                break;
            }
        }
        progress.end();
        self.outcome(ids.len(), &outcomes, stop)
    }

    fn outcome(
        &self,
        wanted: usize,
        outcomes: &[DeadLetterOutcome],
        stop: Option<Stop>,
    ) -> CommandResult {
        let done = outcomes
            .iter()
            .filter(|outcome| outcome.error.is_none())
            .count();
        let text = if self.json {
            serde_json::to_string_pretty(outcomes).map_err(Failure::failed)?
        } else {
            self.text(wanted, outcomes)
        };
        let left = wanted - outcomes.len();
        match stop {
            None if done == wanted => Ok(text),
            // The results go to standard output, and the reason why not all were done to standard error.
            None => Err(
                Failure::failed(format!("{} of {wanted} failed", outcomes.len() - done))
                    .after(text),
            ),
            Some(Stop::Asked) if left == 0 && done == wanted => Ok(text),
            Some(Stop::Asked) => {
                let why = format!(
                    "stopped: {done} were {}, {left} were not begun and stay",
                    self.action.done()
                );
                Err(Failure::failed(why).after(text))
            }
            Some(Stop::Unavailable(why)) => {
                let why = format!("{why}; {done} were {}, {left} stay", self.action.done());
                Err(Failure::failed(why).after(text))
            }
        }
    }

    fn text(&self, wanted: usize, outcomes: &[DeadLetterOutcome]) -> String {
        let mut text = String::new();
        let failed: Vec<&DeadLetterOutcome> = outcomes
            .iter()
            .filter(|outcome| outcome.error.is_some())
            .collect();
        for outcome in failed.iter().take(FAILURES_PRINTED_MAX) {
            let why = outcome.error.as_deref().unwrap_or_default();
            text.push_str(&format!(
                "not {}: {}\n  {why}\n",
                self.action.done(),
                outcome.id
            ));
        }
        if failed.len() > FAILURES_PRINTED_MAX {
            text.push_str(&format!(
                "and {} more\n",
                failed.len() - FAILURES_PRINTED_MAX
            ));
        }
        let hints: Vec<&DeadLetterOutcome> = outcomes
            .iter()
            .filter(|outcome| outcome.hint.is_some())
            .collect();
        if let Some(first) = hints.first() {
            let hint = first.hint.as_deref().unwrap_or_default();
            match hints.len() {
                1 => text.push_str(&format!("{}:\n  {hint}\n", first.id)),
                more => text.push_str(&format!("{more} of them, like {}:\n  {hint}\n", first.id)),
            }
        }
        let done = outcomes.len() - failed.len();
        if let ([only], 1) = (outcomes, wanted) {
            if only.error.is_none() {
                let event = only.event_id.as_ref();
                let event = event.map_or_else(String::new, |id| format!(" (meetrelay why {id})"));
                text.push_str(&format!("{}: {}{event}\n", self.action.done(), only.id));
            }
        } else {
            text.push_str(&format!("{} {done} of {wanted}\n", self.action.done()));
        }
        clean_lines(&text)
    }

    /// The ids of everything that matches, oldest first, and how many are left out. An unreadable message may be
    /// forged, so it is replayed only if the user chose this kind.
    async fn matching(&self, filter: &Filter) -> Result<(Vec<String>, usize), Failure> {
        let leaves_out = matches!(self.action, Action::Replay { .. }) && !filter.has_kind();
        let mut left_out = 0;
        let mut ids = Vec::new();
        let mut known = HashSet::new();
        let mut query = filter.query()?;
        loop {
            let path = format!("dead-letters?limit={PAGE}{query}");
            let page: answer::DeadLettersAnswer = self.relay.get(&path).await?;
            let mut is_last = true;
            for letter in &page.dead_letters {
                if !known.insert(letter.id.clone()) {
                    continue;
                }
                is_last = page.dead_letters.len() < PAGE;
                if leaves_out && letter.kind == UNREADABLE {
                    left_out += 1;
                } else {
                    ids.push(letter.id.clone());
                }
            }
            if is_last || ids.len() >= DEAD_LETTERS_MAX {
                break;
            }
            // Several may have been buried in the same millisecond as the last one, so the next page includes that
            // millisecond.
            let last = page.dead_letters.last().and_then(|letter| {
                let at: jiff::Timestamp = letter.buried_at.parse().ok()?;
                at.checked_add(Duration::from_millis(1)).ok()
            });
            let Some(last) = last else { break };
            query = filter.before(last).query()?;
        }
        ids.truncate(DEAD_LETTERS_MAX);
        ids.reverse();
        Ok((ids, left_out))
    }
}

fn dead_letters(count: usize) -> String {
    match count {
        1 => "1 dead letter".to_owned(),
        count => format!("{count} dead letters"),
    }
}

/// Asks a person at the terminal.
async fn confirm(question: &str) -> bool {
    let _ = write!(io::stderr(), "{question}").and_then(|()| io::stderr().flush());
    let asking = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map(|_| answer)
    });
    let answer = asking.await;
    matches!(answer, Ok(Ok(answer)) if ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

/// Prints progress on standard error. On a terminal, each line replaces the one before.
struct ReplayProgress {
    wanted: usize,
    action: Action,
    printed_at: Instant,
    has_printed: bool,
}

impl ReplayProgress {
    fn new(wanted: usize, action: Action) -> Self {
        Self {
            wanted,
            action,
            printed_at: Instant::now(),
            has_printed: false,
        }
    }

    fn print(&mut self, worked: usize) {
        if self.printed_at.elapsed() < PROGRESS_EVERY || worked == self.wanted {
            return;
        }
        self.printed_at = Instant::now();
        let end = if io::stderr().is_terminal() {
            "\r"
        } else {
            "\n"
        };
        self.has_printed = true;
        let done = self.action.done();
        let _ = write!(io::stderr(), "{done} {worked} of {}{end}", self.wanted);
    }

    fn end(&self) {
        if self.has_printed && io::stderr().is_terminal() {
            let _ = writeln!(io::stderr());
        }
    }
}
