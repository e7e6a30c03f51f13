//! Attachments: decoded strictly, written back with every key as Mattermost does
//! (src/mattermost/README.md, "Attachments").

use super::id::new_id;
use crate::Unexpected;
use serde_json::{Map, Value, json};

/// More attachments than this in one post were never seen to work.
const ATTACHMENTS_MAX: usize = 200;
const TEXT_KEYS: [&str; 13] = [
    "fallback",
    "color",
    "pretext",
    "author_name",
    "author_link",
    "author_icon",
    "title",
    "title_link",
    "text",
    "image_url",
    "thumb_url",
    "footer",
    "footer_icon",
];
const ACTION_KEYS: [&str; 11] = [
    "id",
    "type",
    "name",
    "style",
    "options",
    "data_source",
    "default_option",
    "integration",
    "tooltip",
    "disabled",
    "cookie",
];
const STYLES: [&str; 6] = ["", "default", "primary", "success", "good", "warning"];

/// The stored form of `attachments`: an attachment that does not decode is left out, as the real server
/// leaves it out; an empty list becomes null. What a careful sender would not send is noted.
pub(crate) fn normalise(attachments: &Value, unexpected: &Unexpected) -> Value {
    let Some(list) = attachments.as_array() else {
        if !attachments.is_null() {
            unexpected.note("props.attachments is no array");
        }
        return Value::Null;
    };
    if list.len() > ATTACHMENTS_MAX {
        unexpected.note(format!("{} attachments in one post", list.len()));
    }
    let kept: Vec<Value> = list
        .iter()
        .filter_map(|attachment| match decode(attachment, unexpected) {
            Ok(decoded) => Some(decoded),
            Err(fault) => {
                unexpected.note(format!("attachment does not decode and is lost: {fault}"));
                None
            }
        })
        .collect();
    if kept.is_empty() {
        Value::Null
    } else {
        Value::Array(kept)
    }
}

/// One attachment with all its keys; an error where Go's decoder would give one.
pub(crate) fn decode(attachment: &Value, unexpected: &Unexpected) -> Result<Value, String> {
    let given = attachment.as_object().ok_or("no object")?;
    note_unknown(
        given,
        &[&TEXT_KEYS[..], &["id", "fields", "actions", "ts"]].concat(),
        "attachment",
        unexpected,
    );
    let mut out = Map::new();
    out.insert("id".into(), given.get("id").cloned().unwrap_or(json!(0)));
    for key in TEXT_KEYS {
        out.insert(key.into(), json!(text(given, key)?));
    }
    check_links(&out, unexpected);
    // The server writes null where there is none, also into what it decodes again.
    if given.get("ts").is_some_and(|ts| !ts.is_null()) {
        unexpected.note("attachment has ts: current servers warn about it");
    }
    out.insert("ts".into(), given.get("ts").cloned().unwrap_or(Value::Null));
    let fields = list(given, "fields")?;
    let fields = fields.map(|all| {
        all.iter()
            .map(|one| field(one, unexpected))
            .collect::<Result<Vec<_>, _>>()
    });
    out.insert(
        "fields".into(),
        fields.transpose()?.map_or(Value::Null, Value::Array),
    );
    if let Some(actions) = list(given, "actions")? {
        let actions = actions
            .iter()
            .map(|one| action(one, unexpected))
            .collect::<Result<Vec<_>, _>>()?;
        out.insert("actions".into(), Value::Array(actions));
    }
    Ok(Value::Object(out))
}

fn field(field: &Value, unexpected: &Unexpected) -> Result<Value, String> {
    let given = field.as_object().ok_or("a field is no object")?;
    note_unknown(
        given,
        &["title", "value", "short"],
        "attachment field",
        unexpected,
    );
    let short = match given.get("short") {
        None => false,
        Some(Value::Bool(short)) => *short,
        Some(Value::String(word)) if word == "true" || word == "false" => word == "true",
        Some(other) => return Err(format!("field.short is {other}")),
    };
    let value = match given.get("value") {
        Some(Value::String(value)) => value.clone(),
        Some(Value::Object(_) | Value::Array(_)) => return Err("field.value is no scalar".into()),
        Some(Value::Null) | None => String::new(),
        Some(scalar) => scalar.to_string(),
    };
    Ok(json!({"title": text(given, "title")?, "value": value, "short": short}))
}

fn action(action: &Value, unexpected: &Unexpected) -> Result<Value, String> {
    let given = action.as_object().ok_or("an action is no object")?;
    note_unknown(given, &ACTION_KEYS, "action", unexpected);
    let mut out = given.clone();
    let id = text(given, "id")?;
    if id.is_empty() {
        out.insert("id".into(), json!(new_id()));
    } else if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        unexpected.note(format!("action id {id:?} can be stored but never pressed"));
    }
    let kind = text(given, "type")?;
    if kind != "button" && kind != "select" {
        unexpected.note(format!(
            "action {id:?} has type {kind:?} instead of \"button\" or \"select\""
        ));
    }
    if text(given, "name")?.is_empty() {
        unexpected.note(format!("action {id:?} has no name"));
    }
    let style = text(given, "style")?;
    if !STYLES.contains(&style.as_str()) && style != "danger" && !style.starts_with('#') {
        unexpected.note(format!("action {id:?} has unknown style {style:?}"));
    }
    let url = given
        .get("integration")
        .and_then(|integration| integration["url"].as_str());
    if !url.is_some_and(is_web_address) {
        unexpected.note(format!("action {id:?} has no integration.url to call"));
    }
    Ok(Value::Object(out))
}

fn check_links(attachment: &Map<String, Value>, unexpected: &Unexpected) {
    let text = |key: &str| {
        attachment
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    for key in [
        "title_link",
        "author_link",
        "author_icon",
        "image_url",
        "thumb_url",
        "footer_icon",
    ] {
        if !text(key).is_empty() && !is_web_address(text(key)) {
            unexpected.note(format!("attachment {key} is no http(s) address"));
        }
    }
    if !text("author_link").is_empty() && text("author_name").is_empty() {
        unexpected.note("attachment has author_link without author_name");
    }
    let color = text("color");
    let is_hex = color.strip_prefix('#').is_some_and(|hex| {
        (hex.len() == 3 || hex.len() == 6) && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    if !color.is_empty() && !is_hex && !["good", "warning", "danger"].contains(&color) {
        unexpected.note(format!("attachment color {color:?} is no colour"));
    }
}

fn is_web_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

fn text(given: &Map<String, Value>, key: &str) -> Result<String, String> {
    match given.get(key) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(format!("{key} is no text")),
    }
}

fn list<'a>(given: &'a Map<String, Value>, key: &str) -> Result<Option<&'a Vec<Value>>, String> {
    match given.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(_) => Err(format!("{key} is no array")),
    }
}

/// Notes keys that the real server would silently ignore.
pub(crate) fn note_unknown(
    given: &Map<String, Value>,
    known: &[&str],
    what: &str,
    unexpected: &Unexpected,
) {
    for key in given.keys().filter(|key| !known.contains(&key.as_str())) {
        unexpected.note(format!("{what} has unknown field {key:?}"));
    }
}

#[cfg(test)]
mod tests;
