//! The rules of a message's fields and the texts the server uses for breaking them.

use super::{Field, Kind, Message, Rule, Value};

/// The server's text for all broken rules in `message`; `None` when it keeps them all.
pub(crate) fn broken_rules(fields: &'static [Field], message: &Message) -> Option<String> {
    let mut broken = Vec::new();
    collect(fields, message, "", &mut broken);
    match broken.as_slice() {
        [] => None,
        [one] => Some(format!("validation error: {one}")),
        many => Some(format!("validation errors:\n - {}", many.join("\n - "))),
    }
}

fn collect(fields: &'static [Field], message: &Message, path: &str, broken: &mut Vec<String>) {
    for field in fields {
        let here = if path.is_empty() {
            field.name.to_owned()
        } else {
            format!("{path}.{}", field.name)
        };
        let value = message.get(field.name);
        if let Some(text) = breaks(field, value) {
            broken.push(format!("{here}: {text}"));
        }
        if let (Kind::Message(fields), Some(Value::Message(message))) = (&field.kind, value) {
            collect(fields, message, &here, broken);
        }
    }
}

fn breaks(field: &Field, value: Option<&Value>) -> Option<String> {
    match (field.rule, value) {
        (Rule::Required, None) => Some("value is required".to_owned()),
        (Rule::RoomId, value) => {
            let fits = matches!(value, Some(Value::Text(text)) if is_identifier(text));
            let name = field.name;
            (!fits).then(|| {
                format!("{name} should only contain ASCII letters (a-z A-Z), digits (0-9) or -_")
            })
        }
        (Rule::Uri, Some(Value::Text(text))) if text.is_empty() => {
            Some("value is empty, which is not a valid URI".to_owned())
        }
        (Rule::Uri, Some(Value::Text(text))) => url::Url::parse(text)
            .err()
            .map(|_| "must be a valid URI".to_owned()),
        (Rule::AboveZero, Some(Value::Number(0))) => Some("must be greater than 0".to_owned()),
        (Rule::Internal, Some(Value::Bool(true))) => Some("must equal false".to_owned()),
        (Rule::Internal, Some(Value::Number(number))) if *number > 0 => {
            Some("must equal 0".to_owned())
        }
        (Rule::Internal, Some(Value::Texts(_))) => {
            Some("must contain no more than 0 item(s)".to_owned())
        }
        (Rule::Internal, Some(Value::Text(text))) if !text.is_empty() => {
            Some(format!("{} should not contain any value", field.name))
        }
        _ => None,
    }
}

/// Whether `text` is a room id or user id by its letters.
pub(crate) fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
