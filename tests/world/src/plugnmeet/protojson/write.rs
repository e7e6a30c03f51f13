//! Writing a message as the server does: compact, in the order of its fields.

use serde_json::json;

use super::{Field, Kind, Message, Value};

/// The message as JSON text: unset plain fields with their zero, unset `optional` fields left out.
pub(crate) fn write(fields: &'static [Field], message: &Message) -> String {
    let mut text = String::from("{");
    for field in fields {
        let Some(value) = written(field, message.get(field.name)) else {
            continue;
        };
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&json!(field.name).to_string());
        text.push(':');
        text.push_str(&value);
    }
    text.push('}');
    text
}

fn written(field: &'static Field, value: Option<&Value>) -> Option<String> {
    Some(match (&field.kind, value) {
        (Kind::Message(fields), Some(Value::Message(message))) => write(fields, message),
        (Kind::Unsigned32, Some(Value::Number(number))) => number.to_string(),
        (Kind::Unsigned64, Some(Value::Number(number))) => json!(number.to_string()).to_string(),
        (Kind::Choice(names), Some(Value::Number(number))) => {
            match names.get(usize::try_from(*number).ok()?) {
                Some(name) => json!(name).to_string(),
                None => number.to_string(),
            }
        }
        (_, Some(Value::Bool(value))) => value.to_string(),
        (_, Some(Value::Text(text))) => json!(text).to_string(),
        (_, Some(Value::Texts(texts))) => json!(texts).to_string(),
        (_, Some(Value::TextMap(map))) => json!(map).to_string(),
        (_, None) if field.optional => return None,
        (Kind::Bool, _) => "false".to_owned(),
        (Kind::Text, _) => r#""""#.to_owned(),
        (Kind::Unsigned32, _) => "0".to_owned(),
        (Kind::Unsigned64, _) => r#""0""#.to_owned(),
        (Kind::Choice(names), _) => json!(names.first()).to_string(),
        (Kind::Texts, _) => "[]".to_owned(),
        (Kind::TextMap, _) => "{}".to_owned(),
        (Kind::Message(_), _) => "null".to_owned(),
    })
}
