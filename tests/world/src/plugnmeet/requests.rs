//! The log of what the fake was asked.

use std::time::Instant;

use super::state::Shared;

/// How many of the newest requests are kept; older ones are only counted.
pub const REQUESTS_KEPT: usize = 10_000;

/// One request to the fake.
#[derive(Clone)]
pub struct Request {
    /// Its number, from 0.
    pub number: u64,
    /// When it came.
    pub at: Instant,
    /// The HTTP method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The operation's name as in [`crate::FaultSwitch`], e.g. `room.create`; `unknown` for a wrong path.
    pub operation: String,
    /// The request's body.
    pub body: String,
    /// The status answered; `None` while it runs or when the connection was closed without an answer.
    pub status: Option<u16>,
    /// The body answered, if it is text.
    pub answer: String,
}

impl Shared {
    /// Logs a request as it comes; the number names it for [`Shared::log_answer`].
    pub(crate) fn log_request(
        &self,
        method: &str,
        path: &str,
        operation: &str,
        body: &[u8],
    ) -> u64 {
        self.change(|state| {
            let number = state.requests_seen;
            state.requests_seen += 1;
            *state.counts.entry(operation.to_owned()).or_default() += 1;
            if state.requests.len() == REQUESTS_KEPT {
                state.requests.pop_front();
            }
            state.requests.push_back(Request {
                number,
                at: Instant::now(),
                method: method.to_owned(),
                path: path.to_owned(),
                operation: operation.to_owned(),
                body: String::from_utf8_lossy(body).into_owned(),
                status: None,
                answer: String::new(),
            });
            number
        })
    }

    /// Notes what was answered to request `number`.
    pub(crate) fn log_answer(&self, number: u64, status: u16, answer: &[u8]) {
        self.change(|state| {
            if let Some(request) = state
                .requests
                .iter_mut()
                .rev()
                .find(|request| request.number == number)
            {
                request.status = Some(status);
                request.answer = String::from_utf8_lossy(answer).into_owned();
            }
        });
    }
}
