//! `meetrelay why REF`

use clap::Args;

use super::admin_client::{AdminClient, path_part};
use super::meetings::print;
use super::offline::OfflineArgs;
use super::outcome::{CommandResult, Failure};
use super::table::{cell, facts, wrapped};
use crate::admin::answer::{HistoryOf, MomentAnswer, What, WhyAnswer as Answer};
use crate::config::Sources;

/// The column at which the text of a moment begins, after its time and offset.
const TEXT_AT: usize = 26;

#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// An event, meeting, request, room, session, artifact, post, job or dead letter id; a permalink; a link of the
    /// relay; or an error's whole text with its ref
    #[arg(value_name = "REF", required = true, num_args = 1..)]
    reference: Vec<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    offline: OfflineArgs,
}

impl WhyArgs {
    pub(super) async fn run(self, sources: &Sources) -> CommandResult {
        let relay = AdminClient::of(sources, self.offline).await?;
        let outcome = self.ask(&relay).await;
        relay.close().await;
        outcome
    }

    async fn ask(&self, relay: &AdminClient) -> CommandResult {
        // An error's text without quotes arrives as several arguments.
        let reference = self.reference.join(" ");
        let why: Answer = relay
            .get(&format!("why?ref={}", path_part(&reference)))
            .await?;
        let printed = print(self.json, &why, text)?;
        // An id of the relay shows when it was made, which is an answer. For any other unknown id, nothing is known.
        if why.is == "unknown" && why.made_at.is_none() {
            return Err(Failure::plain(String::new()).after(printed));
        }
        Ok(printed)
    }
}

fn text(why: &Answer) -> String {
    let mut text = format!("{} {}\n", why.is.replace('_', " "), why.id);
    for line in &why.told {
        text.push_str(&format!("  {}", wrapped(line, 2, 2)));
    }
    if let Some(meeting) = &why.meeting {
        text.push('\n');
        text.push_str(&state(meeting, why));
    }
    if !why.timeline.is_empty() {
        text.push_str(&format!(
            "\n{:<TEXT_AT$}WHAT\n",
            "TIME (UTC)         OFFSET"
        ));
    }
    let mut day = "";
    for moment in &why.timeline {
        let (date, time) = moment.at.split_once('T').unwrap_or(("", &moment.at));
        if date != day {
            text.push_str(&format!("{date}\n"));
            day = date;
        }
        let head = format!(
            "{} {:>11}",
            time.trim_end_matches('Z'),
            offset(moment.offset_ms)
        );
        text.push_str(&format!("{head:<TEXT_AT$}"));
        text.push_str(&wrapped(&describe(moment), TEXT_AT, TEXT_AT));
    }
    text
}

fn state(meeting: &HistoryOf, why: &Answer) -> String {
    let line = &meeting.line;
    let refused = meeting.refused.as_ref();
    let refused = refused.map_or_else(String::new, |why| format!(" ({why})"));
    let mut lines = vec![
        ("meeting", Some(line.id.clone())),
        ("title", Some(cell(&line.title))),
        ("state", Some(format!("{}{refused}", line.state))),
        (
            "asked for",
            Some(format!(
                "{} by {} in {}",
                line.requested_at,
                cell(&line.starter),
                cell(&line.channel)
            )),
        ),
        ("room", Some(line.room.clone())),
        (
            "session",
            Some(meeting.sessions.join(", ")).filter(|sids| !sids.is_empty()),
        ),
        ("card", Some(card(meeting))),
    ];
    let owed = why.owed.iter();
    let owed = owed.map(|owed| format!("{} from {}", owed.job, owed.due_at));
    lines.extend(one_below_the_other("owed now", "nothing", owed));
    lines.push(("next sweep", meeting.wake_at.clone()));
    let letters = why.dead_letters.iter().map(|letter| letter.id.clone());
    lines.extend(one_below_the_other("dead letters", "none", letters));
    facts(&lines)
}

/// A name with several values, one below the other.
fn one_below_the_other<'a>(
    name: &'a str,
    none: &str,
    lines: impl Iterator<Item = String>,
) -> Vec<(&'a str, Option<String>)> {
    let mut facts: Vec<_> = lines.map(|line| ("", Some(line))).collect();
    match facts.first_mut() {
        Some(first) => first.0 = name,
        None => facts.push((name, Some(none.to_owned()))),
    }
    facts
}

fn card(meeting: &HistoryOf) -> String {
    let Some(post) = &meeting.card_post else {
        return "not posted".to_owned();
    };
    let (shows, wants) = (meeting.card_shows, meeting.card_version);
    match &meeting.card_frozen {
        Some(frozen) => format!(
            "post {post}, never edited again ({})",
            frozen.replace('_', " ")
        ),
        None if shows < wants => format!("post {post}, shows version {shows} of {wants}"),
        None => format!("post {post}, up to date"),
    }
}

fn offset(millis: i64) -> String {
    let sign = if millis < 0 { '-' } else { '+' };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03}", millis / 1000, millis % 1000)
}

fn describe(moment: &MomentAnswer) -> String {
    match &moment.what {
        What::Event {
            event_id,
            event,
            source,
            effect,
            lag_ms,
            ..
        } => format!(
            "event {event} from {source}: {effect} after {} ({event_id})",
            lasted(*lag_ms)
        ),
        What::Attempt {
            job,
            number,
            queue,
            lag_ms,
            took_ms,
            ending,
            detail,
            ..
        } => {
            let ending = match ending.as_str() {
                "again" => "to be tried again",
                "given_up" => "given up",
                other => other,
            };
            let detail = if detail.is_empty() {
                String::new()
            } else {
                format!(": {detail}")
            };
            format!(
                "job {job}, attempt {number}, waited {} in {queue}, took {}: {ending}{detail}",
                lasted(*lag_ms),
                lasted(*took_ms)
            )
        }
        What::Posted { post, post_id } => format!("posted {post} ({post_id})"),
        What::Buried { letter, reason } => format!("dead letter {letter}: {reason}"),
        What::Note {
            by,
            action,
            subject,
        } => format!("by hand: {action} of {subject} by {by}"),
    }
}

fn lasted(millis: u64) -> String {
    match millis {
        ..10_000 => format!("{millis} ms"),
        10_000.. => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
    }
}

#[cfg(test)]
mod tests;
