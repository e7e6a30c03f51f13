//! The routes of the real server that the fake models, and the authentication before `/auth`
//! (src/plugnmeet/README.md, "Requests and signature").

mod artifact;
mod download;
mod end;
mod lookup;
mod recording;
mod room;
mod user;

use std::sync::Arc;

use axum::http::{HeaderMap, Method};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(crate) use end::{end_session, schedule_departure};
pub(crate) use user::{check_join_token, leave_reason};

use super::answer::{Answer, common};
use super::protojson::{Field, Message, broken_rules, read};
use super::state::Shared;

/// The operation's name in faults and logs; `unknown` for what the real server answers 404, or what is not modelled.
pub(crate) fn operation(method: &Method, path: &str) -> &'static str {
    let lower = path.to_ascii_lowercase();
    let lower = lower.strip_suffix('/').unwrap_or(&lower);
    match (method.as_str(), lower) {
        ("POST", "/auth/room/create") => "room.create",
        ("POST", "/auth/room/getjointoken") => "room.token",
        ("POST", "/auth/room/isroomactive") => "room.active",
        ("POST", "/auth/room/getactiveroominfo") => "room.info",
        ("POST", "/auth/room/endroom") => "room.end",
        ("POST", "/auth/recording/fetch") => "recording.fetch",
        ("POST", "/auth/recording/getdownloadtoken") => "recording.token",
        ("POST", "/auth/artifact/fetch") => "artifact.fetch",
        ("POST", "/auth/artifact/getdownloadtoken") => "artifact.token",
        ("GET" | "HEAD", "/healthcheck") => "health",
        ("GET" | "HEAD", "") => "page",
        ("GET" | "HEAD", path) if path.starts_with("/download/") => "download",
        ("GET" | "HEAD", path) if path.starts_with("/storage/") => "storage",
        (_, path) if path.starts_with("/demo/") => "demo",
        _ => "unknown",
    }
}

/// Answers a request to the API, a download or the health check.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    operation: &str,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Answer {
    let is_api = path.to_ascii_lowercase().starts_with("/auth/");
    if is_api && let Err(refusal) = authenticate(shared, headers, body) {
        shared.unexpected.note(format!(
            "{operation}: not authenticated: {}",
            String::from_utf8_lossy(&refusal.body)
        ));
        return refusal;
    }
    if is_api && operation != "unknown" {
        note_encoding(shared, operation, headers);
    }
    match operation {
        "room.create" => room::create(shared, body).await,
        "room.token" => user::join_token(shared, body).await,
        "room.active" => lookup::is_room_active(shared, body).await,
        "room.info" => lookup::active_room_info(shared, body),
        "room.end" => end::end_room(shared, body).await,
        "recording.fetch" => recording::fetch(shared, body),
        "recording.token" => recording::download_token(shared, body),
        "artifact.fetch" => artifact::fetch(shared, body),
        "artifact.token" => artifact::download_token(shared, body),
        "download" => download::download(shared, path),
        "storage" => download::storage(shared, path),
        "health" => lookup::health(shared),
        _ => {
            shared
                .unexpected
                .note(format!("{method} {path}: no such route"));
            Answer::text(404, "not found")
        }
    }
}

/// Reads a body and checks its rules; the error is the answer (src/plugnmeet/README.md, "Answers").
fn understand(
    shared: &Shared,
    operation: &str,
    fields: &'static [Field],
    body: &[u8],
) -> Result<Message, Answer> {
    let understood = read(fields, body).and_then(|reading| {
        for path in reading.unknown {
            shared.unexpected.note(format!(
                "{operation}: unknown field {path}: the server ignores it"
            ));
        }
        broken_rules(fields, &reading.message).map_or(Ok(reading.message), Err)
    });
    understood.map_err(|text| {
        shared.unexpected.note(format!("{operation}: {text}"));
        Answer::common(false, &text, "INVALID_PARAMETERS")
    })
}

/// The text of a failed connection to the database, as the driver words it.
const DATABASE_DOWN: &str = "dial tcp 127.0.0.1:23306: connect: connection refused";

/// What a list answers when nothing matches: no `result` at all (recorded: api-past-none).
fn nothing_found(msg: &str) -> Answer {
    Answer::common(false, msg, "NOT_FOUND")
}

/// A `getDownloadToken` that succeeded.
fn token_answer(token: &str) -> Answer {
    Answer::json(
        common(true, "success", "SUCCESS")
            .put("token", token)
            .finish(),
    )
}

/// The part of a list that was asked for: `from`, `limit` (default 20, at most 100), newest first unless `ASC`.
struct Page {
    from: u64,
    limit: u64,
    order_by: &'static str,
}

impl Page {
    fn of(request: &Message) -> Self {
        let limit = request.number("limit").unwrap_or(20).min(100);
        let order_by = if request.text("order_by") == "ASC" {
            "ASC"
        } else {
            "DESC"
        };
        Self {
            from: request.number("from").unwrap_or(0),
            limit,
            order_by,
        }
    }

    /// The rows on this page; `rows` are oldest first.
    fn cut(&self, mut rows: Vec<String>) -> Vec<String> {
        if self.order_by == "DESC" {
            rows.reverse();
        }
        let from = usize::try_from(self.from).unwrap_or(usize::MAX);
        rows.into_iter()
            .skip(from)
            .take(usize::try_from(self.limit).unwrap_or(100))
            .collect()
    }
}

/// Whether a row belongs to the rooms asked for: room_sid wins over room_ids, neither means all.
fn is_asked_for(request: &Message, room_sid: &str, room_id: &str) -> bool {
    match request.text_if_set("room_sid") {
        Some(sid) if !sid.is_empty() => sid == room_sid,
        _ => {
            let ids = request.texts("room_ids");
            ids.is_empty() || ids.iter().any(|id| id == room_id)
        }
    }
}

// The real server does not look at the type, but a multipart one would change what is signed.
fn note_encoding(shared: &Shared, operation: &str, headers: &HeaderMap) {
    let content_type = headers
        .get("content-type")
        .map_or(&b""[..], |value| value.as_bytes());
    if content_type != b"application/json" {
        let content_type = String::from_utf8_lossy(content_type);
        shared.unexpected.note(format!(
            "{operation}: Content-Type {content_type:?} instead of application/json"
        ));
    }
    if headers.contains_key("content-encoding") {
        shared.unexpected.note(format!(
            "{operation}: Content-Encoding set: it would change what is signed"
        ));
    }
}

fn authenticate(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<(), Answer> {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    };
    if header("api-key").is_empty() {
        return Err(Answer::unauthorized(
            "Missing API-KEY header.",
            "MISSING_REQUIRED_PARAMETER",
        ));
    }
    if header("api-key") != shared.options.api_key {
        return Err(Answer::unauthorized(
            "Invalid API key provided.",
            "INVALID_API_KEY",
        ));
    }
    let signature = header("hash-signature");
    if signature.is_empty() {
        return Err(Answer::unauthorized(
            "Missing HASH-SIGNATURE header.",
            "MISSING_REQUIRED_PARAMETER",
        ));
    }
    // Compared as lower-case hex, so that upper case fails.
    if signature != hash_signature(&shared.options.api_secret, body) {
        let msg = "Failed to verify provided authentication details.";
        return Err(Answer::unauthorized(msg, "INVALID_TOKEN_OR_SIGNATURE"));
    }
    Ok(())
}

/// The signature of a body: lower-case hex of its HMAC-SHA256.
pub(crate) fn hash_signature(secret: &str, body: &[u8]) -> String {
    Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map(|mac| hex::encode(mac.chain_update(body).finalize().into_bytes()))
        .unwrap_or_default()
}
