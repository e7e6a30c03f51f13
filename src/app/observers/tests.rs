#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use super::*;
use crate::clock::SystemClock;

fn meter() -> Meter {
    let metrics = Arc::new(Metrics::new().unwrap());
    Meter {
        readiness: Arc::new(Readiness::new(Arc::clone(&metrics))),
        metrics,
        ask_again: Arc::default(),
        clock: Arc::new(SystemClock),
        ledger: Ledger::new().0,
    }
}

fn told(target: &'static str, operation: &'static str, outcome: &'static str) -> Meter {
    let meter = meter();
    meter.call_ended(&CallReport {
        target,
        operation,
        outcome,
        duration: Duration::from_millis(5),
        rate_limit: None,
    });
    meter
}

#[test]
fn every_outcome_that_clients_tell_has_its_label() {
    use labels::CallOutcome::{
        RateLimited, Refused, ServerError, Success, Unauthorized, Unreachable,
    };
    let outcomes = [
        ("ok", Success),
        ("unreachable", Unreachable),
        ("unavailable", ServerError),
        ("internal", ServerError),
        ("throttled", RateLimited),
        ("unauthorized", Unauthorized),
        ("forbidden", Refused),
        ("not_found", Refused),
        ("not_editable", Refused),
        ("refused", Refused),
        ("room_gone", Refused),
        ("blocked", Refused),
    ];
    for (outcome, label) in outcomes {
        let meter = told("mattermost", "create_post", outcome);
        let counted = &meter.metrics.downstream_requests_total;
        let count = counted.with((labels::Operation::CreatePost, label)).get();
        assert_eq!(count, 1, "{outcome}");
    }
}

#[test]
fn every_operation_that_clients_tell_has_its_label() {
    use labels::Operation::{
        AnswerCommand, Ask, CreatePost, CreateRoom, EndRoom, MintToken, PatchPost, Read,
    };
    let operations = [
        ("mattermost", "create_post", CreatePost),
        ("mattermost", "patch_post", PatchPost),
        ("mattermost", "delete_post", PatchPost),
        ("mattermost", "answer_command", AnswerCommand),
        ("mattermost", "own_account", Read),
        ("mattermost", "log_in", Read),
        ("plugnmeet", "create_room", CreateRoom),
        ("plugnmeet", "end_room", EndRoom),
        ("plugnmeet", "join", MintToken),
        ("plugnmeet", "download_token", MintToken),
        ("plugnmeet", "room_activity", Ask),
    ];
    for (target, operation, label) in operations {
        let meter = told(target, operation, "ok");
        let counted = &meter.metrics.downstream_requests_total;
        let count = counted.with((label, labels::CallOutcome::Success)).get();
        assert_eq!(count, 1, "{target} {operation}");
    }
}

#[test]
fn only_a_success_counts_as_reached() {
    let reached = |outcome| {
        let meter = told("plugnmeet", "create_room", outcome);
        let last = &meter.metrics.downstream_last_success_timestamp_seconds;
        last.with(crate::domain::Peer::PlugNmeet).get() > 0.0
    };
    assert!(reached("ok"));
    assert!(!reached("refused") && !reached("unreachable"));
}

#[test]
fn foreign_response_url_counts_as_a_lost_answer() {
    let meter = meter();
    meter.noted(Noted::ForeignResponseUrl);
    meter.noted(Noted::BadLink);
    let lost = |reason| meter.metrics.answers_lost_total.with(reason).get();
    assert_eq!(lost(labels::LostAnswer::ForeignResponseUrl), 1);
    assert_eq!(lost(labels::LostAnswer::Refused), 0);
}
