//! One delivery: up to three attempts with the same bytes, the way go-retryablehttp does them
//! (src/plugnmeet/README.md, "Webhook delivery").

use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};

use super::{Outcome, Queued};
use crate::plugnmeet::state::Shared;
use crate::plugnmeet::token::sign_webhook;

/// RetryMax is 2.
const ATTEMPTS: u32 = 3;
/// How much of a receiver's answer is read before the connection is given back.
const ANSWER_LIMIT: usize = 64 * 1024;

/// Go's default client without a timeout and without a proxy: follows ten redirects, 301 to 303 as a GET that keeps
/// its headers, and does not verify certificates (off since 2.1.6).
pub(super) fn client() -> anyhow::Result<reqwest::Client> {
    // Another part of the process may have installed it before: the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .redirect(reqwest::redirect::Policy::limited(10))
        .user_agent("Go-http-client/1.1")
        .build()?;
    Ok(client)
}

/// Delivers one event to its URLs, one after the other: the second waits for the first however slow it is.
pub(super) async fn deliver(shared: &Shared, queued: Queued) {
    for (number, url) in &queued.deliveries {
        deliver_to(shared, *number, url, &queued.outgoing.body).await;
    }
}

async fn deliver_to(shared: &Shared, number: u64, url: &str, body: &str) {
    let now = i64::try_from(shared.now()).unwrap_or(i64::MAX);
    let token = sign_webhook(
        &shared.options.api_key,
        &shared.options.api_secret,
        body.as_bytes(),
        now,
    );
    update(shared, number, |delivery| {
        delivery.token = Some(token.clone())
    });
    for attempt in 0..ATTEMPTS {
        let at = Instant::now();
        let (status, hint) = post(shared, url, &token, body).await;
        update(shared, number, |delivery| {
            delivery.attempts.push(super::Attempt { at, status })
        });
        let outcome = match status {
            Some(200..400) => Outcome::Accepted,
            None | Some(429 | 500 | 502..) => Outcome::Waiting,
            Some(_) => Outcome::Refused,
        };
        if outcome != Outcome::Waiting {
            return update(shared, number, |delivery| delivery.outcome = outcome);
        }
        if attempt + 1 < ATTEMPTS {
            let hint = hint.filter(|_| matches!(status, Some(429 | 503)));
            shared
                .pause(hint.unwrap_or(Duration::from_secs(1 << attempt)))
                .await;
        }
    }
    update(shared, number, |delivery| {
        delivery.outcome = Outcome::GivenUp
    });
}

async fn post(
    shared: &Shared,
    url: &str,
    token: &str,
    body: &str,
) -> (Option<u16>, Option<Duration>) {
    let request = shared
        .webhooks
        .client
        .post(url)
        .header(AUTHORIZATION, token)
        .header(CONTENT_TYPE, &shared.options.webhook_content_type)
        .header("Hash-Token", token)
        .header("Accept-Encoding", "gzip")
        .body(body.to_owned());
    let Ok(mut answer) = request.send().await else {
        return (None, None);
    };
    let status = answer.status().as_u16();
    let hint = answer
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(retry_after);
    let mut read = 0;
    while let Ok(Some(chunk)) = answer.chunk().await {
        read += chunk.len();
        if read > ANSWER_LIMIT {
            break;
        }
    }
    (Some(status), hint)
}

/// Seconds, or a date; no upper bound.
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let wait = until.as_millisecond() - jiff::Timestamp::now().as_millisecond();
    Some(Duration::from_millis(u64::try_from(wait).unwrap_or(0)))
}

fn update(shared: &Shared, number: u64, change: impl FnOnce(&mut super::Delivery)) {
    if let Some(delivery) = shared.webhooks.lock().log.get_mut(&number) {
        change(delivery);
    }
    shared.touch();
}
