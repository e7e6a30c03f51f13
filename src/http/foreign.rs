//! Foreign answers: answers that are not in the peer's format, because something in front of the peer, or instead of
//! it, answers. For a short time this is an outage like any other. If it lasts, the configured address is probably
//! wrong.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Url;
use tokio::time::Instant;

use super::{HttpAnswer, log_text};

/// After this many foreign answers in a row, the configured address is probably wrong.
const IN_A_ROW: u32 = 3;

/// While foreign answers continue, the log line is repeated after this time.
const LOGGED_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// The foreign answers of one peer since it last answered itself.
#[derive(Debug, Default)]
pub(super) struct ForeignAnswers(Mutex<ForeignCount>);

#[derive(Debug, Default)]
struct ForeignCount {
    in_a_row: u32,
    logged_at: Option<Instant>,
}

impl ForeignAnswers {
    /// The peer itself answered.
    pub(super) fn clear(&self) {
        let seen = std::mem::take(&mut *self.lock());
        if seen.logged_at.is_some() {
            tracing::info!("the peer itself answers again");
        }
    }

    /// Something else answered at the address in `setting`. Do not report failures of a gateway (5xx, 429) here,
    /// because they do not show that the address is wrong.
    pub(super) fn note(&self, setting: &'static str, answer: &HttpAnswer) {
        if self.should_log() {
            tracing::warn!(
                setting,
                answer = described(answer),
                "something other than the peer answers: the address in this setting is probably wrong, or a proxy in front of it answers by itself; work waits meanwhile"
            );
        }
    }

    fn should_log(&self) -> bool {
        let now = Instant::now();
        let mut seen = self.lock();
        seen.in_a_row = seen.in_a_row.saturating_add(1);
        let is_due = seen
            .logged_at
            .is_none_or(|at| now - at >= LOGGED_AGAIN_AFTER);
        let should_log = seen.in_a_row >= IN_A_ROW && is_due;
        if should_log {
            seen.logged_at = Some(now);
        }
        should_log
    }

    fn lock(&self) -> MutexGuard<'_, ForeignCount> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The status, the media type and, for a redirect, the host. The path and the query are left out, because they may hold
/// secrets.
pub(crate) fn described(answer: &HttpAnswer) -> String {
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

    fn answer(location: Option<&str>) -> HttpAnswer {
        let html = reqwest::header::HeaderValue::from_static("text/html; charset=utf-8");
        HttpAnswer {
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

    #[tokio::test(start_paused = true)]
    async fn f4_only_lasting_foreign_answers_are_logged_and_repeated_every_ten_minutes() {
        let foreign = ForeignAnswers::default();
        for _ in 0..2 {
            assert!(!foreign.should_log() && !foreign.should_log());
            foreign.clear();
        }
        let mut logged = Vec::new();
        for second in (0..1300).step_by(5) {
            if foreign.should_log() {
                logged.push(second);
            }
            tokio::time::advance(Duration::from_secs(5)).await;
        }
        assert_eq!(logged, [10, 610, 1210]);
    }
}
