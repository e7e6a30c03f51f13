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
                } else if name == "key" && is_of_command(value) {
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

/// The dedup key of a command holds the id of its response URL, which is a secret while it can be used.
fn is_of_command(key: &Value) -> bool {
    key.as_str().is_some_and(|key| key.starts_with("command:"))
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES
        .iter()
        .any(|secret| name == *secret || name.ends_with(&format!("_{secret}")))
}
