//! The retry policy: from what an attempt met to what becomes of the job. Pure and total: no clock, no dice.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::label::labels;

/// What one attempt met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The effect is there.
    Done,
    /// The effect is not wanted any more: an older round, a meeting that moved on.
    Obsolete,
    /// The peer is not to be had (connect, timeout, 5xx, 429): uses up no attempt, ends by age.
    Unavailable {
        /// The peer's own hint.
        after: Option<Duration>,
        /// The label of `retries_scheduled_total`.
        reason: RetryReason,
        /// For the history of the meeting, and the dead letter.
        why: String,
    },
    /// It did not work and may work later: uses up an attempt.
    Failed {
        /// For the dead letter.
        why: String,
    },
    /// Somebody else works on the same card: wait exactly so long; no attempt.
    Busy {
        /// Until the lease runs out.
        after: Duration,
    },
    /// A fixed pause chosen by the job itself (the bot is outside the channel); no attempt.
    Paused {
        /// How long.
        after: Duration,
        /// For the history of the meeting.
        why: &'static str,
    },
    /// A person can reverse what stands against it: the channel is archived, the bot is outside it; no attempt.
    Resting {
        /// A pause chosen by the job itself; `None`: what the schedule says.
        after: Option<Duration>,
        /// For the history of the meeting, and the dead letter.
        why: String,
    },
    /// It will never work: a person must look.
    Hopeless {
        /// For the dead letter.
        why: String,
    },
}

labels! {
    /// Why a retry was scheduled: a metric label.
    pub enum RetryReason {
        /// Refused, reset, no route, no answer in time.
        Unreachable = "unreachable",
        /// 5xx.
        ServerError = "5xx",
        /// 429.
        Throttled = "rate_limited",
        /// The peer answered that it failed.
        Failed = "failed",
        /// Another worker holds the card.
        Busy = "busy",
        /// A pause that the job chose.
        Paused = "paused",
    }
}

/// What becomes of the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Settled.
    Done,
    /// Settled without an effect.
    Obsolete,
    /// Another attempt.
    Again {
        /// After so long.
        after: Duration,
        /// Why.
        reason: RetryReason,
        /// Whether this attempt counts against [`RetryPolicy::attempts_max`].
        counts: bool,
    },
    /// Given up.
    DeadLetter {
        /// For the person who looks.
        reason: String,
    },
}

/// The numbers of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts that count before a job is given up.
    pub attempts_max: u32,
    /// How old a job may become before it is given up, whatever it meets.
    pub age_max: Duration,
    /// The same for what only waits for a person: a refused credential, an archived channel. At least `age_max`.
    pub rest_max: Duration,
    /// Longest hint of a peer that is followed.
    pub hint_max: Duration,
}

impl RetryPolicy {
    /// Decides. `attempt` is this attempt's number from 1, of those that count; `age` is how long the job has
    /// been owed; `delay` is what the schedule says for this attempt (src/backoff.rs).
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
