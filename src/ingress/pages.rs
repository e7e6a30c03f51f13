//! The pages that people see: templates, one style sheet, and security headers.
//!
//! There is no script and nothing is loaded from other sites. The CSP allows the style sheet by its hash.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use jiff::tz::TimeZone;
use minijinja::{AutoEscape, Environment, Value, context};
use sha2::{Digest, Sha256};
use url::Url;

use crate::domain::{EventId, Timestamp};

use super::reply::{self, Answer};

const STYLE: &str = include_str!("pages/style.css");
const TEMPLATES: [(&str, &str); 6] = [
    ("layout.html", include_str!("pages/layout.html")),
    ("waiting.html", include_str!("pages/waiting.html")),
    ("join.html", include_str!("pages/join.html")),
    ("recap.html", include_str!("pages/recap.html")),
    ("message.html", include_str!("pages/message.html")),
    ("artifact.html", include_str!("pages/artifact.html")),
];

/// Renders pages.
pub(super) struct Pages {
    templates: Environment<'static>,
    policy: HeaderValue,
    zone: TimeZone,
}

/// A page with a short message.
#[derive(Default)]
pub(super) struct MessagePage<'a> {
    pub(super) status: StatusCode,
    /// The CSS class: `bad` for a failure, `waiting` for a state that passes by itself, else empty.
    pub(super) look: &'static str,
    pub(super) state: &'static str,
    pub(super) title: &'a str,
    pub(super) lines: &'a [&'a str],
    /// The address and the label of a button.
    pub(super) back: Option<(&'a str, &'a str)>,
    /// The page reloads after this many seconds.
    pub(super) refresh_seconds: Option<u32>,
}

impl Pages {
    /// Pages whose forms may redirect to `external_url`, with times in `zone`.
    pub(super) fn new(external_url: &Url, zone: TimeZone) -> Result<Self, minijinja::Error> {
        let mut templates = Environment::new();
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        for (name, text) in TEMPLATES {
            templates.add_template(name, text)?;
        }
        templates.add_global("style", STYLE);
        let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
        // Browsers also apply form-action to the redirect that follows a form.
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; form-action 'self' {}; base-uri 'none'; frame-ancestors 'none'",
            external_url.origin().ascii_serialization()
        );
        Ok(Self {
            templates,
            // An origin is always ASCII, so this cannot fail. The fallback allows nothing.
            policy: HeaderValue::from_str(&policy)
                .unwrap_or(HeaderValue::from_static("default-src 'none'")),
            zone,
        })
    }

    /// Renders a page. `values` are escaped, and `id` is shown in the footer.
    pub(super) fn page(
        &self,
        status: StatusCode,
        id: EventId,
        template: &str,
        values: Value,
    ) -> Answer {
        let values = context! { ref => id.to_string(), ..values };
        let rendered = self
            .templates
            .get_template(template)
            .and_then(|template| template.render(values));
        let (status, text) = match rendered {
            Ok(text) => (status, text),
            Err(error) => {
                tracing::error!(event.id = %id, template, %error, "page cannot be rendered");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    format!("This page cannot be shown. ref {id}"),
                )
            }
        };
        let mut answer = Answer::new(Bytes::from(text));
        *answer.status_mut() = status;
        answer
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        for (name, value) in PAGE_HEADERS {
            answer = reply::with(answer, name, value);
        }
        answer
    }

    /// Renders a page with a short message.
    pub(super) fn message(&self, id: EventId, message: &MessagePage<'_>) -> Answer {
        let (back, back_label) = message.back.unzip();
        self.page(
            message.status,
            id,
            "message.html",
            context! {
                look => message.look,
                state => message.state,
                title => message.title,
                lines => message.lines.iter().map(|line| Value::from(*line)).collect::<Vec<_>>(),
                back => back,
                back_label => back_label,
                refresh_seconds => message.refresh_seconds,
            },
        )
    }

    /// Status 404 with the same page for every unknown path and invalid link.
    pub(super) fn not_found(&self, id: EventId) -> Answer {
        self.message(
            id,
            &MessagePage {
                status: StatusCode::NOT_FOUND,
                title: "There is nothing here",
                lines: &[
                    "The link is incomplete or was never issued. Follow it from the chat again.",
                ],
                ..MessagePage::default()
            },
        )
    }

    /// Status 503 for a passing failure. The page reloads by itself.
    pub(super) fn unavailable(&self, id: EventId) -> Answer {
        let answer = self.message(
            id,
            &MessagePage {
                status: StatusCode::SERVICE_UNAVAILABLE,
                look: "bad",
                state: "Not available at the moment",
                title: "Please wait a moment",
                lines: &["Something that this page needs does not answer. The page tries again by itself. Your meeting is not lost."],
                refresh_seconds: Some(10),
                ..MessagePage::default()
            },
        );
        reply::with(answer, header::RETRY_AFTER, "10")
    }

    /// A time with its date, like "Sat 21 Nov 2026, 14:02 UTC".
    pub(super) fn date_and_time(&self, at: Timestamp) -> String {
        self.format(at, "%a %-d %b %Y, %H:%M %Z")
    }

    /// The time of an end, without the date if the meeting began on the same day.
    pub(super) fn end(&self, began: Option<Timestamp>, ended: Timestamp) -> String {
        let day = |at| self.format(at, "%F");
        if began.is_some_and(|began| day(began) == day(ended)) {
            self.time(ended)
        } else {
            self.date_and_time(ended)
        }
    }

    /// A time without its date, like "14:02 UTC".
    pub(super) fn time(&self, at: Timestamp) -> String {
        self.format(at, "%H:%M %Z")
    }

    fn format(&self, at: Timestamp, format: &str) -> String {
        jiff::Timestamp::from_millisecond(at.millis())
            .map(|at| at.to_zoned(self.zone.clone()).strftime(format).to_string())
            .unwrap_or_default()
    }
}

/// Pages change with their meeting and show names, so they are neither cached nor indexed.
const PAGE_HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// A redirect to an address that holds a secret. The headers forbid to cache it and to send it as a referrer.
pub(super) fn redirect_to_secret(status: StatusCode, address: &str) -> Option<Answer> {
    let mut location = HeaderValue::from_str(address).ok()?;
    location.set_sensitive(true);
    let mut answer = reply::empty(status);
    answer.headers_mut().insert(header::LOCATION, location);
    let answer = reply::with(answer, header::CACHE_CONTROL, "no-store");
    Some(reply::with(answer, header::REFERRER_POLICY, "no-referrer"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn times_beyond_every_calendar_are_tolerated() {
        let url = Url::parse("https://meet.example.org").unwrap();
        for hours in [-25, 0, 25] {
            let pages = Pages::new(&url, TimeZone::fixed(jiff::tz::offset(hours))).unwrap();
            for millis in [-377_705_023_201_000, 253_402_207_200_000] {
                let at = Timestamp::from_millis(millis);
                assert!(pages.date_and_time(at).contains(':'), "{millis} {hours}");
                assert!(pages.end(Some(at), at).contains(':'), "{millis} {hours}");
            }
            for millis in [i64::MIN, i64::MAX] {
                assert_eq!(pages.date_and_time(Timestamp::from_millis(millis)), "");
            }
        }
    }
}
