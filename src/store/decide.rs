//! Asking the domain about one event, so that a fault of the relay costs this event alone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::domain::apply::{Aim, Applied, Policy, decide};
use crate::domain::{Meeting, Timestamp};
use crate::ports::Incoming;

/// What the event does to the meeting. A panic would end whoever works for everybody here, so it refuses this event:
/// the error says which.
pub(super) fn decide_or_refuse(
    meeting: Option<Meeting>,
    aim: Aim,
    incoming: &Incoming,
    policy: &Policy,
    now: Timestamp,
) -> Result<(Option<Meeting>, Applied), String> {
    let Incoming { event, fresh } = incoming;
    let deciding = AssertUnwindSafe(|| decide(meeting, aim, event, fresh, policy, now));
    catch_unwind(deciding).map_err(|_| {
        format!(
            "event {} ({}) makes the relay panic: this is a fault of the relay, report it with the log",
            event.id,
            event.fact.kind()
        )
    })
}
