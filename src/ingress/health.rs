//! `GET /healthz`: answers 200 while the public listener serves. The admin listener reports the state of all other
//! parts.

use http::{Method, StatusCode};

use super::inbound::Inbound;
use super::reply::{self, Answer};

pub(super) fn answer(inbound: &Inbound) -> Answer {
    match inbound.method {
        Method::GET | Method::HEAD => reply::plain(StatusCode::OK, "ok"),
        _ => reply::method_not_allowed("GET, HEAD"),
    }
}
