//! A request must name one host only (RFC 9112 3.2): if it names two, a proxy and the relay may use different ones.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};

use futures_util::future::Either;
use http::header::{CONNECTION, HOST};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use warp::Reply;
use warp::reply::Response;

/// The result of a call, which cannot fail.
type HostAnswer = Result<Response, Infallible>;

/// The answer of `call`, or the refusal of a request that names several hosts.
pub(super) fn checked<B, A>(
    request: Request<B>,
    call: impl FnOnce(Request<B>) -> A,
) -> Either<Ready<HostAnswer>, A>
where
    A: Future<Output = HostAnswer>,
{
    match refusal(request.headers()) {
        Some(refusal) => Either::Left(ready(Ok(refusal))),
        None => Either::Right(call(request)),
    }
}

/// Refuses a request with several Host headers, which hyper accepts.
fn refusal(headers: &HeaderMap) -> Option<Response> {
    let is_ambiguous = headers.get_all(HOST).iter().nth(1).is_some();
    is_ambiguous.then(|| {
        let mut answer = StatusCode::BAD_REQUEST.into_response();
        // The requests that follow on this connection cannot be trusted either.
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(CONNECTION, close);
        answer
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_host_is_refused_even_if_it_is_the_same() {
        let mut headers = HeaderMap::new();
        assert!(refusal(&headers).is_none());
        for expected in [false, true, true] {
            headers.append(HOST, HeaderValue::from_static("relay.example.org"));
            let answer = refusal(&headers);
            assert_eq!(answer.is_some(), expected);
            if let Some(answer) = answer {
                assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
                assert_eq!(answer.headers()["connection"], "close");
            }
        }
    }
}
