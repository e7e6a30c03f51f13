//! Interprets the answers of plugNmeet. The HTTP status is 200 for failures too; the field `status` tells success
//! (src/plugnmeet/README.md, "Answers").

use serde::Deserialize;
use serde_json::Value;

use crate::http::{HttpAnswer, described, log_text};
use crate::ports::{ConferenceError, EndAnswer, RoomActivity};

/// Longest token that is accepted, in bytes; real ones have a few hundred.
const TOKEN_BYTES_MAX: usize = 4096;

/// Texts of `INTERNAL_SERVER_ERROR`s that a repetition of the call cannot change (src/plugnmeet/README.md, "What a
/// failure means").
const PERMANENT_TEXTS: [&str; 6] = [
    "artifact type is not downloadable",
    "artifact has no downloadable file",
    "Data too long for column",
    "reserved pattern",
    "is reserved for internal use",
    "should only contain ASCII",
];

/// The fields that every answer has, and all others in `rest`.
#[derive(Deserialize)]
pub(super) struct AnswerBody {
    status: bool,
    #[serde(default)]
    msg: String,
    /// The name of the code, or a number if the server does not know the name itself. Absent before 2.1.7.
    #[serde(default)]
    status_code: Value,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

/// The values of `status_code` that the relay distinguishes.
enum Code {
    NotFound,
    RoomGone,
    Blocked,
    Key,
    Refused,
    Other,
    Absent,
}

/// Parses the body of an answer, of a success or a failure, or returns the error that its absence means. Only an answer
/// in plugNmeet's own format comes from plugNmeet. Any other answer counts as an outage, whatever its status is.
pub(super) fn envelope(answer: &HttpAnswer) -> Result<AnswerBody, ConferenceError> {
    let read = serde_json::from_slice::<AnswerBody>(&answer.body);
    match (answer.status, read) {
        (200..=299, Ok(envelope)) => Ok(envelope),
        (401, Ok(envelope)) => Err(ConferenceError::Unauthorized {
            why: envelope.why(),
        }),
        (401, Err(_)) if is_protobuf(answer) => Err(ConferenceError::Unauthorized {
            why: "HTTP 401".to_owned(),
        }),
        (404, Err(_)) if is_catch_all(answer) => Err(ConferenceError::Refused {
            why: "HTTP 404: plugNmeet does not know this call; \
                  plugnmeet.url may be wrong or the server too old"
                .to_owned(),
        }),
        _ => Err(foreign_answer(answer)),
    }
}

/// The error for an answer that does not have plugNmeet's own format.
pub(super) fn foreign_answer(answer: &HttpAnswer) -> ConferenceError {
    let why = if is_foreign(answer) {
        format!("{}: not an answer from plugNmeet", described(answer))
    } else {
        format!("HTTP {}", answer.status)
    };
    ConferenceError::Unavailable {
        why,
        after: answer.retry_after,
    }
}

/// Whether an answer without plugNmeet's format indicates a wrong address. A failing server, and a gateway that cannot
/// reach it, are at the right address.
pub(super) fn is_foreign(answer: &HttpAnswer) -> bool {
    !matches!(answer.status, 408 | 425 | 429 | 500..=599)
}

/// Whether this is plugNmeet's own answer to an unknown path or method. The text of a proxy differs.
fn is_catch_all(answer: &HttpAnswer) -> bool {
    answer.body.trim_ascii() == b"not found"
}

/// Whether the answer is protobuf, which plugNmeet also sends; the relay's calls are in JSON.
fn is_protobuf(answer: &HttpAnswer) -> bool {
    media_type(answer) == "application/protobuf"
}

/// The media type of an answer, without parameters; empty if there is none.
pub(super) fn media_type(answer: &HttpAnswer) -> &str {
    answer
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim()
}

/// The error for an answer that reports success but does not have the expected content.
pub(super) fn unreadable(what: &str) -> ConferenceError {
    ConferenceError::Unreachable {
        why: format!("the answer is unreadable: {what}"),
    }
}

impl AnswerBody {
    /// The answer if it is a success, else the error that it means.
    pub(super) fn succeeded(self) -> Result<Self, ConferenceError> {
        if self.status {
            Ok(self)
        } else {
            Err(self.failure())
        }
    }

    /// Takes one of the fields that are specific to the call.
    pub(super) fn take<T: serde::de::DeserializeOwned>(
        &mut self,
        field: &'static str,
    ) -> Result<T, ConferenceError> {
        let value = self.rest.remove(field).unwrap_or_default();
        serde_json::from_value(value).map_err(|_| unreadable(field))
    }

    /// The token of an answer to a mint call.
    pub(super) fn token(self) -> Result<String, ConferenceError> {
        let token: String = self.succeeded()?.take("token")?;
        let is_token = !token.is_empty()
            && token.len() <= TOKEN_BYTES_MAX
            && token
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        if is_token {
            Ok(token)
        } else {
            Err(unreadable("token"))
        }
    }

    /// The answer of isRoomActive. Only `status:true` with `is_active:false` proves an end.
    pub(super) fn activity(self) -> Result<RoomActivity, ConferenceError> {
        if !self.status {
            // No failure code proves anything about the room: when NATS is down, the code is "not found" too.
            return Err(match self.failure() {
                ConferenceError::RoomGone | ConferenceError::NotFound => {
                    ConferenceError::Internal { why: self.why() }
                }
                other => other,
            });
        }
        match self.rest.get("is_active") {
            Some(Value::Bool(true)) => Ok(RoomActivity::Active),
            Some(Value::Bool(false)) => Ok(RoomActivity::Ended),
            _ => Err(unreadable("is_active")),
        }
    }

    /// The answer of endRoom. Only a room that is not found has ended for good; one that is not active is still ending.
    pub(super) fn end(self) -> Result<EndAnswer, ConferenceError> {
        if self.status {
            return Ok(EndAnswer::Ending);
        }
        match (self.failure(), self.status_code.as_str()) {
            (ConferenceError::RoomGone, Some("ROOM_NOT_ACTIVE")) => Ok(EndAnswer::Ending),
            (ConferenceError::RoomGone, _) => Ok(EndAnswer::NotFound),
            (error, _) => Err(error),
        }
    }

    /// The error that a failure means (src/plugnmeet/README.md, "What a failure means").
    pub(super) fn failure(&self) -> ConferenceError {
        match self.code() {
            Code::NotFound => ConferenceError::NotFound,
            Code::RoomGone => ConferenceError::RoomGone,
            Code::Blocked => ConferenceError::Blocked,
            Code::Key => ConferenceError::Unauthorized { why: self.why() },
            Code::Refused => ConferenceError::Refused { why: self.why() },
            Code::Other if PERMANENT_TEXTS.iter().any(|text| self.msg.contains(text)) => {
                ConferenceError::Refused { why: self.why() }
            }
            Code::Other => ConferenceError::Internal { why: self.why() },
            Code::Absent => self.failure_by_text(),
        }
    }

    /// The same for servers before 2.1.7, which send a text but no code.
    fn failure_by_text(&self) -> ConferenceError {
        let text = self.msg.to_lowercase();
        if text.contains("blocked to join") {
            ConferenceError::Blocked
        } else if text.contains("room")
            && (text.contains("not found") || text.contains("not active"))
        {
            ConferenceError::RoomGone
        } else if text.contains("not found")
            || (text.starts_with("no ") && text.ends_with(" found"))
        {
            ConferenceError::NotFound
        } else if text.starts_with("validation error") || text.starts_with("proto: ") {
            ConferenceError::Refused { why: self.why() }
        } else {
            ConferenceError::Internal { why: self.why() }
        }
    }

    fn code(&self) -> Code {
        let number = self.status_code.as_u64();
        match (self.status_code.as_str(), number) {
            (None | Some("" | "UNKNOWN_STATUS"), None | Some(0)) => Code::Absent,
            (Some("NOT_FOUND"), _) | (_, Some(3)) => Code::NotFound,
            (Some("ROOM_NOT_FOUND" | "ROOM_NOT_ACTIVE"), _) | (_, Some(10 | 14)) => Code::RoomGone,
            (Some("USER_BLOCKED"), _) | (_, Some(12)) => Code::Blocked,
            (Some("INVALID_API_KEY" | "INVALID_TOKEN_OR_SIGNATURE"), _) | (_, Some(5 | 6)) => {
                Code::Key
            }
            (
                Some(
                    "INVALID_PARAMETERS"
                    | "MISSING_REQUIRED_PARAMETER"
                    | "PERMISSION_DENIED"
                    | "USER_NOT_FOUND"
                    | "USER_NOT_ACTIVE",
                ),
                _,
            )
            | (_, Some(2 | 8 | 9 | 11 | 13)) => Code::Refused,
            _ => Code::Other,
        }
    }

    /// The code and the text of a failure, for the log.
    fn why(&self) -> String {
        match &self.status_code {
            Value::String(code) => log_text(&format!("{code}: {}", self.msg)),
            Value::Number(code) => log_text(&format!("code {code}: {}", self.msg)),
            _ => log_text(&self.msg),
        }
    }
}
