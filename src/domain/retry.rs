//! The retry policy: decides from the outcome of an attempt what happens to the job.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::label::labels;

/// The result of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The effect was achieved.
    Done,
    /// The effect is no longer needed: the round is over, or the meeting has changed.
    Obsolete,
    /// The peer is unavailable (connect, timeout, 5xx, 429). The attempt does not count; the job is given up by its
    /// age.
    Unavailable {
        /// How long the peer asks to wait.
        after: Option<Duration>,
        /// The label of `retries_scheduled_total`.
        reason: RetryReason,
        /// The reason, for the history of the meeting and the dead letter.
        why: String,
    },
    /// It failed and may work later. The attempt counts.
    Failed {
        /// The reason, for the dead letter.
        why: String,
    },
    /// Another worker works on the same card. The job waits exactly this long, and the attempt does not count.
    Busy {
        /// The time until the lease expires.
        after: Duration,
    },
    /// A pause that the job itself chose (the bot is not in the channel). The attempt does not count.
    Paused {
        /// The length of the pause.
        after: Duration,
        /// The reason, for the history of the meeting.
        why: &'static str,
    },
    /// A person must first change something: the channel is archived, or the bot is not in it. The attempt does not
    /// count.
    Resting {
        /// A pause that the job itself chose. `None`: the pause of the schedule.
        after: Option<Duration>,
        /// The reason, for the history of the meeting and the dead letter.
        why: String,
    },
    /// It will never work. A person must look at it.
    Hopeless {
        /// The reason, for the dead letter.
        why: String,
    },
}

labels! {
    /// Why a retry was scheduled: a metric label.
    pub enum RetryReason {
        /// The connection was refused or reset, there was no route, or no answer in time.
        Unreachable = "unreachable",
        /// The peer answered with 5xx.
        ServerError = "5xx",
        /// The peer answered with 429.
        Throttled = "rate_limited",
        /// The peer answered that it failed.
        Failed = "failed",
        /// Another worker holds the card.
        Busy = "busy",
        /// The job chose a pause.
        Paused = "paused",
    }
}

/// What happens to the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is settled.
    Done,
    /// It is settled without an effect.
    Obsolete,
    /// It gets another attempt.
    Again {
        /// The pause before the attempt.
        after: Duration,
        /// Why it is tried again.
        reason: RetryReason,
        /// Whether this attempt counts against [`RetryPolicy::attempts_max`].
        counts: bool,
    },
    /// It is given up.
    DeadLetter {
        /// The reason, for the person who reads the dead letter.
        reason: String,
    },
}

/// The settings of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts that count before a job is given up.
    pub attempts_max: u32,
    /// The age at which a job is given up, whatever its outcome.
    pub age_max: Duration,
    /// The same for a job that only waits for a person: a refused credential, an archived channel. At least `age_max`.
    pub rest_max: Duration,
    /// The longest pause that a peer may ask for.
    pub hint_max: Duration,
}

impl RetryPolicy {
    /// Decides. `attempt` is the number of this attempt, from 1, among those that count. `age` is how long the job has
    /// been owed. `delay` is the pause of the schedule for this attempt (src/backoff.rs).
    pub fn judge(
        &self,
        outcome: &Outcome,
        attempt: u32,
        age: Duration,
        delay: Duration,
    ) -> Verdict {
        let again = |after: Duration, reason, counts| Verdict::Again {
            after,
            reason,
            counts,
        };
        let age_max = match outcome {
            Outcome::Resting { .. }
            | Outcome::Unavailable {
                reason: RetryReason::Paused,
                ..
            } => self.rest_max,
            _ => self.age_max,
        };
        let too_old = |last: Option<&str>| {
            let mut reason = format!("given up after {} h", age_max.as_secs() / 3600);
            if let Some(why) = last {
                reason = format!("{reason}: {why}");
            }
            Verdict::DeadLetter { reason }
        };
        match outcome {
            Outcome::Done => Verdict::Done,
            Outcome::Obsolete => Verdict::Obsolete,
            Outcome::Hopeless { why } => Verdict::DeadLetter {
                reason: why.clone(),
            },
            Outcome::Unavailable { why, .. }
            | Outcome::Failed { why }
            | Outcome::Resting { why, .. }
                if age >= age_max =>
            {
                too_old(Some(why))
            }
            _ if age >= age_max => too_old(None),
            Outcome::Unavailable { after, reason, .. } => {
                let hint = after.unwrap_or_default().min(self.hint_max);
                again(delay.max(hint), *reason, false)
            }
            Outcome::Failed { why } if attempt >= self.attempts_max => Verdict::DeadLetter {
                reason: format!("{attempt} attempts: {why}"),
            },
            Outcome::Failed { .. } => again(delay, RetryReason::Failed, true),
            Outcome::Busy { after } => again(*after, RetryReason::Busy, false),
            Outcome::Paused { after, .. } => again(*after, RetryReason::Paused, false),
            Outcome::Resting { after, .. } => {
                again(after.unwrap_or(delay), RetryReason::Paused, false)
            }
        }
    }
}
