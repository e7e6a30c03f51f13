//! Checks on a message that serde does not do.

use serde_json::error::Category;

/// Whether `text` is a `traceparent` of version 00 (W3C trace context): lower-case hex, and neither id is all zeros.
pub fn is_trace(text: &str) -> bool {
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |part: &str, length| is_hex(part, length) && part.bytes().any(|b| b != b'0');
    let mut parts = text.split('-');
    parts.next() == Some("00")
        && parts.next().is_some_and(|trace| is_id(trace, 32))
        && parts.next().is_some_and(|parent| is_id(parent, 16))
        && parts.next().is_some_and(|flags| is_hex(flags, 2))
        && parts.next().is_none()
}

/// The deepest nesting of brackets outside of strings.
pub(super) fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A reason that is safe to log. serde's message quotes the input, so only the part that consists of the relay's own
/// names is kept, with the position.
pub(super) fn problem(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let what = match error.classify() {
        Category::Syntax => "not JSON".to_owned(),
        Category::Eof => "incomplete JSON".to_owned(),
        Category::Data => format!(
            "JSON of a different structure ({})",
            expected(&error.to_string())
        ),
        Category::Io => "unreadable".to_owned(),
    };
    format!("{what} at line {line}, column {column}")
}

/// The expectation in serde's message. The message begins with the value that was read and ends with the expectation.
fn expected(text: &str) -> String {
    let text = text.rsplit_once(" at line ").map_or(text, |(text, _)| text);
    if text.starts_with("missing field `") || text.starts_with("duplicate field `") {
        text.to_owned()
    } else if text.starts_with("unknown variant `") {
        "a value that this version does not know".to_owned()
    } else if let Some((_, expected)) = text.rsplit_once(", expected ") {
        format!("expected {expected}")
    } else {
        "a value out of range".to_owned()
    }
}
