#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use super::*;
use crate::clock::SystemClock;
use crate::http::{CallOutcome, Operation};

fn meter() -> Meter {
    let metrics = Arc::new(Metrics::new().unwrap());
    Meter {
        readiness: Arc::new(Readiness::new(Arc::clone(&metrics))),
        metrics,
        ask_again: Arc::default(),
        clock: Arc::new(SystemClock),
        ledger: EventLedger::new().0,
    }
}

#[test]
fn only_a_success_counts_as_reached_and_every_call_is_counted() {
    for outcome in CallOutcome::ALL {
        let meter = meter();
        meter.call_ended(&CallReport {
            operation: Operation::CreateRoom,
            outcome,
            duration: Duration::from_millis(5),
            rate_limit: None,
        });
        let counted = &meter.metrics.downstream_requests_total;
        assert_eq!(counted.with((Operation::CreateRoom, outcome)).get(), 1);
        let last = &meter.metrics.downstream_last_success_timestamp_seconds;
        let is_reached = last.with(Peer::PlugNmeet).get() > 0.0;
        assert_eq!(is_reached, outcome == CallOutcome::Success, "{outcome:?}");
    }
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
