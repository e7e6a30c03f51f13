//! The table, and the same as JSON.

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::Arguments;
use super::drive::Sent;
use world::usage::Usage;

/// Longest time that is told apart, in microseconds: an hour. Longer ones count as this.
const MICROS_MAX: u64 = 3_600_000_000;
/// Discrepancies that the table names; the others are counted.
const NAMED_MAX: usize = 20;
/// The quantiles of the door.
const QUANTILES: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("max", 1.0),
];

/// For times in microseconds, to three digits.
pub fn histogram() -> Histogram<u64> {
    #[expect(
        clippy::expect_used,
        reason = "the bounds are constants that the crate takes"
    )]
    Histogram::new_with_bounds(1, MICROS_MAX, 3).expect("the bounds are good")
}

/// What came out of a run.
pub struct Report {
    pub arguments: Arguments,
    pub sent: Sent,
    /// From the first request to the last answer.
    pub took: Duration,
    /// From the last answer until nothing was owed; `None`: it never came to that.
    pub drain: Option<Duration>,
    pub to_card: Histogram<u64>,
    /// Calls of the relay that the sink did not understand, and posts in channels of other runs.
    pub unexpected: Vec<String>,
    pub discrepancies: Vec<String>,
    pub relay: Usage,
    pub own: Usage,
    /// The relay ended with code 0.
    pub is_stopped: bool,
}

impl Report {
    /// Nothing is missing or doubled, and nothing else was out of order.
    pub fn is_clean(&self) -> bool {
        self.discrepancies.is_empty()
            && self.unexpected.is_empty()
            && self.drain.is_some()
            && self.is_stopped
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Writing into a text cannot fail.
        let _ = self.write(&mut text);
        text
    }

    /// For programs; times in milliseconds.
    pub fn json(&self) -> Value {
        let quantiles = |times: &Histogram<u64>| -> Value {
            let pairs = QUANTILES.map(|(name, at)| (name.to_owned(), json!(millis(times, at))));
            Value::Object(pairs.into_iter().collect())
        };
        let all = self.sent.tally.all();
        let kinds: serde_json::Map<String, Value> = self
            .sent
            .tally
            .lines()
            .map(|(kind, line)| {
                let value = json!({
                    "sent": line.sent(), "accepted": line.accepted, "refused": line.refused,
                    "latency_ms": quantiles(&line.latency),
                });
                (kind.name().to_owned(), value)
            })
            .collect();
        json!({
            "rate": self.arguments.rate, "seconds": self.arguments.seconds,
            "connections": self.arguments.connections, "queue": self.queue(),
            "sent": all.sent(), "accepted": all.accepted, "refused": all.refused,
            "requests_per_second": self.throughput(), "kinds": kinds,
            "to_card_ms": quantiles(&self.to_card), "cards": self.to_card.len(),
            "behind_seconds": self.behind().as_secs_f64(),
            "drain_seconds": self.drain.map(|drain| drain.as_secs_f64()),
            "relay": {"cpu_seconds": self.relay.cpu_seconds, "memory_kib": self.relay.memory_kib},
            "load": {"cpu_seconds": self.own.cpu_seconds, "memory_kib": self.own.memory_kib},
            "unexpected": self.unexpected, "discrepancies": self.discrepancies,
            "stopped_cleanly": self.is_stopped, "clean": self.is_clean(),
        })
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Arguments {
            rate,
            seconds,
            connections,
            ..
        } = self.arguments;
        writeln!(
            out,
            "{rate} requests/s planned for {seconds} s over {connections} connections, queue {}",
            self.queue()
        )?;
        write!(
            out,
            "{:<18}{:>9}{:>10}{:>9}",
            "", "sent", "accepted", "refused"
        )?;
        for (name, _) in QUANTILES {
            write!(out, "{name:>10}")?;
        }
        writeln!(out)?;
        let all = self.sent.tally.all();
        let lines = self
            .sent
            .tally
            .lines()
            .map(|(kind, line)| (kind.name(), line));
        for (name, line) in lines.chain([("all", &all)]) {
            let (sent, accepted, refused) = (line.sent(), line.accepted, line.refused());
            write!(out, "{name:<18}{sent:>9}{accepted:>10}{refused:>9}")?;
            for (_, at) in QUANTILES {
                write!(
                    out,
                    "{:>10}",
                    format!("{:.1} ms", millis(&line.latency, at))
                )?;
            }
            writeln!(out)?;
        }
        for (why, count) in &all.refused {
            writeln!(out, "refused: {count} x {why}")?;
        }
        writeln!(
            out,
            "throughput         {:.0} requests/s over {:.1} s",
            self.throughput(),
            self.took.as_secs_f64()
        )?;
        if !self.arguments.alone {
            writeln!(
                out,
                "trigger to card    p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms ({} cards)",
                millis(&self.to_card, 0.5),
                millis(&self.to_card, 0.99),
                millis(&self.to_card, 1.0),
                self.to_card.len()
            )?;
            writeln!(
                out,
                "after the triggers {:.1} s until the last webhook was answered (about 1 s by plan)",
                self.behind().as_secs_f64()
            )?;
            match self.drain {
                Some(drain) => writeln!(
                    out,
                    "drain              {:.2} s until nothing was owed",
                    drain.as_secs_f64()
                )?,
                None => writeln!(
                    out,
                    "drain              NOT within {} s",
                    self.arguments.patience
                )?,
            }
            writeln!(out, "relay              {}", usage(self.relay))?;
        }
        writeln!(out, "load itself        {}", usage(self.own))?;
        for line in self.unexpected.iter().take(NAMED_MAX) {
            writeln!(out, "unexpected: {line}")?;
        }
        for line in self.discrepancies.iter().take(NAMED_MAX) {
            writeln!(out, "WRONG: {line}")?;
        }
        if self.arguments.alone {
            return Ok(());
        }
        let count = self.discrepancies.len();
        if count == 0 {
            writeln!(out, "ids                nothing missing, nothing doubled")
        } else {
            writeln!(out, "ids                {count} DISCREPANCIES")
        }
    }

    fn throughput(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let sent = self.sent.tally.all().sent() as f64;
        sent / self.took.as_secs_f64().max(0.001)
    }

    fn behind(&self) -> Duration {
        self.took.saturating_sub(self.sent.triggers_took)
    }

    /// Without what may be a password.
    fn queue(&self) -> &'static str {
        match (self.arguments.alone, self.arguments.queue.as_str()) {
            (true, _) => "none (no relay)",
            (false, "embedded") => "embedded",
            (false, _) => "RabbitMQ",
        }
    }
}

fn usage(usage: Usage) -> String {
    format!(
        "{:.1} s of CPU, {:.1} MiB at most",
        usage.cpu_seconds,
        usage.memory_kib as f64 / 1024.0
    )
}

fn millis(times: &Histogram<u64>, at: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "an hour in microseconds")]
    let micros = times.value_at_quantile(at) as f64;
    micros / 1000.0
}
