//! Replays or discards dead letters, one after the other; the relay sets the pace of replays.

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

/// Most dead letters that one command works on; it can be given again.
const LETTERS_MAX: usize = 100_000;
/// Letters asked for at once: what the admin API gives at most.
const PAGE: usize = 500;
/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);
/// Most failures that are told one by one.
const TOLD_MAX: usize = 20;

/// What is done to a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Put back into the queue; `now`: requests count as received now.
    Replay {
        /// `--now`
        now: bool,
    },
    /// Dropped.
    Discard,
}

/// One command's work.
pub(super) struct Act<'a> {
    pub(super) relay: &'a AdminClient,
    pub(super) action: Action,
    pub(super) json: bool,
}

/// What became of one letter.
#[derive(Debug, Serialize)]
struct LetterOutcome {
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
    /// The relay, its queue or its store is away: the next ones would meet the same.
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
    /// Tells how many match, asks unless `yes`, and works on those that matched then: what is buried meanwhile stays.
    pub(super) async fn on_matching(&self, filter: &Filter, yes: bool) -> CommandResult {
        let (ids, left_out) = self.matching(filter).await?;
        let stays = match left_out {
            0 => String::new(),
            count => format!(
                "\n{} of messages that nobody may have signed stay: look at them, then replay them with --kind unreadable",
                letters(count)
            ),
        };
        if ids.is_empty() {
            return if self.json {
                Ok("[]".to_owned())
            } else {
                Ok(format!("no dead letter matches{stays}"))
            };
        }
        let (count, verb) = (letters(ids.len()), self.action.verb());
        if !yes {
            if !io::stdin().is_terminal() {
                return Err(Failure::usage(format!(
                    "{count} would be {}: add --yes to do so without being asked",
                    self.action.done()
                )));
            }
            if !confirm(&format!("{verb} {count}? [y/N] ")).await {
                return Err(Failure::told("meetrelay: nothing was done".to_owned()));
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
        let mut told = Vec::with_capacity(ids.len());
        let mut progress = ReplayProgress::new(ids.len(), self.action);
        let mut interrupted = pin!(tokio::signal::ctrl_c());
        let mut stop = None;
        for id in ids {
            let path = self.action.path(id);
            // One that was begun is waited for, so that what is told is true; so Ctrl-C is looked for between two.
            let answer = self.relay.try_post::<answer::Done>(&path).await;
            match answer {
                Ok(done) => told.push(LetterOutcome {
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
                Err(AdminCallError::Refused(why)) => told.push(LetterOutcome {
                    id: id.clone(),
                    done: None,
                    event_id: None,
                    hint: None,
                    error: Some(why),
                }),
                Err(AdminCallError::Other(failure)) => return Err(failure),
            }
            progress.tell(told.len());
            if futures_util::poll!(interrupted.as_mut()).is_ready() {
                stop = Some(Stop::Asked);
                break;
            }
        }
        progress.end();
        self.outcome(ids.len(), &told, stop)
    }

    fn outcome(&self, wanted: usize, told: &[LetterOutcome], stop: Option<Stop>) -> CommandResult {
        let done = told.iter().filter(|told| told.error.is_none()).count();
        let text = if self.json {
            serde_json::to_string_pretty(told).map_err(Failure::failed)?
        } else {
            self.text(wanted, told)
        };
        let left = wanted - told.len();
        match stop {
            None if done == wanted => Ok(text),
            // What was done is told on standard output, and why not all of it on standard error.
            None => Err(
                Failure::failed(format!("{} of {wanted} failed", told.len() - done)).after(text),
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

    fn text(&self, wanted: usize, told: &[LetterOutcome]) -> String {
        let mut text = String::new();
        let failed: Vec<&LetterOutcome> = told.iter().filter(|told| told.error.is_some()).collect();
        for told in failed.iter().take(TOLD_MAX) {
            let why = told.error.as_deref().unwrap_or_default();
            text.push_str(&format!(
                "not {}: {}\n  {why}\n",
                self.action.done(),
                told.id
            ));
        }
        if failed.len() > TOLD_MAX {
            text.push_str(&format!("and {} more\n", failed.len() - TOLD_MAX));
        }
        let hints: Vec<&LetterOutcome> = told.iter().filter(|told| told.hint.is_some()).collect();
        if let Some(first) = hints.first() {
            let hint = first.hint.as_deref().unwrap_or_default();
            match hints.len() {
                1 => text.push_str(&format!("{}:\n  {hint}\n", first.id)),
                more => text.push_str(&format!("{more} of them, like {}:\n  {hint}\n", first.id)),
            }
        }
        let done = told.len() - failed.len();
        if let ([only], 1) = (told, wanted) {
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

    /// The ids of everything that matches, oldest first, and how many are left out: an unreadable message may be somebody
    /// else's order, which nobody replays without having chosen it.
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
            if is_last || ids.len() >= LETTERS_MAX {
                break;
            }
            // Several may have been buried in the millisecond of the last one, so that one is asked for once more.
            let last = page.dead_letters.last().and_then(|letter| {
                let at: jiff::Timestamp = letter.buried_at.parse().ok()?;
                at.checked_add(Duration::from_millis(1)).ok()
            });
            let Some(last) = last else { break };
            query = filter.before(last).query()?;
        }
        ids.truncate(LETTERS_MAX);
        ids.reverse();
        Ok((ids, left_out))
    }
}

fn letters(count: usize) -> String {
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

/// Tells on standard error how far it is: over and over in one line of a terminal.
struct ReplayProgress {
    wanted: usize,
    action: Action,
    told_at: Instant,
    has_told: bool,
}

impl ReplayProgress {
    fn new(wanted: usize, action: Action) -> Self {
        Self {
            wanted,
            action,
            told_at: Instant::now(),
            has_told: false,
        }
    }

    fn tell(&mut self, worked: usize) {
        if self.told_at.elapsed() < PROGRESS_EVERY || worked == self.wanted {
            return;
        }
        self.told_at = Instant::now();
        let end = if io::stderr().is_terminal() {
            "\r"
        } else {
            "\n"
        };
        self.has_told = true;
        let done = self.action.done();
        let _ = write!(io::stderr(), "{done} {worked} of {}{end}", self.wanted);
    }

    fn end(&self) {
        if self.has_told && io::stderr().is_terminal() {
            let _ = writeln!(io::stderr());
        }
    }
}
