//! The recap page of a meeting that has ended.

use std::time::Duration;

use http::StatusCode;
use minijinja::{Value, context};

use crate::domain::{EventId, Meeting};
use crate::ingress::artifact::label;
use crate::ingress::reply::Answer;

use super::summary::html;
use super::{Join, place_name};

/// Most names on the page.
const NAMES_MAX: usize = 200;

pub(super) fn page(join: &Join, id: EventId, meeting: &Meeting) -> Answer {
    let view = meeting.card_view();
    let (pages, links) = (&join.pages, &join.links);
    let summaries: Vec<String> = meeting
        .artifacts
        .values()
        .filter_map(|artifact| artifact.summary().map(html))
        .collect();
    let mut artifacts: Vec<_> = meeting
        .artifacts
        .iter()
        .filter(|(_, artifact)| !artifact.is_empty_summary())
        .collect();
    artifacts.sort_by_key(|(id, artifact)| (artifact.kind, artifact.known_at, *id));
    let artifacts: Vec<Value> = artifacts
        .into_iter()
        .map(|(id, artifact)| {
            context! {
                label => label(artifact.kind),
                link => links.artifact(id, artifact.kind),
            }
        })
        .collect();
    let names: Vec<Value> = meeting
        .attendees()
        .into_iter()
        .take(NAMES_MAX)
        .map(Value::from)
        .collect();
    let nobody_came = view.nobody_came();
    join.pages.page(
        StatusCode::OK,
        id,
        "recap.html",
        context! {
            state => if nobody_came { "Over, nobody came" } else { "Over" },
            title => view.title,
            starter => view.starter,
            place => place_name(meeting),
            started => view.started_at.map(|at| pages.date_and_time(at)),
            ended => view.ended.map(|ended| pages.end(view.started_at, ended.at)),
            is_about => view.ended.is_some_and(|ended| ended.is_about),
            lasted => view.ended.and_then(|ended| ended.lasted).map(duration),
            people => view.people,
            nobody_came => nobody_came,
            names => names,
            summaries => summaries,
            artifacts => artifacts,
        },
    )
}

/// A duration like "24 min" or "1 h 05 min", in whole minutes, rounded down.
fn duration(lasted: Duration) -> String {
    let minutes = lasted.as_secs() / 60;
    match (minutes / 60, minutes % 60) {
        (0, 0) => "less than a minute".to_owned(),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_durations() {
        for (seconds, expected) in [
            (0, "less than a minute"),
            (59, "less than a minute"),
            (60, "1 min"),
            (24 * 60 + 59, "24 min"),
            (65 * 60, "1 h 05 min"),
            (27 * 3600, "27 h 00 min"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), expected);
        }
    }
}
