//! Answers that are not in a peer's own form: something in front of it, or in its place, answers.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Url;

use super::{Answer, log_text};

/// So many foreign answers in a row make the configured address doubtful.
const IN_A_ROW: u32 = 3;

/// While they go on, the line comes again after this time.
const LOGGED_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Counts the foreign answers of one peer, and tells the operator when they last.
#[derive(Debug)]
pub(crate) struct ForeignAnswers {
    peer: &'static str,
    setting: &'static str,
    in_a_row: AtomicU32,
    logged_at: Mutex<Option<Instant>>,
}

impl ForeignAnswers {
    /// For the peer whose address stands in `setting`.
    pub(crate) fn new(peer: &'static str, setting: &'static str) -> Self {
        Self {
            peer,
            setting,
            in_a_row: AtomicU32::new(0),
            logged_at: Mutex::default(),
        }
    }

    /// The peer itself answered.
    pub(crate) fn clear(&self) {
        self.in_a_row.store(0, Ordering::Relaxed);
    }

    /// Something else answered. Trouble of a gateway (5xx, 429) says nothing about the address and is not for here.
    pub(crate) fn note(&self, answer: &Answer) {
        let in_a_row = self
            .in_a_row
            .fetch_add(1, Ordering::Relaxed)
            .saturating_add(1);
        if in_a_row >= IN_A_ROW && self.should_log() {
            tracing::warn!(
                peer = self.peer,
                setting = self.setting,
                answer = described(answer),
                in_a_row,
                "something other than the peer answers: the address in this setting is probably wrong, or a proxy in front of it answers by itself; work waits meanwhile"
            );
        }
    }

    fn should_log(&self) -> bool {
        let mut logged_at = self
            .logged_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_due = logged_at.is_none_or(|at| at.elapsed() >= LOGGED_AGAIN_AFTER);
        if is_due {
            *logged_at = Some(Instant::now());
        }
        is_due
    }
}

/// Status, type and, of a redirect, the host: no path and no query, which may hold secrets.
pub(crate) fn described(answer: &Answer) -> String {
    let mut text = format!("HTTP {}", answer.status);
    let media_type = answer
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(str::trim)
        .filter(|value| !value.is_empty());
    if let Some(media_type) = media_type {
        text.push_str(", ");
        text.push_str(media_type);
    }
    let target = answer.location.as_deref().map(Url::parse);
    if let Some(Ok(target)) = &target
        && let Some(host) = target.host_str()
    {
        text.push_str(", redirected to ");
        text.push_str(host);
    }
    log_text(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(location: Option<&str>) -> Answer {
        let html = reqwest::header::HeaderValue::from_static("text/html; charset=utf-8");
        Answer {
            status: 302,
            date: None,
            retry_after: None,
            rate_limit: None,
            headers: std::iter::once((reqwest::header::CONTENT_TYPE, html)).collect(),
            location: location.map(str::to_owned),
            body: bytes::Bytes::new(),
        }
    }

    #[test]
    fn description_names_the_host_and_holds_no_secret() {
        let secret = answer(Some("https://u:p@login.example.org/SECRET?token=SECRET"));
        let text = "HTTP 302, text/html, redirected to login.example.org";
        assert_eq!(described(&secret), text);
        assert_eq!(
            described(&answer(Some("/SECRET"))),
            "HTTP 302, text/html",
            "a target without a host is left out"
        );
    }

    #[test]
    fn only_answers_that_last_are_logged_and_once_a_minute() {
        let foreign = ForeignAnswers::new("plugnmeet", "plugnmeet.url");
        let is_logged = || foreign.logged_at.lock().is_ok_and(|at| at.is_some());
        for _ in 0..2 {
            foreign.note(&answer(None));
            foreign.note(&answer(None));
            assert!(!is_logged());
            foreign.clear();
        }
        for _ in 0..IN_A_ROW {
            foreign.note(&answer(None));
        }
        assert!(is_logged());
        assert!(!foreign.should_log());
    }
}
