//! Reconciliation by id: what the relay accepted has come out, and no more often than it may. The integration tests,
//! the load driver and the chaos program judge by it.

use std::fmt::{Display, Formatter};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// One thing that is missing, doubled or untrue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    /// What to look for in the logs.
    pub id: String,
    /// What is wrong with it.
    pub what: String,
}

impl Display for Discrepancy {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.id, self.what)
    }
}

/// The discrepancies that were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciliation(Vec<Discrepancy>);

impl Reconciliation {
    /// Something is wrong with what belongs to `id`.
    pub fn complain(&mut self, id: &str, what: String) {
        let id = id.to_owned();
        self.0.push(Discrepancy { id, what });
    }

    /// Of `what` belongs to `id`, `found` are there, and `allowed` may be.
    pub fn count(&mut self, id: &str, what: &str, found: usize, allowed: RangeInclusive<usize>) {
        if found < *allowed.start() {
            self.complain(id, format!("{what} is missing"));
        } else if found > *allowed.end() {
            self.complain(id, format!("{what} is there {found} times"));
        }
    }

    /// What was found.
    pub fn into_discrepancies(self) -> Vec<Discrepancy> {
        self.0
    }
}

/// Looks until `is_settled`, and gives the last look; the first one after `patience` is the last.
pub async fn settle<T>(
    patience: Duration,
    pause: Duration,
    mut look: impl AsyncFnMut() -> T,
    is_settled: impl Fn(&T) -> bool,
) -> T {
    let began = Instant::now();
    loop {
        let seen = look().await;
        if is_settled(&seen) || began.elapsed() > patience {
            return seen;
        }
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_doubled_are_told_apart() {
        let mut found = Reconciliation::default();
        for count in 0..3 {
            found.count("id", "the card", count, 1..=1);
            found.count("id", "the answer", count, 0..=1);
        }
        let lines: Vec<String> = found.0.iter().map(Discrepancy::to_string).collect();
        assert_eq!(
            lines,
            [
                "id: the card is missing",
                "id: the card is there 2 times",
                "id: the answer is there 2 times"
            ]
        );
    }
}
