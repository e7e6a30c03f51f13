//! A handler that panics is a defect of the relay, and no reason to leave its caller without an answer.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use http::StatusCode;
use serde_json::json;

use super::observe::Route;
use super::reply::{self, Answer};
use crate::crash_point;
use crate::domain::EventId;
use crate::domain::say::ANSWER_NAME;

/// The handler's answer; where it panicked, one that makes plugNmeet try again and tells a person the event's id.
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
            tracing::error!(event.id = %id, route = route.as_str(), "a request could not be answered because of a defect; the line before says where");
            apology(route, id)
        }
    }
}

/// Mattermost shows the text of an outgoing webhook whatever the status, that of a command only with 200.
fn apology(route: Route, id: EventId) -> Answer {
    let text = format!("meetrelay met an error of its own; please try again. ref {id}");
    match route {
        Route::Outgoing => reply::json(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "text": text })),
        Route::Command => reply::json(
            StatusCode::OK,
            &json!({ "response_type": "ephemeral", "username": ANSWER_NAME, "text": text }),
        ),
        _ => reply::plain(StatusCode::INTERNAL_SERVER_ERROR, &text),
    }
}
