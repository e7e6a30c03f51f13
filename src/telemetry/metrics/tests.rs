#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod boards;

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use super::*;
use crate::domain::Timestamp;
use crate::domain::label::LabelSet;

fn sample_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

fn check_index<L: LabelSet>() {
    for (index, labels) in L::all().into_iter().enumerate() {
        assert_eq!(labels.index(), index, "{:?}", labels.values());
    }
}

#[test]
fn every_label_value_finds_its_own_series() {
    check_index::<(Endpoint, StatusClass)>();
    check_index::<(Trigger, ReceivedAs)>();
    check_index::<(Source, Rejected)>();
    check_index::<(EventSource, SettledAs)>();
    check_index::<(QueueName, JobOutcome)>();
    check_index::<(QueueName, RetryReason)>();
    check_index::<(QueueName, DeadReason)>();
    check_index::<(Operation, CallOutcome)>();
    check_index::<(Peer, BreakerState)>();
    check_index::<Check>();
    check_index::<labels::LogLevel>();
    check_index::<CardChange>();
    check_index::<Holding>();
    check_index::<(Role, ReconnectReason)>();
    check_index::<PublishResult>();
    check_index::<Route>();
}

#[test]
fn every_series_exists_at_the_start_and_within_the_budget() {
    let metrics = Metrics::new().unwrap();
    let before = metrics.encode().unwrap();
    let count = sample_lines(&before).len();
    assert!(count < SERIES_MAX, "{count} series");
    assert!(
        count > 400,
        "the histograms and counters are missing: {count}"
    );
    metrics.answered(Endpoint::Outgoing, 503, Duration::from_millis(3));
    let now = Timestamp::from_seconds(1_700_000_000);
    metrics.called(
        Operation::Ask,
        CallOutcome::Unreachable,
        Duration::from_secs(30),
        now,
    );
    metrics.breaker_turned(Peer::PlugNmeet, BreakerState::Open);
    metrics
        .dead_letters_total
        .with((QueueName::Chat, DeadReason::Poison))
        .inc();
    let after = metrics.encode().unwrap();
    assert_eq!(sample_lines(&after).len(), count, "no series appears later");
    let wanted = [
        "meetrelay_http_requests_total{code=\"5xx\",method=\"POST\",route=\"/mattermost/outgoing\"} 1",
        "meetrelay_http_request_duration_seconds_count{route=\"/mattermost/outgoing\"} 1",
        "meetrelay_downstream_requests_total{operation=\"ask\",outcome=\"unreachable\",target=\"plugnmeet\"} 1",
        "meetrelay_circuit_breaker_state{state=\"open\",target=\"plugnmeet\"} 1",
        "meetrelay_circuit_breaker_state{state=\"closed\",target=\"plugnmeet\"} 0",
        "meetrelay_circuit_breaker_transitions_total{target=\"plugnmeet\",to=\"open\"} 1",
        "meetrelay_dead_letters_total{queue=\"chat\",reason=\"poison\"} 1",
        "meetrelay_trigger_to_card_seconds_bucket{kind=\"slash_command\",le=\"5\"} 0",
    ];
    for line in wanted {
        assert!(after.contains(&format!("{line}\n")), "{line}\n{after}");
    }
}

#[test]
fn names_follow_the_rules_of_prometheus() {
    for metric in Metrics::described() {
        let Described {
            name, kind, help, ..
        } = &metric;
        assert_eq!(*kind == "counter", name.ends_with("_total"), "{name}");
        assert_eq!(
            *kind == "histogram",
            name.ends_with("_seconds") && !name.contains("timestamp"),
            "{name}"
        );
        assert!(help.ends_with('.') && help.len() > 10, "{name}: {help}");
        assert!(!name.contains("meetrelay"), "{name}");
    }
}

#[test]
fn endpoints_are_known_by_route_and_method() {
    for (route, method, endpoint) in [
        (Route::Command, "POST", Endpoint::CommandPost),
        (Route::Join, "HEAD", Endpoint::JoinGet),
        (Route::ArtifactFile, "GET", Endpoint::Artifact),
        (Route::Webhook, "GET", Endpoint::Other),
        (Route::Health, "GET", Endpoint::Other),
    ] {
        assert_eq!(Endpoint::of(route, method), endpoint, "{route:?} {method}");
    }
}

#[test]
fn words_that_are_counted_together_share_one_series() {
    let metrics = Metrics::new().unwrap();
    for trigger in [Trigger::SessionEnded, Trigger::RoomFinished] {
        let counter = metrics
            .webhooks_received_total
            .with((trigger, ReceivedAs::Accepted));
        counter.inc();
    }
    let line = "meetrelay_webhooks_received_total{event=\"session_ended\",result=\"accepted\",source=\"plugnmeet\"} 2";
    assert!(metrics.encode().unwrap().contains(line));
}

#[test]
fn the_committed_reference_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/reference/metrics.md");
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == reference(),
        "run: cargo run -- config reference --metrics > deploy/reference/metrics.md"
    );
}

#[test]
fn the_reference_and_the_answer_name_the_same_metrics() {
    let text = Metrics::new().unwrap().encode().unwrap();
    let answered: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .filter(|name| !name.starts_with("process_"))
        .collect();
    let page = reference();
    let documented: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `meetrelay_").map(|_| line))
        .filter_map(|line| line.split('`').nth(1))
        .collect();
    assert_eq!(answered, documented);
}
