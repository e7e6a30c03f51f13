//! A request as the routes receive it: its body is already read, within the limit.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, Method, StatusCode, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use uuid::{NoContext, Uuid};
use warp::path::FullPath;
use warp::{Filter, Rejection};

use crate::domain::{EventId, Timestamp};
use crate::ports::Clock;

use super::observe::Rejected;
use super::reply::{self, Answer};
use super::sink::TraceParent;

/// A body of up to this many bytes is always read; webhooks and commands are shorter. Multiplied by the listener's
/// connections, this bounds the memory that unauthenticated senders can use.
const BODY_BYTES_FREE: usize = 16 * 1024;
/// The longer bodies of one route may together hold as many bytes as this number of bodies of the longest size. Bodies
/// beyond that are refused.
const LARGE_BODIES_MAX: usize = 8;

/// A longer body must be complete within this time, counted from the byte that makes it longer than
/// [`BODY_BYTES_FREE`], because it uses memory that other bodies need.
const LARGE_BODY_WITHIN: Duration = Duration::from_secs(2);

/// Most bytes of a body that is too large which are read and discarded.
const DISCARD_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest that discarding may take.
const DISCARD_WITHIN: Duration = Duration::from_millis(500);

/// One request with its body.
pub(super) struct Inbound {
    /// The id of the event that the request may become.
    pub(super) id: EventId,
    /// When the request was complete, on our clock.
    pub(super) received_at: Timestamp,
    /// The same moment on the monotonic clock, for deadlines.
    pub(super) since: Instant,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) query: String,
    pub(super) body: Result<Bytes, Unread>,
}

/// Why the body of a request was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is over the limit; what was read is dropped.
    TooLarge,
    /// It ended before it was complete, or its chunked encoding was invalid.
    Broken,
    /// Large bodies use all the memory that is reserved for them at this moment.
    NoRoom,
    /// It was longer than [`BODY_BYTES_FREE`] and did not arrive in time.
    TooSlow,
}

/// Why a request is refused before its body is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusedRequest {
    /// The body has a content encoding; nothing is decompressed.
    Encoded,
    /// The content type is not accepted here, is missing, or is given several times.
    MediaType,
    /// The body could not be read.
    Unread(Unread),
}

impl RefusedRequest {
    /// The reason as a metric label.
    pub(super) const fn reason(self) -> Rejected {
        match self {
            Self::Encoded | Self::MediaType => Rejected::UnsupportedMedia,
            Self::Unread(Unread::TooLarge) => Rejected::TooLarge,
            Self::Unread(Unread::Broken | Unread::TooSlow) => Rejected::Malformed,
            Self::Unread(Unread::NoRoom) => Rejected::Backpressure,
        }
    }

    /// Status 415, 413, 400 or 408, or 503 where the same request may be accepted a moment later.
    pub(super) fn answer(self) -> Answer {
        let (status, text) = match self {
            Self::Encoded => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "encoded bodies are not accepted",
            ),
            Self::MediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "this content type is not accepted here",
            ),
            Self::Unread(Unread::TooLarge) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
            }
            Self::Unread(Unread::Broken) => (StatusCode::BAD_REQUEST, "the body is incomplete"),
            Self::Unread(Unread::TooSlow) => {
                (StatusCode::REQUEST_TIMEOUT, "the body arrived too slowly")
            }
            Self::Unread(Unread::NoRoom) => {
                let text = "too many large bodies at the same time, try again";
                let answer = reply::plain(StatusCode::SERVICE_UNAVAILABLE, text);
                return reply::with(answer, header::RETRY_AFTER, "5");
            }
        };
        reply::plain(status, text)
    }
}

/// Accepts any request and reads at most `body_max` bytes of its body. Each call reserves separate memory for the large
/// bodies of one route.
pub(super) fn inbound(
    clock: Arc<dyn Clock>,
    body_max: usize,
) -> impl Filter<Extract = (Inbound,), Error = Rejection> + Clone + Send + Sync + 'static {
    let room = Arc::new(Semaphore::new(body_max * LARGE_BODIES_MAX));
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full().map(|path: FullPath| path.as_str().to_owned()))
        .and(warp::header::headers_cloned())
        .and(query)
        .and(warp::body::stream())
        .then(move |method, path, headers: HeaderMap, query, body| {
            let (clock, room) = (Arc::clone(&clock), Arc::clone(&room));
            async move {
                let body = read(&headers, body, body_max, &room).await;
                let received_at = clock.now();
                Inbound {
                    id: fresh_id(received_at),
                    received_at,
                    since: Instant::now(),
                    method,
                    path,
                    headers,
                    query,
                    body,
                }
            }
        })
}

impl Inbound {
    /// The body, if its media type is one of `types` (parameters are ignored) and it is not encoded, complete and
    /// within the limit.
    pub(super) fn body_of(&self, types: &[&str]) -> Result<(&Bytes, &'static str), RefusedRequest> {
        let is_encoded = self
            .headers
            .get_all(header::CONTENT_ENCODING)
            .iter()
            .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
        if is_encoded {
            return Err(RefusedRequest::Encoded);
        }
        let kind = self
            .media_type()
            .filter(|kind| types.iter().any(|known| known == kind))
            .ok_or(RefusedRequest::MediaType)?;
        match &self.body {
            Ok(body) => Ok((body, kind)),
            Err(unread) => Err(RefusedRequest::Unread(*unread)),
        }
    }

    /// The media type, if there is exactly one and some route accepts it.
    fn media_type(&self) -> Option<&'static str> {
        let mut values = self.headers.get_all(header::CONTENT_TYPE).iter();
        let (value, None) = (values.next()?, values.next()) else {
            return None;
        };
        let essence = value.to_str().ok()?.split(';').next()?.trim();
        [FORM, JSON, WEBHOOK_JSON]
            .into_iter()
            .find(|known| essence.eq_ignore_ascii_case(known))
    }

    pub(super) fn trace(&self) -> Option<TraceParent> {
        TraceParent::of(&self.headers)
    }

    /// The method as a metric label.
    pub(super) fn method_label(&self) -> &'static str {
        match self.method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            _ => "other",
        }
    }

    /// The first value of a header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

pub(super) const FORM: &str = "application/x-www-form-urlencoded";
pub(super) const JSON: &str = "application/json";
pub(super) const WEBHOOK_JSON: &str = "application/webhook+json";

/// A UUIDv7 with the time of our clock.
pub(super) fn fresh_id(now: Timestamp) -> EventId {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    let nanos = u32::try_from(millis % 1000).unwrap_or(0) * 1_000_000;
    EventId::from_uuid(Uuid::new_v7(uuid::Timestamp::from_unix(
        NoContext,
        millis / 1000,
        nanos,
    )))
}

async fn read(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
    max: usize,
    room: &Arc<Semaphore>,
) -> Result<Bytes, Unread> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let mut body = pin!(body);
    if announced.is_some_and(|length| length > max as u64) {
        discard_rest(body).await;
        return Err(Unread::TooLarge);
    }
    let mut read = BytesMut::new();
    let mut place: Option<OwnedSemaphorePermit> = None;
    let mut due: Option<Instant> = None;
    while let Some(chunk) = next(&mut body, due).await? {
        let mut chunk = chunk.map_err(|_| Unread::Broken)?;
        let length = chunk.remaining();
        if read.len() + length > max {
            discard_rest(body).await;
            return Err(Unread::TooLarge);
        }
        if read.len() + length > BODY_BYTES_FREE {
            // Only received bytes reserve memory: announcing a length costs the sender nothing.
            let bytes = length + if place.is_none() { read.len() } else { 0 };
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            let Ok(taken) = Arc::clone(room).try_acquire_many_owned(bytes) else {
                discard_rest(body).await;
                return Err(Unread::NoRoom);
            };
            match &mut place {
                Some(place) => place.merge(taken),
                None => place = Some(taken),
            }
            due.get_or_insert_with(|| Instant::now() + LARGE_BODY_WITHIN);
        }
        read.extend_from_slice(&chunk.copy_to_bytes(length));
    }
    Ok(match place {
        None => read.freeze(),
        Some(place) => Bytes::from_owner(Large {
            body: read.freeze(),
            _place: place,
        }),
    })
}

/// The next chunk of a body, within the deadline.
async fn next<S: Stream + ?Sized>(
    body: &mut Pin<&mut S>,
    due: Option<Instant>,
) -> Result<Option<S::Item>, Unread> {
    match due {
        None => Ok(body.next().await),
        Some(due) => {
            let next = tokio::time::timeout_at(due, body.next()).await;
            next.map_err(|_| Unread::TooSlow)
        }
    }
}

/// A large body. Its reserved memory is released when the last copy is dropped.
struct Large {
    body: Bytes,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// Reads and discards the rest of a body that is too large, within bounds. A connection that is closed with unread
/// bytes is reset, and then the sender never sees the 413.
async fn discard_rest(mut body: Pin<&mut impl Stream<Item = Result<impl Buf, warp::Error>>>) {
    let rest = async {
        let mut left = DISCARD_BYTES_MAX;
        while let Some(Ok(chunk)) = body.next().await {
            let Some(less) = left.checked_sub(chunk.remaining()) else {
                return;
            };
            left = less;
        }
    };
    // A timeout changes nothing: the answer is the same.
    let _ = tokio::time::timeout(DISCARD_WITHIN, rest).await;
}
