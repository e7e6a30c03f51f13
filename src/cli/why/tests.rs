#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::admin::answer::OwedJobAnswer;

fn moment(at: &str, offset_ms: i64, what: What) -> MomentAnswer {
    MomentAnswer {
        at: at.to_owned(),
        offset_ms,
        what,
    }
}

fn attempt(number: u32, ending: &str, detail: &str) -> What {
    What::Attempt {
        job: "CreateRoom:room".to_owned(),
        job_id: "0192:CreateRoom:room:0".to_owned(),
        number,
        queue: "conference".to_owned(),
        lag_ms: 3,
        took_ms: 12_340,
        ending: ending.to_owned(),
        detail: detail.to_owned(),
    }
}

#[test]
fn history_is_a_timeline_that_fits_a_terminal() {
    let reason = "plugNmeet answers 500 Internal Server Error: the room could not be made because its own database \
                  did not answer in time\u{1b}[31m";
    let why: Answer = Answer {
        id: "0192-event".to_owned(),
        is: "event".to_owned(),
        made_at: None,
        told: vec!["The event was applied to the meeting below.".to_owned()],
        meeting: Some(HistoryOf {
            line: crate::admin::answer::MeetingLine {
                id: "0192".to_owned(),
                title: "weekly".to_owned(),
                state: "live".to_owned(),
                room: "mm-abc".to_owned(),
                channel: "dev".to_owned(),
                starter: "ana".to_owned(),
                requested_at: "2026-01-31T23:59:58.000Z".to_owned(),
            },
            refused: None,
            sessions: vec!["sid-1".to_owned()],
            card_post: Some("post-1".to_owned()),
            card_shows: 2,
            card_version: 3,
            card_frozen: None,
            wake_at: None,
        }),
        timeline: vec![
            moment(
                "2026-01-31T23:59:58.000Z",
                0,
                What::Event {
                    event_id: "0192-event".to_owned(),
                    event: "meeting_requested".to_owned(),
                    source: "mattermost:default".to_owned(),
                    effect: "applied".to_owned(),
                    applied_at: "2026-01-31T23:59:58.007Z".to_owned(),
                    lag_ms: 7,
                },
            ),
            moment("2026-01-31T23:59:58.010Z", 10, attempt(1, "again", reason)),
            moment("2026-02-01T00:01:00.000Z", 62_000, attempt(2, "done", "")),
            moment(
                "2026-02-01T00:01:01.000Z",
                63_000,
                What::Note {
                    by: "root@relay1".to_owned(),
                    action: "replay".to_owned(),
                    subject: "0192:RefreshCard:2:0".to_owned(),
                },
            ),
        ],
        owed: vec![OwedJobAnswer {
            job: "PollRoom:0".to_owned(),
            due_at: "2026-02-01T00:02:00.000Z".to_owned(),
            since: "2026-02-01T00:02:00.000Z".to_owned(),
        }],
        dead_letters: vec![],
    };
    let text = text(&why);
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    insta::assert_snapshot!(text, @r"
    event 0192-event
      The event was applied to the meeting below.

    meeting       0192
    title         weekly
    state         live
    asked for     2026-01-31T23:59:58.000Z by ana in dev
    room          mm-abc
    session       sid-1
    card          post post-1, shows version 2 of 3
    owed now      PollRoom:0 from 2026-02-01T00:02:00.000Z
    dead letters  none

    TIME (UTC)         OFFSET WHAT
    2026-01-31
    23:59:58.000      +0.000  event meeting_requested from mattermost:default: applied after 7 ms
                              (0192-event)
    23:59:58.010      +0.010  job CreateRoom:room, attempt 1, waited 3 ms in conference, took 12.3 s: to
                              be tried again: plugNmeet answers 500 Internal Server Error: the room
                              could not be made because its own database did not answer in time [31m
    2026-02-01
    00:01:00.000     +62.000  job CreateRoom:room, attempt 2, waited 3 ms in conference, took 12.3 s:
                              done
    00:01:01.000     +63.000  by hand: replay of 0192:RefreshCard:2:0 by root@relay1
    ");
}
