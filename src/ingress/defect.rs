//! Answers requests whose handler panics. A panic is a defect of the relay, and the caller still needs an answer.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use http::StatusCode;
use serde_json::json;

use super::observe::Route;
use super::reply::{self, Answer};
use crate::crash_point;
use crate::domain::EventId;
use crate::domain::say::ANSWER_NAME;

/// The handler's answer. If the handler panics, the answer makes plugNmeet try again and shows a person the event's id.
pub(super) async fn caught(
    route: Route,
    id: EventId,
    answer: impl Future<Output = Answer>,
) -> Answer {
    let answer = async {
        crash_point::reach_for("ingress.answer", || route.as_str().to_owned());
        answer.await
    };
    match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(answer) => answer,
        Err(_) => {
            tracing::error!(event.id = %id, route = route.as_str(), "the handler of a request panicked; the log line before names the place");
            apology(route, id)
        }
    }
}

/// The answer after a panic. Mattermost shows the text of an outgoing webhook with any status, that of a command only
/// with 200.
fn apology(route: Route, id: EventId) -> Answer {
    let text = format!("meetrelay failed because of an internal error; please try again. ref {id}");
    match route {
        Route::Outgoing => reply::json(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "text": text })),
        Route::Command => reply::json(
            StatusCode::OK,
            &json!({ "response_type": "ephemeral", "username": ANSWER_NAME, "text": text }),
        ),
        _ => reply::plain(StatusCode::INTERNAL_SERVER_ERROR, &text),
    }
}
