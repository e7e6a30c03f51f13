//! Hides secrets in a stored message before it is shown.

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

/// Replaces the content of every secret field in `value`, at any depth. `serde_json` bounds the depth.
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

/// Whether this is the dedup key of a command. It holds the id of the response URL, which is a secret while it is
/// valid.
fn is_of_command(key: &Value) -> bool {
    key.as_str().is_some_and(|key| key.starts_with("command:"))
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES
        .iter()
        .any(|secret| name == *secret || name.ends_with(&format!("_{secret}")))
}
