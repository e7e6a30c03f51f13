//! `GET /healthz`: is anybody there? What works behind it is the admin listener's to tell.

use http::{Method, StatusCode};

use super::inbound::Inbound;
use super::reply::{self, Answer};

pub(super) fn answer(inbound: &Inbound) -> Answer {
    match inbound.method {
        Method::GET | Method::HEAD => reply::plain(StatusCode::OK, "ok"),
        _ => reply::method_not_allowed("GET, HEAD"),
    }
}
