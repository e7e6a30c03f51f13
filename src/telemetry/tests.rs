#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::*;
use crate::config::LogLevel;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn logged(level: LogLevel, is_human: bool, act: impl FnOnce()) -> (String, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new().unwrap());
    let lines = Lines::default();
    let to = lines.clone();
    let log = Log {
        format: LogFormat::Auto,
        level,
    };
    let (subscriber, _) = subscriber(&log, is_human, move || to.clone(), Arc::clone(&metrics));
    tracing::subscriber::with_default(subscriber, act);
    (lines.text(), metrics)
}

#[test]
fn a_json_line_carries_time_level_message_and_the_fields_of_its_spans() {
    let (text, _) = logged(LogLevel::Info, false, || {
        let span = tracing::info_span!("apply", event_id = "0192");
        let _inside = span.enter();
        tracing::info!(outcome = "delivered", "event settled");
    });
    let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["message"], "event settled");
    assert_eq!(line["outcome"], "delivered");
    assert_eq!(line["spans"][0]["event_id"], "0192");
    let time = line["timestamp"].as_str().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
}

#[test]
fn lines_below_the_level_are_neither_written_nor_counted() {
    let (text, metrics) = logged(LogLevel::Warn, true, || {
        tracing::info!("quiet");
        tracing::warn!("loud");
        tracing::error!("louder");
    });
    assert!(!text.contains("quiet") && text.contains("loud"), "{text}");
    let count = |level| metrics.log_messages_total.with(level).get();
    assert_eq!(count(labels::LogLevel::Info), 0);
    assert_eq!(count(labels::LogLevel::Warn), 1);
    assert_eq!(count(labels::LogLevel::Error), 1);
}

#[test]
fn libraries_are_kept_quiet() {
    let (text, _) = logged(LogLevel::Debug, true, || {
        tracing::debug!(target: "hyper::proto", "chatter");
        tracing::debug!("ours");
    });
    assert!(!text.contains("chatter") && text.contains("ours"), "{text}");
}

#[test]
fn level_is_switched_while_lines_are_written_and_counted() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let lines = Lines::default();
    let to = lines.clone();
    let log = |level| Log {
        format: LogFormat::Json,
        level,
    };
    let (subscriber, switch) = subscriber(
        &log(LogLevel::Info),
        false,
        move || to.clone(),
        Arc::clone(&metrics),
    );
    tracing::subscriber::with_default(subscriber, || {
        for text in ["before", "during", "after"] {
            match text {
                "during" => switch.set(&log(LogLevel::Debug)),
                "after" => switch.set(&log(LogLevel::Info)),
                _ => {}
            }
            tracing::debug!(text, "a step");
        }
    });
    let text = lines.text();
    assert!(text.contains("during"), "{text}");
    assert!(
        !text.contains("before") && !text.contains("after"),
        "{text}"
    );
    assert_eq!(
        metrics
            .log_messages_total
            .with(labels::LogLevel::Debug)
            .get(),
        1
    );
}
