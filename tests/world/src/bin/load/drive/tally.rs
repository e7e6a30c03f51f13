//! Counts and latencies by kind.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::plan::Kind;
use crate::report::histogram;

/// What became of the requests of each kind.
#[derive(Default)]
pub struct Tally(BTreeMap<Kind, Line>);

/// What became of the requests of one kind.
pub struct Line {
    /// Accepted ones.
    pub accepted: u64,
    /// Others, by status or by what went wrong.
    pub refused: BTreeMap<String, u64>,
    /// From when they were due to their answers, in microseconds; of all, whatever the answer.
    pub latency: Histogram<u64>,
}

impl Tally {
    /// Counts one.
    pub fn count(&mut self, kind: Kind, took: Duration, verdict: Result<(), String>) {
        let line = self.line_mut(kind);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        line.latency.saturating_record(micros);
        match verdict {
            Ok(()) => line.accepted += 1,
            Err(why) => *line.refused.entry(why).or_default() += 1,
        }
    }

    /// Adds what another counted.
    pub fn add(&mut self, other: Self) {
        for (kind, more) in other.0 {
            let line = self.line_mut(kind);
            line.accepted += more.accepted;
            for (why, count) in more.refused {
                *line.refused.entry(why).or_default() += count;
            }
            // Of the same bounds, so that it always fits.
            let _ = line.latency.add(more.latency);
        }
    }

    /// The kinds that were sent, in the table's order.
    pub fn lines(&self) -> impl Iterator<Item = (Kind, &Line)> {
        Kind::ALL
            .into_iter()
            .filter_map(|kind| Some((kind, self.0.get(&kind)?)))
    }

    /// All kinds together.
    pub fn all(&self) -> Line {
        let mut all = Line::new();
        for line in self.0.values() {
            all.accepted += line.accepted;
            for (why, count) in &line.refused {
                *all.refused.entry(why.clone()).or_default() += count;
            }
            let _ = all.latency.add(&line.latency);
        }
        all
    }

    fn line_mut(&mut self, kind: Kind) -> &mut Line {
        self.0.entry(kind).or_insert_with(Line::new)
    }
}

impl Line {
    fn new() -> Self {
        Self {
            accepted: 0,
            refused: BTreeMap::new(),
            latency: histogram(),
        }
    }

    /// How many were refused or not answered.
    pub fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// How many were sent.
    pub fn sent(&self) -> u64 {
        self.accepted + self.refused()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_of_two_connections_add_up() {
        let mut one = Tally::default();
        let mut other = Tally::default();
        for millis in 1..=99 {
            one.count(Kind::Post, Duration::from_millis(millis), Ok(()));
        }
        other.count(Kind::Post, Duration::from_secs(5), Err("503".to_owned()));
        one.add(other);
        let all = one.all();
        assert_eq!((all.sent(), all.accepted, all.refused()), (100, 99, 1));
        let at = |quantile| all.latency.value_at_quantile(quantile) / 1000;
        assert_eq!(at(0.5), 50);
        assert!((4990..=5010).contains(&at(1.0)), "{}", at(1.0));
    }
}
