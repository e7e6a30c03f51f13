//! Hides what a stored message must not show.

use serde_json::Value;

/// Field names whose values are secrets or capabilities.
const SECRET_NAMES: [&str; 8] = [
    "hook",
    "response_url",
    "token",
    "secret",
    "password",
    "authorization",
    "api_key",
    "metadata",
];

/// `value` with every secret field's content replaced, however deep. `serde_json` bounds the depth.
pub(super) fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if is_secret(name) && !value.is_null() {
                    *value = Value::from("[redacted]");
                } else if is_command_key(name, value) {
                    *value = Value::from("command:[redacted]");
                } else {
                    redact(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES
        .iter()
        .any(|secret| name == *secret || name.ends_with(&format!("_{secret}")))
}

/// A slash command's dedup key: it ends in the last part of the response URL, which is a capability.
fn is_command_key(name: &str, value: &Value) -> bool {
    name == "key"
        && value
            .as_str()
            .is_some_and(|key| key.starts_with("command:"))
}
