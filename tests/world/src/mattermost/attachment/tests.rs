use super::*;

#[test]
fn attachment_is_written_back_with_every_key() {
    let unexpected = Unexpected::default();
    let stored = normalise(
        &json!([{"text": "a", "fields": [{"title": "P", "value": 3, "short": true}]}]),
        &unexpected,
    );
    let keys: Vec<&str> = stored[0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "author_icon",
            "author_link",
            "author_name",
            "color",
            "fallback",
            "fields",
            "footer",
            "footer_icon",
            "id",
            "image_url",
            "pretext",
            "text",
            "thumb_url",
            "title",
            "title_link",
            "ts"
        ]
    );
    assert_eq!(
        stored[0]["fields"],
        json!([{"title": "P", "value": "3", "short": true}])
    );
    unexpected.assert_none();
}

#[test]
fn null_short_loses_the_attachment_and_is_noted() {
    let unexpected = Unexpected::default();
    let stored = normalise(
        &json!([{"fields": [{"title": "P", "value": "3", "short": null}]}]),
        &unexpected,
    );
    assert_eq!(stored, Value::Null);
    assert_eq!(unexpected.take().len(), 1);
}

#[test]
fn careless_action_is_stored_and_noted() {
    let unexpected = Unexpected::default();
    let url = "http://127.0.0.1:1/a";
    let stored = normalise(
        &json!([{"actions": [{"id": "with_under", "name": "U", "integration": {"url": url}}]}]),
        &unexpected,
    );
    assert_eq!(stored[0]["actions"][0]["id"], "with_under");
    let notes = unexpected.take();
    assert!(
        notes.iter().any(|note| note.contains("never pressed")),
        "{notes:?}"
    );
    assert!(notes.iter().any(|note| note.contains("type")), "{notes:?}");
}

#[test]
fn empty_list_becomes_null() {
    assert_eq!(normalise(&json!([]), &Unexpected::default()), Value::Null);
}
