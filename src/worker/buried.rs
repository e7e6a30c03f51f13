//! Jobs that were given up as poison a moment ago. Until apply has noted it, another message of the same job may still come (an
//! event that is delivered again publishes what its meeting owes): it must not begin the job again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::JobId;

/// Apply has noted it within this time. A replay waits for its end.
const NOTED_WITHIN: Duration = Duration::from_secs(10);
/// Most jobs that are remembered.
const JOBS_MAX: usize = 1000;

/// The jobs, by meeting and key.
#[derive(Debug, Default)]
pub(super) struct Buried(Mutex<HashMap<String, Instant>>);

impl Buried {
    /// The job was given up just now.
    pub(super) fn add(&self, id: &JobId) {
        let now = Instant::now();
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.retain(|_, until| *until > now);
        if jobs.len() < JOBS_MAX {
            jobs.insert(name(id), now + NOTED_WITHIN);
        }
    }

    /// Whether the job was given up so recently that its meeting may not know it.
    pub(super) fn contains(&self, id: &JobId) -> bool {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.get(&name(id))
            .is_some_and(|until| *until > Instant::now())
    }
}

/// Whatever its round.
fn name(id: &JobId) -> String {
    format!("{}:{}", id.meeting, id.job.key())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn job_is_remembered_for_a_while_whatever_its_round() {
        let meeting = "00000000-0000-0000-0000-00000000000f";
        let id = |round: u32| {
            format!("{meeting}:CreateRoom:room:{round}")
                .parse()
                .unwrap()
        };
        let buried = Buried::default();
        buried.add(&id(0));
        assert!(buried.contains(&id(0)) && buried.contains(&id(3)));
        tokio::time::advance(NOTED_WITHIN).await;
        assert!(!buried.contains(&id(0)));
    }
}
